// The training loop: updates, logging, evaluation, checkpoints, stopping, results.
// Leaves out: what is learned (paradigm), how it is distributed (strategy), formats of what is written (training_log.h,
// ...).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "core/train/progress.h"
#include "core/train/run.h"
#include "core/train/schedule.h"
#include "core/train/step_phases.h"
#include "core/train/trainer_state.h"
#include "core/train/training_log.h"

namespace ftrun {

/// One rank of a training run from its first (or resumed) update to its result files, which the main rank writes. All
/// ranks make the same decisions in the same order. [rank-thread]
class Trainer {
 public:
  explicit Trainer(Run& run);
  ~Trainer();

  /// Trains to the end or until a stop is asked for. Returns the process's exit code: 0, or 130 after a stop was asked
  /// for and a checkpoint was written. Throws DATA_LOSS naming step and first op when numbers stop being finite.
  int train();

  /// Evaluates the model as it is, with the paradigm's own measures: logs them and writes eval_results.json, nothing
  /// else. Returns 0, or 130 after a stop was asked for.
  int evaluate_only();

  /// Called after every update with the number of updates done, when nothing of it is in use any more. Before train.
  void set_on_step(std::function<void(int64_t step)> on_step) { on_step_ = std::move(on_step); }

  /// Everything measured, for --json: train_results, eval_results, output_dir, steps.
  const nlohmann::json& summary() const noexcept { return summary_; }

 private:
  struct StepResult {
    double loss = 0;
    double grad_norm = 0;
    double learning_rate = 0;
    int64_t input_tokens = 0;
    std::map<std::string, double> metrics;  ///< of the paradigm
    double metrics_weight = 0;
  };

  void start();
  void show_progress();
  void open_output_dir(int64_t first_step);
  void forget_earlier_stop();
  void train_to_end();
  bool stop_agreed();
  void report_usage();
  StepResult train_step();
  void require_finite(const StepResult& result, const ftrun_update& update, const double* denominators);
  void after_step(const StepResult& result);
  void append_log(const nlohmann::ordered_json& line);
  void log_step(const StepResult& result);
  nlohmann::json evaluate();
  std::map<std::string, double> evaluate_loss();
  bool evaluates_at_end() const;
  void judge(const nlohmann::json& measures);
  void keep_best(int64_t step_before);
  void find_best();
  void save();
  int finish_interrupted();
  int finish();
  void load_best();
  void evaluate_result();
  void write_state() const;
  void measure_initial(nlohmann::json& measures);
  void write_train_results();
  void plot() const;
  double elapsed_seconds() const;

  Run& run_;
  TrainerState state_;
  Schedule schedule_;
  std::optional<FolderLock> output_lock_;  // taken here when output_dir did not exist at first
  std::unique_ptr<TrainerLogFile> log_file_;
  std::unique_ptr<Progress> progress_;
  std::chrono::steady_clock::time_point started_;
  StepPhases phases_;
  double last_log_seconds_ = 0;
  int64_t tokens_since_log_ = 0;
  int64_t last_saved_step_ = -1;
  int64_t last_evaluated_step_ = -1;
  nlohmann::json last_measures_;
  bool stop_early_ = false;
  bool log_failed_ = false;
  nlohmann::json summary_;
  std::function<void(int64_t)> on_step_;
};

}  // namespace ftrun
