// The training loop: updates, logging, evaluation, checkpoints, stopping, results.
// Leaves out: what is learned (paradigm), how it is distributed (strategy), formats of what is written (training_log.h,
// ...).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "core/io/checkpoint.h"
#include "core/train/progress.h"
#include "core/train/run.h"
#include "core/train/schedule.h"
#include "core/train/step_phases.h"
#include "core/train/step_position.h"
#include "core/train/trainer_state.h"
#include "core/train/training_event.h"
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

  /// Before train. When `kStepDone` comes, nothing of the update is in use any more.
  void set_observer(TrainingObserver observer) { observer_ = std::move(observer); }

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

  /// The checkpoint of output_dir that this run wrote or was resumed from last.
  struct SavedCheckpoint {
    int64_t step = -1;
    CheckpointPurpose purpose = CheckpointPurpose::kStop;
    bool is_current = false;  ///< nothing has been added to the state since
  };

  void notify(TrainingEvent event) const;
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
  void warn_of_no_gradient(const StepResult& result);
  void append_log(const nlohmann::ordered_json& line);
  void log_step(const StepResult& result);
  nlohmann::json evaluate();
  bool evaluates_at_end() const;
  void judge(const nlohmann::json& measures);
  DueWork due_now() const;
  bool owes_evaluation() const;
  void stop_without_gain();
  void conclude_step();
  void catch_up();
  void recall_evaluation();
  void find_best();
  void save(CheckpointPurpose purpose);
  int finish_interrupted();
  int finish_unevaluated(TrainerState after_last_update, const SavedCheckpoint& saved);
  void save_before_other_weights();
  int finish();
  void load_best();
  void evaluate_result();
  void write_state() const;
  void measure_initial(nlohmann::json& measures);
  void write_train_results();
  double elapsed_seconds() const;

  Run& run_;
  TrainerState state_;
  RunLength length_;
  Schedule schedule_;
  std::optional<FolderLock> output_lock_;  // taken here when output_dir did not exist at first
  std::unique_ptr<TrainerLogFile> log_file_;
  std::unique_ptr<Progress> progress_;
  std::chrono::steady_clock::time_point started_;
  StepPhases phases_;
  double last_log_seconds_ = 0;
  int64_t tokens_since_log_ = 0;
  SavedCheckpoint saved_;
  int64_t last_evaluated_step_ = -1;
  nlohmann::json last_measures_;
  bool weights_are_last_ = true;  // neither the best nor the initial ones have taken their place
  bool stop_early_ = false;
  bool log_failed_ = false;
  bool warned_of_no_gradient_ = false;
  nlohmann::json summary_;
  TrainingObserver observer_;
};

}  // namespace ftrun
