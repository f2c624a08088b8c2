// Keys to fields, then the rules between them, all reported at once.
#include "core/train/training_arguments.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "core/config/resolve.h"

namespace ftrun {
namespace {

// Collects complaints so that a user sees all of them in one go.
class Complaints {
 public:
  explicit Complaints(const ResolvedConfig& config) : config_(config) {}

  template <typename... Args>
  void add(std::string_view key, fmt::format_string<Args...> format, Args&&... args) {
    lines_.push_back(
        fmt::format("{}: {}: {}", config_.origin(key), key, fmt::format(format, std::forward<Args>(args)...)));
  }

  void throw_if_any() const {
    if (!lines_.empty()) throw invalid_argument("{}", fmt::join(lines_, "\n"));
  }

 private:
  const ResolvedConfig& config_;
  std::vector<std::string> lines_;
};

constexpr double kMostSteps = 9007199254740992;  // every whole number up to 2^53 is exact

// Below 1: a ratio of all updates; from 1: a whole number of updates.
void read_steps(const ResolvedConfig& config, Complaints& complaints, std::string_view key, Period& period) {
  const double value = config.get_float(key);
  period.unit = Period::Unit::kSteps;
  if (value < 1) {
    period.ratio = value;
  } else if (value != std::floor(value) || value > kMostSteps) {
    period.steps = 1;
    complaints.add(key, "expected a whole number of updates, or a ratio of all updates below 1, got '{}'",
                   config.host().find(key)->text);
  } else {
    period.steps = static_cast<int64_t>(value);
  }
}

Period read_period(const ResolvedConfig& config, Complaints& complaints, std::string_view strategy_key,
                   std::string_view steps_key, std::string_view fallback_key) {
  Period period;
  const std::string& strategy = config.get_string(strategy_key);
  if (strategy == "epoch") period.unit = Period::Unit::kEpoch;
  if (strategy == "steps") read_steps(config, complaints, config.is_set(steps_key) ? steps_key : fallback_key, period);
  return period;
}

void read_periods(const ResolvedConfig& config, Complaints& complaints, TrainingArguments& a) {
  read_steps(config, complaints, "logging_steps", a.logging);
  a.logging_first_step = config.get_bool("logging_first_step");
  a.saving = read_period(config, complaints, "save_strategy", "save_steps", "save_steps");
  a.evaluation = read_period(config, complaints, "eval_strategy", "eval_steps", "logging_steps");
}

std::string steps_text(const Period& period) {
  return period.ratio > 0 ? fmt::format("{}", period.ratio) : fmt::format("{}", period.steps);
}

// Source: transformers training_args.py, __post_init__, "Sanity checks for load_best_model_at_end".
void check_saved_where_evaluated(Complaints& complaints, const TrainingArguments& a) {
  constexpr double kTolerance = 1e-6;  // of a quotient of two decimal fractions
  if ((a.saving.ratio > 0) != (a.evaluation.ratio > 0)) {
    complaints.add(
        "load_best_model_at_end",
        "needs save_steps ({}) to be a multiple of eval_steps ({}), and one is a ratio of all updates: write "
        "both as ratios or both as numbers of updates",
        steps_text(a.saving), steps_text(a.evaluation));
    return;
  }
  const double quotient = a.saving.ratio / a.evaluation.ratio;
  const bool fits = a.saving.ratio > 0 ? std::abs(quotient - std::round(quotient)) < kTolerance && quotient > 0.5
                                       : a.saving.steps % a.evaluation.steps == 0;
  if (fits) return;
  complaints.add("load_best_model_at_end", "needs save_steps ({}) to be a multiple of eval_steps ({})",
                 steps_text(a.saving), steps_text(a.evaluation));
}

void read_best_model_rules(const ResolvedConfig& config, Complaints& complaints, TrainingArguments& a) {
  a.load_best_model_at_end = config.get_bool("load_best_model_at_end");
  a.early_stopping_steps = config.find_int("early_stopping_steps").value_or(0);
  a.metric_for_best_model = config.find_string("metric_for_best_model").value_or("loss");
  if (a.metric_for_best_model.rfind("eval_", 0) != 0) a.metric_for_best_model = "eval_" + a.metric_for_best_model;
  const bool is_loss = a.metric_for_best_model.ends_with("loss") || a.metric_for_best_model.ends_with("perplexity");
  a.greater_is_better = config.is_set("greater_is_better") ? config.get_bool("greater_is_better") : !is_loss;
  const bool evaluates = a.evaluation.unit != Period::Unit::kNever;
  if (a.early_stopping_steps > 0 && !evaluates) {
    complaints.add("early_stopping_steps", "needs evaluations during training: set eval_strategy to steps or epoch");
  }
  if (!a.load_best_model_at_end) return;
  if (!evaluates || a.saving.unit != a.evaluation.unit) {
    complaints.add(
        "load_best_model_at_end",
        "needs save_strategy and eval_strategy to be the same (save_strategy is '{}', eval_strategy is '{}')",
        config.get_string("save_strategy"), config.get_string("eval_strategy"));
  } else if (a.saving.unit == Period::Unit::kSteps) {
    check_saved_where_evaluated(complaints, a);
  }
}

void read_optimizer(const ResolvedConfig& config, Complaints& complaints, TrainingArguments& a) {
  a.max_grad_norm = config.get_float("max_grad_norm");
  a.optim = config.get_string("optim");
  a.weight_decay = config.get_float("weight_decay");
  a.adam_beta1 = config.get_float("adam_beta1");
  a.adam_beta2 = config.get_float("adam_beta2");
  a.adam_epsilon = config.get_float("adam_epsilon");
  if (config.is_set("lr_scheduler_kwargs.min_lr")) {
    a.min_lr = config.get_float("lr_scheduler_kwargs.min_lr");
    if (config.is_set("lr_scheduler_kwargs.min_lr_rate")) {
      complaints.add("lr_scheduler_kwargs.min_lr", "excludes min_lr_rate ({}): give one of them",
                     config.origin("lr_scheduler_kwargs.min_lr_rate"));
    }
    if (a.min_lr > a.learning_rate) {
      complaints.add("lr_scheduler_kwargs.min_lr", "{} is above learning_rate ({}, {}), whose floor it is",
                     value_text(*config.host().find("lr_scheduler_kwargs.min_lr")),
                     value_text(*config.host().find("learning_rate")), config.origin("learning_rate"));
    }
  } else if (config.is_set("lr_scheduler_kwargs.min_lr_rate")) {
    a.min_lr = a.learning_rate * config.get_float("lr_scheduler_kwargs.min_lr_rate");
  } else if (a.lr_scheduler_type == "cosine_with_min_lr") {
    complaints.add("lr_scheduler_type",
                   "cosine_with_min_lr needs lr_scheduler_kwargs: {{min_lr: ...}} or {{min_lr_rate: ...}}");
  }
}

constexpr int64_t kLargestBatch = 1 << 20;

void check_batches(const ResolvedConfig& config, Complaints& complaints) {
  for (const char* key : {"per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"}) {
    const int64_t value = config.get_int(key);
    if (value > kLargestBatch) complaints.add(key, "is {}: expected at most {}", value, kLargestBatch);
  }
}

// Keys that only sampling reads: training decodes greedily where it decodes at all.
void refuse_generation_keys(const ResolvedConfig& config, Complaints& complaints) {
  for (const char* key : {"do_sample", "temperature", "top_p", "top_k", "repetition_penalty", "stop"}) {
    if (config.is_given(key)) {
      complaints.add(key, "is not used by training, which decodes greedily: remove it ('predict' and 'chat' use it)");
    }
  }
  for (const char* key : {"do_predict", "predict_with_generate"}) {
    if (config.is_set(key) && config.get_bool(key)) {
      complaints.add(key, "is true: batch generation is a command of its own: ftrun predict --config FILE");
    }
  }
}

// Keys of `ftrun export`.
void refuse_export_keys(const ResolvedConfig& config, Complaints& complaints) {
  for (const char* key : {"export_dir", "export_size", "export_tolerance", "tie_word_embeddings"}) {
    if (config.is_given(key)) complaints.add(key, "is not used by training: it belongs to ftrun export");
  }
}

void read_precision(const ResolvedConfig& config, Complaints& complaints, TrainingArguments& a) {
  a.bf16 = config.get_bool("bf16");
  a.pure_bf16 = config.get_bool("pure_bf16");
  if (a.bf16 && a.pure_bf16)
    complaints.add("pure_bf16", "excludes bf16: one keeps fp32 master weights, the other does not");
  a.gradient_checkpointing = !config.get_bool("disable_gradient_checkpointing");
  a.offload_activations = config.get_bool("offload_activations");
  if (a.offload_activations && !a.gradient_checkpointing) {
    complaints.add("offload_activations",
                   "excludes disable_gradient_checkpointing: only what blocks are recomputed from is offloaded");
  }
}

void read_tuning(const ResolvedConfig& config, Complaints& complaints) {
  const std::string& type = config.get_string("finetuning_type");
  const auto only_for = [&](const char* owner, std::initializer_list<const char*> keys) {
    if (type == owner) return;
    for (const char* key : keys) {
      if (!config.is_given(key)) continue;
      complaints.add(key,
                     "finetuning_type ({}) is '{}', which has no use for it: remove it, or write 'finetuning_type: {}'",
                     config.origin("finetuning_type"), type, owner);
    }
  };
  only_for("freeze", {"freeze_trainable_layers", "freeze_trainable_modules", "freeze_extra_modules"});
  only_for("lora",
           {"adapter_name_or_path", "create_new_adapter", "lora_rank", "lora_alpha", "lora_dropout", "lora_target",
            "additional_target", "use_rslora", "use_dora", "loraplus_lr_ratio", "pissa_init", "pissa_iter"});
  for (const char* key : {"lora_alpha", "loraplus_lr_ratio"}) {
    if (type == "lora" && config.find_float(key) == 0.0) complaints.add(key, "is 0, with which no pair learns");
  }
  if (type == "lora" && config.get_bool("create_new_adapter") && !config.is_set("adapter_name_or_path")) {
    complaints.add("create_new_adapter", "there is no adapter_name_or_path whose adapters it would merge");
  }
  if (type == "lora" && config.get_bool("pissa_init")) {
    if (config.get_bool("use_dora"))
      complaints.add("pissa_init", "excludes use_dora: the adapter could not be saved for the unchanged base");
    if (config.is_set("adapter_name_or_path") && !config.get_bool("create_new_adapter")) {
      complaints.add("pissa_init",
                     "begins a new adapter, but the training of adapter_name_or_path goes on: remove it, or set "
                     "create_new_adapter: true");
    }
  } else if (config.is_given("pissa_iter")) {
    complaints.add("pissa_iter", "pissa_init is not set: remove it");
  }
  if (type == "lora" && config.get_bool("train_from_scratch")) {
    complaints.add("train_from_scratch",
                   "finetuning_type ({}) is 'lora', whose base would be random: write "
                   "'finetuning_type: full'",
                   config.origin("finetuning_type"));
  }
}

// Checkpoints of a folder that is overwritten are removed.
void check_resuming(Complaints& complaints, const TrainingArguments& a) {
  if (!a.resume_from_checkpoint) return;
  if (!a.do_train) {
    complaints.add("resume_from_checkpoint",
                   "is for training, and do_train is false: name the checkpoint's folder in {}",
                   "model_name_or_path (an adapter's in adapter_name_or_path)");
  }
  if (!a.overwrite_output_dir) return;
  const std::filesystem::path way = std::filesystem::weakly_canonical(*a.resume_from_checkpoint)
                                        .lexically_relative(std::filesystem::weakly_canonical(a.output_dir));
  const bool names_newest = *a.resume_from_checkpoint == "true" || *a.resume_from_checkpoint == "True";
  const bool outside = !names_newest && (way.empty() || *way.begin() == "..");
  if (outside) return;
  complaints.add("resume_from_checkpoint", "excludes overwrite_output_dir, which would delete what is to be resumed");
}

}  // namespace

TrainingArguments read_training_arguments(const ResolvedConfig& config) {
  TrainingArguments a;
  Complaints complaints(config);
  a.model_name_or_path = config.get_string("model_name_or_path");
  a.tokenizer_name_or_path = config.find_string("tokenizer_name_or_path").value_or(a.model_name_or_path.string());
  a.save_dtype = config.get_string("save_dtype");
  a.train_from_scratch = config.get_bool("train_from_scratch");
  a.output_dir = config.find_string("output_dir").value_or("");
  a.overwrite_output_dir = config.get_bool("overwrite_output_dir");
  a.resume_from_checkpoint = config.find_string("resume_from_checkpoint");
  if (a.resume_from_checkpoint == "false" || a.resume_from_checkpoint == "False") a.resume_from_checkpoint.reset();
  a.do_train = config.get_bool("do_train");
  check_resuming(complaints, a);
  read_tuning(config, complaints);
  a.per_device_train_batch_size = config.get_int("per_device_train_batch_size");
  a.per_device_eval_batch_size = config.get_int("per_device_eval_batch_size");
  a.gradient_accumulation_steps = config.get_int("gradient_accumulation_steps");
  a.num_train_epochs = config.get_float("num_train_epochs");
  a.max_steps = config.get_int("max_steps");
  if (a.max_steps == 0) complaints.add("max_steps", "is 0: expected at least 1 update, or -1 for num_train_epochs");
  a.seed = static_cast<uint64_t>(config.get_int("seed"));
  a.disable_shuffling = config.get_bool("disable_shuffling");
  a.learning_rate = config.get_float("learning_rate");
  a.lr_scheduler_type = config.get_string("lr_scheduler_type");
  a.warmup_ratio = config.get_float("warmup_ratio");
  a.warmup_steps = config.get_float("warmup_steps");
  read_optimizer(config, complaints, a);
  a.save_total_limit = config.find_int("save_total_limit").value_or(0);
  a.save_only_model = config.get_bool("save_only_model");
  a.do_eval = config.get_bool("do_eval");
  a.plot_loss = config.get_bool("plot_loss");
  check_batches(config, complaints);
  refuse_generation_keys(config, complaints);
  refuse_export_keys(config, complaints);
  read_precision(config, complaints, a);
  read_periods(config, complaints, a);
  a.do_eval = a.do_eval || a.evaluation.unit != Period::Unit::kNever;
  if (!a.do_train && !a.do_eval) {
    complaints.add("do_train",
                   "is false, and nothing else is asked for: set do_eval: true to evaluate the model as it is");
  }
  read_best_model_rules(config, complaints, a);
  complaints.throw_if_any();
  return a;
}

int64_t planned_updates(const TrainingArguments& arguments, int64_t updates_per_epoch) {
  if (arguments.max_steps > 0) return arguments.max_steps;
  return static_cast<int64_t>(std::ceil(arguments.num_train_epochs * static_cast<double>(updates_per_epoch)));
}

void resolve_step_ratios(TrainingArguments& arguments, const ResolvedConfig& config, int64_t total_updates) {
  for (Period* period : {&arguments.logging, &arguments.saving, &arguments.evaluation}) {
    if (period->unit != Period::Unit::kSteps || period->ratio == 0) continue;
    period->steps =
        std::max<int64_t>(1, static_cast<int64_t>(std::ceil(static_cast<double>(total_updates) * period->ratio)));
  }
  const Period& saving = arguments.saving;
  const Period& evaluation = arguments.evaluation;
  if (!arguments.load_best_model_at_end || saving.unit != Period::Unit::kSteps) return;
  if (saving.steps % evaluation.steps == 0) return;
  throw invalid_argument(
      "{}: load_best_model_at_end: needs save_steps to be a multiple of eval_steps, but of {} updates the ratios {} "
      "and "
      "{} are {} and {} (rounded up): write numbers of updates",
      config.origin("load_best_model_at_end"), total_updates, saving.ratio, evaluation.ratio, saving.steps,
      evaluation.steps);
}

}  // namespace ftrun
