// The main rank writes the model as the others hand it over; every rank writes its part of the optimizer's state, with
// exact weights where the model file is narrower.
#include "core/train/checkpointing.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/logging.h"
#include "core/collectives/communicator.h"
#include "core/config/option_api.h"
#include "core/io/checkpoint.h"
#include "core/io/convert.h"
#include "core/io/disk_space.h"
#include "core/model/weight_source.h"
#include "core/train/base_models.h"
#include "core/train/model_saving.h"
#include "core/train/optimizer_shards.h"
#include "core/train/trained_parameters.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

constexpr const char* kStateFile = "trainer_state.json";
// Does the model file hold the trained values exactly?
bool saved_exactly(const Run& run, StoredDtype saved) {
  if (saved == StoredDtype::kF32 || saved == StoredDtype::kF64) return true;
  const Precision precision = run.precision();
  return saved == StoredDtype::kBF16 && precision.compute == FTRUN_BF16 && !precision.master_weights;
}

// States that a checkpoint beside a model file of dtype `saved` has.
std::vector<std::string> state_names(const Run& run, StoredDtype saved) {
  std::vector<std::string> names;
  for (const auto& name : run.optimizer().state_names()) names.emplace_back(name);
  if (!saved_exactly(run, saved)) names.emplace_back(kMasterState);
  return names;
}

void read_optimizer(Run& run, const OptimizerShards& shards) {
  std::vector<float> values;
  for (const OptimizerPiece& piece : run.rank().optimizer_pieces()) {
    values.resize(static_cast<size_t>(piece.end - piece.begin));
    shards.read(piece.state, run.model().parameter(piece.parameter).name, piece.begin, values);
    piece.write(*run.context(), values);
  }
}

/// Exact weights: what was trained from the checkpoint, the rest as the run began with it.
class ResumedWeights : public WeightSource {
 public:
  ResumedWeights(const Run& run, const OptimizerShards& shards)
      : run_(run),
        frozen_(run.initial_weights()),
        trained_([&shards](const ModelParameter& parameter, int64_t begin, std::span<float> values) {
          shards.read(kMasterState, parameter.name, begin, values);
        }) {}

  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override {
    const bool trained = run_.trained()[static_cast<size_t>(run_.model().find(parameter.name))];
    (trained ? static_cast<WeightSource&>(trained_) : *frozen_).fill(ctx, parameter, begin, end, destination);
  }

 private:
  const Run& run_;
  std::unique_ptr<WeightSource> frozen_;
  HostWeights trained_;
};

// Settings that make a run what it is. Those that other checks cover (seed, data) are not among them.
constexpr std::array kRecordedKeys = {
    "stage",
    "learning_rate",
    "lr_scheduler_type",
    "lr_scheduler_kwargs.min_lr",
    "lr_scheduler_kwargs.min_lr_rate",
    "warmup_ratio",
    "warmup_steps",
    "num_train_epochs",
    "max_steps",
    "optim",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "max_grad_norm",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "bf16",
    "pure_bf16",
    "save_dtype",
    "logging_steps",
    "eval_strategy",
    "eval_steps",
    "save_strategy",
    "save_steps",
    "load_best_model_at_end",
    "metric_for_best_model",
    "greater_is_better",
    "early_stopping_steps",
    "finetuning_type",
    "freeze_trainable_layers",
    "freeze_trainable_modules",
    "freeze_extra_modules",
    "lora_rank",
    "lora_alpha",
    "lora_dropout",
    "lora_target",
    "additional_target",
    "use_rslora",
    "use_dora",
    "loraplus_lr_ratio",
    "pissa_init",
    "pissa_iter",
};

nlohmann::json recorded_value(const OptionValue& value) {
  if (!value.is_set) return nullptr;
  if (value.type == FTRUN_OPTION_BOOL) return value.as_bool;
  if (value.type == FTRUN_OPTION_INT) return value.as_int;
  if (value.type == FTRUN_OPTION_FLOAT) return value.as_float;
  return value_text(value);
}

nlohmann::json recorded_arguments(const Run& run) {
  nlohmann::json arguments = nlohmann::json::object();
  for (const char* key : kRecordedKeys) arguments[key] = recorded_value(*run.setup().config().host().find(key));
  for (const auto& [key, value] : run.setup().plugins->paradigm.options->own->entries()) {
    arguments[key] = recorded_value(value);
  }
  return arguments;
}

/// What `arguments` say of `key`; lora_alpha has a default that follows lora_rank.
nlohmann::json effective_value(const nlohmann::json& arguments, const std::string& key) {
  const nlohmann::json value = arguments.value(key, nlohmann::json());
  if (key != "lora_alpha" || !value.is_null() || !arguments.contains("lora_rank")) return value;
  return 2 * arguments.at("lora_rank").get<double>();
}

std::string text_of_recorded(const nlohmann::json& value) {
  if (value.is_null()) return "(unset)";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// The Hugging Face trainer warns likewise (compare_trainer_and_checkpoint_args); what is written now wins.
void warn_of_changes(const Run& run, const TrainerState& state) {
  const nlohmann::json now = recorded_arguments(run);
  std::vector<std::string> changes;
  for (const auto& [key, value] : now.items()) {
    const auto before = state.arguments.find(key);
    if (before == state.arguments.end() || *before == value) continue;
    if (effective_value(state.arguments, key) == effective_value(now, key)) continue;
    changes.push_back(fmt::format("{}: {} -> {}", key, text_of_recorded(*before), text_of_recorded(value)));
  }
  if (!changes.empty()) {
    log_warning("resuming with other settings than the checkpoint was made with: {}", fmt::join(changes, ", "));
  }
}

/// How weights of the checkpoint that `file` lies in are used by a new run.
const char* key_of_weights(const fs::path& file) {
  return fs::exists(file.parent_path() / "adapter_config.json") ? "adapter_name_or_path" : "model_name_or_path";
}

/// Keys that describe an adapter.
constexpr std::string_view kAdapterKeys[] = {"lora_rank",         "lora_alpha", "lora_target",
                                             "additional_target", "use_rslora", "use_dora"};

// The optimizer's state is that of the precision it was made in and of the parameters that were trained.
void check_same_state(const Run& run, const TrainerState& state, const fs::path& file) {
  const OptionValues& values = run.setup().config().host();
  const nlohmann::json arguments = recorded_arguments(run);
  for (const char* key : {"stage", "bf16", "pure_bf16", "finetuning_type", "freeze_trainable_layers",
                          "freeze_trainable_modules", "freeze_extra_modules", "lora_rank", "lora_alpha", "lora_target",
                          "additional_target", "use_rslora", "use_dora", "pissa_init", "pissa_iter"}) {
    const auto before = state.arguments.find(key);
    const nlohmann::json now = recorded_value(*values.find(key));
    if (before == state.arguments.end() || *before == now) continue;
    if (effective_value(state.arguments, key) == effective_value(arguments, key)) continue;
    // What is written beside an adapter whose training goes on has been held to that adapter.
    if (run.adapters().continued && std::ranges::find(kAdapterKeys, key) != std::end(kAdapterKeys)) continue;
    throw invalid_argument(
        "{}: {}: is {}, and '{}' is of a run with {}: {}: restore it, or start again from the checkpoint's weights "
        "with {}",
        values.origin(key), key, text_of_recorded(now), file.string(), key, text_of_recorded(*before),
        key_of_weights(file));
  }
}

// What does not fit the disk or may not be written once updates were made is a failure of the run, not of its settings.
template <typename Body>
auto while_running(Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw exit_code_of(error.code()) == 2 ? Error(FTRUN_DATA_LOSS, error.what()) : error;
  }
}

// Checkpoints that the updates after `first_step` add to the disk at most at one time.
int64_t expected_checkpoints(const Run& run, int64_t first_step) {
  const TrainingArguments& a = run.arguments();
  const int64_t total = planned_updates(a, run.plan().updates_per_epoch);
  if (a.saving.unit == Period::Unit::kNever || total <= first_step) return 0;
  const int64_t period = a.saving.unit == Period::Unit::kEpoch ? run.plan().updates_per_epoch : a.saving.steps;
  // The last update is saved too.
  const int64_t end = (total - 1) / period + 1;
  // The best evaluation is kept too, wherever it was.
  const int64_t count = end - first_step / period + (a.load_best_model_at_end ? 1 : 0);
  if (a.save_total_limit <= 0) return count;
  // The newest is written before the oldest goes, and the best one stays.
  const int64_t most = std::max<int64_t>(a.save_total_limit, a.load_best_model_at_end ? 2 : 1) + 1;
  const auto present = run.claim().resume_from ? static_cast<int64_t>(list_checkpoints(a.output_dir).size()) : 0;
  return std::min(count, std::max<int64_t>(most - present, 1));
}

// Bytes of the checkpoints that a run which starts anew removes from its folder.
uint64_t reclaimed_bytes(const Run& run) {
  uint64_t bytes = 0;
  if (run.claim().resume_from) return bytes;
  for (const Checkpoint& stale : list_checkpoints(run.arguments().output_dir)) {
    for (const auto& item : fs::recursive_directory_iterator(stale.path)) {
      if (item.is_regular_file()) bytes += item.file_size();
    }
  }
  return bytes;
}

void check_same_batch(const Run& run, const TrainerState& state, const fs::path& file) {
  const TrainingArguments& a = run.arguments();
  const int64_t batch = global_batch(run);
  if (state.global_batch == batch) return;
  const int64_t micro_batch = run.world() * a.per_device_train_batch_size;
  throw invalid_argument(
      "{}: the run was made with {} rows per update, this one has {} ({}per_device_train_batch_size {} x "
      "gradient_accumulation_steps {}): {}",
      file.string(), state.global_batch, batch, run.world() > 1 ? fmt::format("{} ranks x ", run.world()) : "",
      a.per_device_train_batch_size, a.gradient_accumulation_steps,
      state.global_batch % micro_batch == 0
          ? fmt::format("set gradient_accumulation_steps: {}", state.global_batch / micro_batch)
      : state.global_batch % run.world() != 0
          ? fmt::format("choose a number of ranks that divides {}", state.global_batch)
          : fmt::format("choose per_device_train_batch_size so that {} divides {}",
                        run.world() > 1 ? fmt::format("{} times it", run.world()) : "it", state.global_batch));
}

void check_same_run(Run& run, const TrainerState& state, const fs::path& file) {
  const TrainingArguments& a = run.arguments();
  check_same_state(run, state, file);
  check_same_bases(run, state.base_models, file.parent_path());
  check_same_batch(run, state, file);
  if (state.seed != a.seed)
    throw invalid_argument("{}: seed is {}, the run was made with {}", file.string(), a.seed, state.seed);
  if (run.opened_data() != nullptr && state.data_fingerprint != data_fingerprint(*run.opened_data())) {
    throw invalid_argument(
        "{}: the training data (or how it is encoded, or disable_shuffling) is not what this run was made "
        "with, so its position means nothing; restore it, or start again from the checkpoint's weights with {}",
        file.string(), key_of_weights(file));
  }
}

}  // namespace

int64_t global_batch(const Run& run) {
  const TrainingArguments& a = run.arguments();
  return run.world() * a.per_device_train_batch_size * a.gradient_accumulation_steps;
}

void save_model_folder(Run& run, const fs::path& folder) {
  while_running([&] { save_model(run, folder); });
}

SaveBytes save_bytes(const Run& run) {
  SaveBytes bytes;
  bytes.model = saved_model_bytes(run);
  bytes.checkpoint = bytes.model;
  if (run.arguments().save_only_model) return bytes;
  bytes.checkpoint +=
      optimizer_state_bytes(trained_elements(run.model(), run.trained()), run.optimizer().state_names().size(),
                            !saved_exactly(run, trained_file_dtype(run)));
  return bytes;
}

fs::path save_checkpoint(Run& run, const TrainerState& state, CheckpointPurpose purpose) {
  return while_running([&] {
    std::optional<CheckpointWriter> writer;
    if (run.is_main())
      writer.emplace(run.arguments().output_dir, state.global_step, save_bytes(run).checkpoint, purpose);
    Communicator& communicator = run.rank().communicator();
    const fs::path folder = communicator.all_gather_text(writer ? writer->folder().string() : std::string()).front();
    if (!fs::is_directory(folder)) {
      throw io_error("'{}' is not visible on this machine: output_dir must be on a file system that all ranks share",
                     folder.string());
    }
    save_model_folder(run, folder);
    if (!run.arguments().save_only_model) {
      write_optimizer_shard(run.rank(), run.trained_role(), folder, !saved_exactly(run, trained_file_dtype(run)));
    }
    // The set is complete once every rank has flushed its file.
    communicator.barrier("saving a checkpoint");
    fs::path saved_at = run.arguments().output_dir / fmt::format("checkpoint-{}", state.global_step);
    if (writer) {
      TrainerState saved = state;
      saved.arguments = recorded_arguments(run);
      write_file_atomically(folder / kStateFile, to_json_text(saved));
      saved_at = writer->commit();
    }
    communicator.barrier("saving a checkpoint");
    return saved_at;
  });
}

void require_disk_for_run(Run& run, int64_t first_step) {
  const SaveBytes bytes = save_bytes(run);
  const auto count = static_cast<uint64_t>(expected_checkpoints(run, first_step));
  const fs::path& folder = run.arguments().output_dir;
  const uint64_t available = available_disk_bytes(folder) + reclaimed_bytes(run);
  const std::string parts = count == 0 ? "the final model"
                                       : fmt::format("{} of {} and the final model of {}",
                                                     count == 1 ? "1 checkpoint" : fmt::format("{} checkpoints", count),
                                                     bytes_text(bytes.checkpoint), bytes_text(bytes.model));
  uint64_t needed = 0;
  const bool overflows =
      __builtin_mul_overflow(count, bytes.checkpoint, &needed) || __builtin_add_overflow(needed, bytes.model, &needed);
  if (overflows || needed > available) {
    throw resource_exhausted(
        "{}: output_dir: not enough disk: '{}' has {} available, the estimate for {} is {}: choose another "
        "output_dir{}",
        run.setup().config().origin("output_dir"), folder.string(), bytes_text(available), parts,
        overflows ? "more than there can be" : bytes_text(needed),
        count > 0 ? ", or set save_total_limit or a larger save_steps" : "");
  }
  log_info("estimated disk use: {}, {} in all ({} available)", parts, bytes_text(needed), bytes_text(available));
}

void load_weights(Run& run, const fs::path& folder) {
  run.rank().load_values(run.trained_role(), *weights_of_saved(run, folder));
}

TrainerState restore_checkpoint(Run& run, const fs::path& checkpoint) {
  const fs::path file = checkpoint / kStateFile;
  TrainerState state = parse_trainer_state(read_file(file), file);
  check_same_run(run, state, file);
  warn_of_changes(run, state);
  const StoredDtype saved = dtype_of_saved(run, checkpoint);
  const OptimizerShards shards(checkpoint, run.model(), run.trained(), state_names(run, saved));
  if (saved_exactly(run, saved)) {
    load_weights(run, checkpoint);
  } else {
    ResumedWeights source(run, shards);
    run.rank().load_values(run.trained_role(), source);
  }
  read_optimizer(run, shards);
  run.rank().set_steps(state.global_step);
  log_info("resuming from '{}' at step {}", checkpoint.string(), state.global_step);
  return state;
}

}  // namespace ftrun
