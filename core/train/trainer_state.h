// What a run knows about itself between steps: position, history, best model. Saved as trainer_state.json.
// Leaves out: weights, optimizer state (core/io/state_file.h) and the printed log (training_log.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/train/metric_means.h"

namespace ftrun {

/// Names and meaning of the keys are the Hugging Face trainer's; what only ftrun needs stands under
/// "stateful_callbacks.ftrun".
struct TrainerState {
  int64_t global_step = 0;
  int64_t max_steps = 0;
  double num_train_epochs = 0;
  double epoch = 0;
  int64_t logging_steps = 0;
  int64_t eval_steps = 0;
  int64_t save_steps = 0;
  int64_t train_batch_size = 0;
  int64_t num_input_tokens_seen = 0;
  double total_flos = 0;
  std::optional<double> best_metric;
  int64_t best_global_step = 0;
  std::string best_model_checkpoint;  ///< path, empty when none
  nlohmann::json log_history = nlohmann::json::array();

  // ftrun's own
  int64_t items_consumed = 0;  ///< data position: rows of finished updates, over all epochs
  int64_t updates_per_epoch = 0;
  int64_t global_batch = 0;  ///< rows per update
  double loss_total = 0;     ///< sum of the losses of all updates, for train_loss
  double loss_since_log = 0;
  int64_t updates_since_log = 0;
  MetricMeans metrics_since_log;     ///< what the paradigm measured
  double train_runtime_seconds = 0;  ///< of earlier parts of a resumed run
  int64_t evaluations_without_gain = 0;
  uint64_t seed = 0;
  uint64_t data_fingerprint = 0;  ///< of the encoded rows
  nlohmann::json arguments =
      nlohmann::json::object();  ///< settings by key as the run resolved them; empty: not recorded
  nlohmann::json base_models = nlohmann::json::object();  ///< see base_models.h; empty: not recorded
};

/// JSON text, indented by 2. Numbers keep all digits.
std::string to_json_text(const TrainerState& state);

/// Throws INVALID_ARGUMENT naming `file` and the key for a state that is malformed or not ftrun's.
TrainerState parse_trainer_state(const std::string& text, const std::filesystem::path& file);

}  // namespace ftrun
