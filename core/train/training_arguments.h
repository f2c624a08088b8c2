// The host's training keys as one struct, with the combinations that make no sense refused.
// Leaves out: keys of plugins, data keys (data_service.h), loading and parsing (core/config).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace ftrun {

class ResolvedConfig;

/// When something periodic happens.
struct Period {
  enum class Unit { kNever, kSteps, kEpoch };
  Unit unit = Unit::kNever;
  int64_t steps = 0;  ///< with kSteps, >= 1; 0 as long as only the ratio is known
  double ratio = 0;   ///< with kSteps, above 0 and below 1: of all updates of the run; 0: `steps` was given

  /// Is it due after update `step` (1-based), when `ends_epoch` says whether that update ends an epoch?
  bool is_due(int64_t step, bool ends_epoch) const noexcept {
    return unit == Unit::kEpoch ? ends_epoch : unit == Unit::kSteps && step % steps == 0;
  }
};

/// Names are the configuration keys'.
struct TrainingArguments {
  std::filesystem::path model_name_or_path;
  std::filesystem::path tokenizer_name_or_path;  ///< model_name_or_path unless given
  bool train_from_scratch = false;
  std::string save_dtype = "auto";
  std::filesystem::path output_dir;
  bool overwrite_output_dir = false;
  std::optional<std::string> resume_from_checkpoint;  ///< "true" or a path; unset or "false": none

  int64_t per_device_train_batch_size = 8;
  int64_t per_device_eval_batch_size = 8;
  int64_t gradient_accumulation_steps = 1;
  double num_train_epochs = 3;
  int64_t max_steps = -1;
  uint64_t seed = 42;
  bool disable_shuffling = false;

  double learning_rate = 5e-5;
  std::string lr_scheduler_type = "linear";
  double min_lr = 0;
  double warmup_ratio = 0;
  double warmup_steps = 0;
  double max_grad_norm = 1;
  std::string optim = "adamw_torch";
  double weight_decay = 0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;

  bool bf16 = false;
  bool pure_bf16 = false;
  bool gradient_checkpointing = true;
  bool offload_activations = false;  ///< only with gradient_checkpointing

  Period logging;
  bool logging_first_step = false;
  Period saving;
  Period evaluation;
  bool do_train = true;          ///< false: the model is evaluated as it is, and nothing else
  bool do_eval = false;          ///< evaluate after training; always true when `evaluation` happens at all
  int64_t save_total_limit = 0;  ///< 0: no limit
  bool save_only_model = false;
  bool load_best_model_at_end = false;
  std::string metric_for_best_model = "eval_loss";
  bool greater_is_better = false;
  int64_t early_stopping_steps = 0;  ///< evaluations without gain; 0: off
  bool plot_loss = false;
};

/// Throws one INVALID_ARGUMENT listing every combination of keys that cannot be honoured, with origins.
TrainingArguments read_training_arguments(const ResolvedConfig& config);

/// Updates of the whole run: max_steps, or as many as the epochs have.
int64_t planned_updates(const TrainingArguments& arguments, int64_t updates_per_epoch);

/// Turns ratios of logging, saving and evaluation into steps: ratio times all updates, rounded up, as the Hugging Face
/// trainer does. Throws INVALID_ARGUMENT when load_best_model_at_end then evaluates at other updates than it saves.
void resolve_step_ratios(TrainingArguments& arguments, const ResolvedConfig& config, int64_t total_updates);

}  // namespace ftrun
