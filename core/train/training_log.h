// What a run prints and appends to trainer_log.jsonl while it trains.
// Leaves out: trainer_state.json (trainer_state.h) and the bar (progress.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace ftrun {

/// {'loss': 1.2345, 'grad_norm': 0.8123, ...}: the line people know from the Hugging Face trainer. Numbers are rounded
/// to four significant decimals as there; `entry` keeps its key order.
std::string format_log_line(const nlohmann::ordered_json& entry);

/// One block of a log, in order: "***** Running training *****" and its lines.
struct Banner {
  int64_t num_examples = 0;
  double num_train_epochs = 0;
  int64_t per_device_batch = 0;
  int64_t global_batch = 0;
  int64_t accumulation = 0;
  int64_t total_steps = 0;
  int64_t trainable_parameters = 0;
};
std::string format_banner(const Banner& banner);

/// Appends JSON lines to OUTPUT_DIR/trainer_log.jsonl; a resumed run first drops lines beyond its step.
class TrainerLogFile {
 public:
  /// Keeps lines with current_steps < first_step and the first `known` ones of first_step; 0 keeps none. The file
  /// appears with its first line, so that a run which fails before its first step leaves nothing behind.
  TrainerLogFile(const std::filesystem::path& output_dir, int64_t first_step, int64_t known);
  void append(const nlohmann::ordered_json& line);

 private:
  std::filesystem::path path_;
};

}  // namespace ftrun
