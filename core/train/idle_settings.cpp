// One function per topic; each looks only at keys that were given.
#include "core/train/idle_settings.h"

#include <fmt/format.h>

#include <initializer_list>

#include "core/config/resolve.h"

namespace ftrun {
namespace {

constexpr const char* kNoTurns = "plain text has no turns";

class IdleLines {
 public:
  explicit IdleLines(const ResolvedConfig& config) : config_(config) {}
  void add(std::initializer_list<const char*> keys, const std::string& reason) {
    for (const char* key : keys) {
      if (!config_.is_given(key)) continue;
      lines_.push_back(fmt::format("{}: {}: has no effect: {}", config_.origin(key), key, reason));
    }
  }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  const ResolvedConfig& config_;
  std::vector<std::string> lines_;
};

void add_evaluation(const ResolvedConfig& config, const TrainingArguments& a, const IdleContext& context,
                    IdleLines& lines) {
  if (!a.load_best_model_at_end && a.early_stopping_steps == 0) {
    lines.add({"metric_for_best_model", "greater_is_better"},
              "neither load_best_model_at_end nor early_stopping_steps is set");
  }
  if (a.evaluation.unit != Period::Unit::kSteps) {
    lines.add({"eval_steps"}, fmt::format("eval_strategy is '{}'", config.get_string("eval_strategy")));
  }
  if (!context.has_evaluation_data) {
    lines.add({"per_device_eval_batch_size"}, "there is no evaluation data (eval_dataset or val_size)");
  }
}

void add_saving(const ResolvedConfig& config, const TrainingArguments& a, IdleLines& lines) {
  const std::string reason = fmt::format("save_strategy is '{}'", config.get_string("save_strategy"));
  if (a.saving.unit != Period::Unit::kSteps) lines.add({"save_steps"}, reason);
  if (a.saving.unit == Period::Unit::kNever) lines.add({"save_total_limit", "save_only_model"}, reason);
}

void add_schedule(const ResolvedConfig& config, const TrainingArguments& a, IdleLines& lines) {
  if (a.lr_scheduler_type == "constant") {
    const std::string reason = "lr_scheduler_type is 'constant'; 'constant_with_warmup' warms up";
    if (a.warmup_ratio > 0) lines.add({"warmup_ratio"}, reason);
    if (a.warmup_steps > 0) lines.add({"warmup_steps"}, reason);
  } else if (a.warmup_steps > 0 && a.warmup_ratio > 0) {
    lines.add({"warmup_ratio"}, fmt::format("warmup_steps ({}) wins over it", config.origin("warmup_steps")));
  }
  if (a.max_steps > 0) {
    lines.add({"num_train_epochs"}, fmt::format("max_steps ({}) wins over it", config.origin("max_steps")));
  }
}

}  // namespace

std::vector<std::string> idle_settings(const ResolvedConfig& config, const TrainingArguments& arguments,
                                       const IdleContext& context) {
  IdleLines lines(config);
  add_evaluation(config, arguments, context, lines);
  add_saving(config, arguments, lines);
  add_schedule(config, arguments, lines);
  if (!context.has_turns) {
    if (!context.template_ends_texts) lines.add({"template"}, kNoTurns);
    lines.add({"default_system", "enable_thinking", "preserve_thinking"}, kNoTurns);
  } else if (!context.template_reasons) {
    lines.add({"enable_thinking", "preserve_thinking"}, "the template does not write thoughts");
  }
  if (config.get_string("flash_attn") != "auto") {
    lines.add({"flash_attn"}, "attention is always the memory-saving one");
  }
  lines.add({"infer_dtype"}, "it is for 'predict' and 'chat'");
  return lines.take();
}

}  // namespace ftrun
