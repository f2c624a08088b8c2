// One update after the other, as in DESIGN.md section 3 "One training step".
#include "core/train/trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/logging.h"
#include "core/data/replaced_tokenizer.h"
#include "core/io/checkpoint.h"
#include "core/io/disk_space.h"
#include "core/io/model_weights.h"
#include "core/train/base_models.h"
#include "core/train/best_metric.h"
#include "core/train/checkpoint_retention.h"
#include "core/train/checkpointing.h"
#include "core/train/evaluation.h"
#include "core/train/futile_run.h"
#include "core/train/history_plots.h"
#include "core/train/memory_estimate.h"
#include "core/train/rank_usage.h"
#include "core/train/rehearsal.h"
#include "core/train/results.h"
#include "core/train/stop_request.h"
#include "core/train/trained_parameters.h"
#include "core/train/update.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

Progress* active_progress = nullptr;

/// Stops the run when somebody puts it into output_dir; removed when it has.
constexpr const char* kStopFile = "stop";
/// A stop file that is younger was meant for this run, even while it was still loading.
const fs::file_time_type kProgramStart = fs::file_time_type::clock::now();

void prepare_paradigm(Run& run) {
  const ParadigmInstance& paradigm = run.paradigm();
  if (!paradigm.plugin().provides("prepare")) return;
  check_plugin(paradigm.table().prepare(paradigm.self(), run.context()), paradigm.plugin(), "prepare");
}

int64_t non_embedding_elements(const NetworkModel& model) {
  int64_t elements = 0;
  for (const ModelParameter& parameter : model.parameters()) {
    if (parameter.role != FTRUN_PARAMETER_EMBEDDING) elements += parameter.elements;
  }
  return elements;
}

}  // namespace

Trainer::Trainer(Run& run) : run_(run) {}

Trainer::~Trainer() {
  if (!run_.is_main()) return;
  set_log_line_hook(nullptr);
  active_progress = nullptr;
}

void Trainer::notify(TrainingEvent event) const {
  if (observer_) observer_(event, state_.global_step);
}

double Trainer::elapsed_seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

// Called once the first update is done, so that a run which does not get that far (out of memory) leaves nothing behind
// and an overwritten folder keeps its content.
void Trainer::open_output_dir(int64_t first_step) {
  if (log_file_ || !run_.is_main()) return;
  const fs::path& folder = run_.arguments().output_dir;
  fs::create_directories(folder);
  if (!run_.claim().lock && !output_lock_) {
    // Another run may have made the folder since this one began.
    output_lock_ = lock_output_dir(run_.arguments(), run_.setup().config());
    require_usable_output_dir(run_.arguments(), run_.setup().config());
  }
  remove_leftover_temporaries(folder);
  for (const Checkpoint& damaged : run_.claim().damaged) {
    log_warning("the damaged '{}' is now '{}'", damaged.path.string(), set_aside(damaged, "damaged").string());
  }
  if (run_.claim().resume_from) {
    // Of the way that the run took the last time: they must neither count as newer nor be resumed from.
    for (const Checkpoint& later : list_checkpoints(folder)) {
      if (later.step <= first_step) continue;
      log_warning("'{}' was made after step {}, from which this run goes on anew: it is now '{}'", later.path.string(),
                  first_step, set_aside(later, "superseded").string());
    }
  } else {
    for (const Checkpoint& stale : list_checkpoints(folder)) remove_checkpoint(stale);
    for (const char* name : {"all_results.json", "train_results.json", "eval_results.json", "trainer_state.json"}) {
      fs::remove(folder / name);
    }
  }
  // A line of that step which the state does not know was written by what came to nothing.
  const auto known = std::ranges::count_if(state_.log_history, [&](const nlohmann::json& entry) {
    return entry.value("step", int64_t{0}) == first_step && (entry.contains("loss") || entry.contains("eval_loss"));
  });
  log_file_ = std::make_unique<TrainerLogFile>(folder, first_step, known);
}

void Trainer::start() {
  const TrainingArguments& a = run_.arguments();
  const ftrun_paradigm_plan& plan = run_.plan();
  if (run_.claim().resume_from) {
    state_ = restore_checkpoint(run_, *run_.claim().resume_from);
    state_.arguments = nlohmann::json::object();  // of the run that made it; a checkpoint of this one says its own
    find_best();
    recall_evaluation();
    const bool is_own = fs::weakly_canonical(*run_.claim().resume_from) ==
                        fs::weakly_canonical(a.output_dir / fmt::format("checkpoint-{}", state_.global_step));
    if (run_.link().agree(is_own)) {
      saved_ = {state_.global_step, purpose_of(*run_.claim().resume_from), true};
    }
  }
  state_.base_models = base_models(run_);
  if (run_.is_main()) require_disk_for_run(run_, state_.global_step);
  state_.max_steps = planned_updates(a, plan.updates_per_epoch);
  length_ = run_length(plan.num_examples, run_.world() * a.per_device_train_batch_size, a.gradient_accumulation_steps,
                       plan.updates_per_epoch, state_.max_steps);
  state_.epoch = epochs_after(state_.global_step, length_);
  state_.updates_per_epoch = plan.updates_per_epoch;
  state_.num_train_epochs =
      a.max_steps > 0 ? std::ceil(static_cast<double>(a.max_steps) / static_cast<double>(plan.updates_per_epoch))
                      : a.num_train_epochs;
  state_.logging_steps = a.logging.steps;
  state_.eval_steps = a.evaluation.steps;
  state_.save_steps = a.saving.steps;
  state_.train_batch_size = a.per_device_train_batch_size;
  state_.global_batch = global_batch(run_);
  state_.seed = a.seed;
  if (run_.opened_data() != nullptr) state_.data_fingerprint = data_fingerprint(*run_.opened_data());
  ScheduleArguments schedule;
  schedule.learning_rate = a.learning_rate;
  schedule.total_steps = state_.max_steps;
  schedule.warmup_steps = warmup_updates(a.warmup_steps, a.warmup_ratio, state_.max_steps);
  schedule.min_lr = a.min_lr;
  schedule_ = make_schedule(a.lr_scheduler_type, schedule);
  log_info("{}", format_banner({plan.num_examples, state_.num_train_epochs, a.per_device_train_batch_size,
                                state_.global_batch, a.gradient_accumulation_steps, state_.max_steps,
                                trained_elements(run_.model(), run_.trained())}));
  show_progress();
  if (plan.eval_updates > 0 && !evaluates_at_end() && !run_.setup().config().is_given("do_eval")) {
    log_warning("the {} examples for evaluation are not used: set do_eval: true or eval_strategy", plan.eval_examples);
  }
  for (const std::string& line : futile_schedule(run_.setup().config(), a, state_.max_steps)) log_warning("{}", line);
  started_ = std::chrono::steady_clock::now();
}

void Trainer::show_progress() {
  progress_ = std::make_unique<Progress>("", state_.max_steps, state_.global_step);
  if (!run_.is_main()) return;
  active_progress = progress_.get();
  set_log_line_hook([] {
    if (active_progress != nullptr) active_progress->clear();
  });
}

int Trainer::evaluate_only() {
  prepare_paradigm(run_);
  show_progress();
  started_ = std::chrono::steady_clock::now();
  summary_["output_dir"] = run_.arguments().output_dir.string();
  try {
    nlohmann::json measures = evaluate();
    add_paradigm_measures(run_, FTRUN_EVALUATION_FINAL, measures);
    measures.erase("epoch");
    if (run_.is_main()) {
      fs::create_directories(run_.arguments().output_dir);
      write_results(run_.arguments().output_dir, "eval", measures);
    }
    summary_["eval"] = measures;
  } catch (const Error& error) {
    if (error.code() != FTRUN_CANCELLED) throw;
    log_warning("stopped: nothing was written");
    summary_["interrupted"] = true;
    return exit_code_of(FTRUN_CANCELLED);
  }
  return 0;
}

int Trainer::train() {
  require_measured_metric(run_);
  // Before other weights are loaded: a strategy's collectives move nothing during a rehearsal.
  rehearse_longest_micro_batch(run_);
  prepare_paradigm(run_);
  start();
  const int64_t first_step = state_.global_step;
  try {
    forget_earlier_stop();
    catch_up();
    train_to_end();
    return stop_agreed() ? finish_interrupted() : finish();
  } catch (const Error& error) {
    // A stop was asked for in the middle of an evaluation.
    if (error.code() == FTRUN_CANCELLED) return finish_interrupted();
    // What worked for an update and then does not is no mistake in the settings.
    if (state_.global_step == first_step || exit_code_of(error.code()) != 2) throw;
    throw Error(FTRUN_DATA_LOSS, error.what());
  }
}

void Trainer::forget_earlier_stop() {
  const fs::path file = run_.arguments().output_dir / kStopFile;
  if (!run_.is_main() || !fs::is_regular_file(file) || fs::last_write_time(file) > kProgramStart) return;
  fs::remove(file);
  log_warning("'{}' was there before this run began and is removed: to stop this run, make it again", file.string());
}

void Trainer::train_to_end() {
  bool first = true;
  while (state_.global_step < state_.max_steps && !stop_early_ && !stop_agreed()) {
    if (first) run_.communicator().reset_traffic();
    const StepResult result = train_step();
    if (first) report_usage();
    first = false;
    after_step(result);
  }
}

// Of the first update: memory has reached its height then, and every full update moves as much.
void Trainer::report_usage() {
  OpenedDevices& devices = run_.link().devices();
  const auto usages =
      all_rank_usages(run_.communicator(), rank_usage(devices.device(), devices.host_device(), run_.communicator()));
  summary_["ranks"] = usage_json(usages);
  if (run_.schedule()) summary_["announced"] = schedule_json(*run_.schedule());
  if (run_.world() > 1) log_info("{}", usage_text(usages, run_.schedule()));
}

// Any rank may have been asked, or a file was put into the output folder; all stop at the same step.
bool Trainer::stop_agreed() {
  const bool file_asks = run_.is_main() && fs::is_regular_file(run_.arguments().output_dir / kStopFile);
  double asked = stop_requested() || file_asks ? 1 : 0;
  run_.communicator().sum_host(std::span(&asked, 1));
  return asked > 0;
}

Trainer::StepResult Trainer::train_step() {
  const PhaseTimer whole(phases_.total);
  run_.communicator().set_step(state_.global_step + 1);
  run_.services().metrics.clear();
  const int64_t epoch = state_.global_step / state_.updates_per_epoch;
  std::optional<PhaseTimer> timer(phases_.data);
  const UpdateScope scope(run_, FTRUN_SPLIT_TRAIN, epoch, state_.global_step % state_.updates_per_epoch);
  timer.reset();
  const ftrun_update& update = scope.update();
  const Denominators denominators = scope.denominators(run_);
  require_positive(run_, denominators, state_.global_step + 1);
  StepResult result;
  result.learning_rate = schedule_(state_.global_step);
  for (int32_t index = 0; index < update.n_micro_batches; ++index) {
    const double forward_before = phases_.forward;
    timer.emplace(phases_.backward);
    const Tensor loss = run_.rank().train_micro_batch(index, update.n_micro_batches, [&] {
      const PhaseTimer forward(phases_.forward);
      return paradigm_loss(run_, update, index, denominators.data());
    });
    result.loss += value_of(run_, loss);
    timer.reset();
    phases_.backward -= phases_.forward - forward_before;
  }
  result.metrics = take_metrics(run_);
  result.metrics_weight = denominators[0];
  std::array totals = {result.loss, static_cast<double>(update.num_input_tokens)};
  run_.communicator().sum_host(totals);
  result.loss = totals[0];
  result.input_tokens = static_cast<int64_t>(totals[1]);
  timer.emplace(phases_.optimizer);
  result.grad_norm = run_.rank().finish_grads();
  require_finite(result, update, denominators.data());
  const double limit = run_.arguments().max_grad_norm;
  const double scale = limit > 0 ? std::min(1.0, limit / (result.grad_norm + 1e-6)) : 1.0;
  run_.rank().step(scale, result.learning_rate);
  timer.reset();
  return result;
}

void Trainer::require_finite(const StepResult& result, const ftrun_update& update, const double* denominators) {
  if (std::isfinite(result.loss) && std::isfinite(result.grad_norm)) return;
  ftrun_context& context = run_.rank().context();
  context.check_finite = true;
  for (int32_t index = 0; index < update.n_micro_batches; ++index) {
    run_.rank().train_micro_batch(index, update.n_micro_batches,
                                  [&] { return paradigm_loss(run_, update, index, denominators); });
  }
  const std::vector<std::string> first_ops = run_.communicator().all_gather_text(context.first_nonfinite_op);
  const auto first = std::ranges::find_if(first_ops, [](const std::string& op) { return !op.empty(); });
  throw io_error(
      "step {}: loss is {} and grad_norm is {}; the first op with a result that is not finite: {}. No weight was "
      "changed by this step; lower learning_rate or look at the data of this update with `ftrun data`",
      state_.global_step + 1, result.loss, result.grad_norm,
      first == first_ops.end() ? "none when run again"
                               : fmt::format("{} on rank {}", *first, first - first_ops.begin()));
}

void Trainer::after_step(const StepResult& result) {
  notify(TrainingEvent::kUpdated);
  open_output_dir(state_.global_step);
  ++state_.global_step;
  saved_.is_current = false;
  state_.epoch = epochs_after(state_.global_step, length_);
  const int64_t in_epoch = state_.global_step % state_.updates_per_epoch;
  state_.items_consumed = state_.global_step / state_.updates_per_epoch * run_.plan().num_examples +
                          std::min(in_epoch * state_.global_batch, run_.plan().num_examples);
  state_.num_input_tokens_seen += result.input_tokens;
  tokens_since_log_ += result.input_tokens;
  state_.total_flos +=
      6.0 * static_cast<double>(result.input_tokens) * static_cast<double>(non_embedding_elements(run_.model()));
  state_.loss_total += result.loss;
  state_.loss_since_log += result.loss;
  ++state_.updates_since_log;
  state_.metrics_since_log.add(result.metrics, result.metrics_weight);
  progress_->advance_to(state_.global_step);
  if (due_now().log) log_step(result);
  warn_of_no_gradient(result);
  notify(TrainingEvent::kLogged);
  conclude_step();
  notify(TrainingEvent::kStepDone);
}

void Trainer::warn_of_no_gradient(const StepResult& result) {
  const std::string line = futile_update(state_.global_step, result.loss, result.grad_norm, run_.setup().config());
  if (line.empty() || warned_of_no_gradient_) return;
  warned_of_no_gradient_ = true;
  log_warning("{}", line);
}

// A log that cannot be written is no reason to lose the run.
void Trainer::append_log(const nlohmann::ordered_json& line) {
  if (!log_file_ || log_failed_) return;
  try {
    log_file_->append(line);
  } catch (const Error& error) {
    log_failed_ = true;
    log_warning("{}: the run goes on without trainer_log.jsonl", error.what());
  }
}

void Trainer::log_step(const StepResult& result) {
  const double seconds = elapsed_seconds();
  const double interval = std::max(seconds - last_log_seconds_, 1e-9);
  const ftrun_memory_stats memory = run_.device().memory_stats();
  nlohmann::ordered_json entry;
  entry["loss"] = state_.loss_since_log / static_cast<double>(state_.updates_since_log);
  entry["grad_norm"] = result.grad_norm;
  entry["learning_rate"] = result.learning_rate;
  const std::map<std::string, double> metrics = state_.metrics_since_log.take();
  for (const auto& [name, mean] : metrics) entry[name] = mean;
  entry["epoch"] = state_.epoch;
  nlohmann::json history = entry;
  history["step"] = state_.global_step;
  state_.log_history.push_back(history);
  nlohmann::ordered_json printed = entry;
  printed["epoch"] = std::round(state_.epoch * 100) / 100;
  printed["tokens_per_second"] = std::round(static_cast<double>(tokens_since_log_) / interval);
  printed["memory_gib"] = in_gib(memory.peak_allocated_bytes);
  log_info("{}", format_log_line(printed));
  nlohmann::ordered_json line = {
      {"current_steps", state_.global_step},
      {"total_steps", state_.max_steps},
      {"loss", entry["loss"]},
      {"lr", result.learning_rate},
      {"epoch", state_.epoch},
      {"percentage", 100.0 * static_cast<double>(state_.global_step) / static_cast<double>(state_.max_steps)},
      {"elapsed_time", format_duration(seconds)},
      {"remaining_time", format_duration(progress_->remaining_seconds())},
      {"throughput", static_cast<double>(tokens_since_log_) / interval},
      {"total_tokens", state_.num_input_tokens_seen},
      {"memory_allocated_gib", in_gib(memory.allocated_bytes)},
      {"memory_peak_gib", in_gib(memory.peak_allocated_bytes)}};
  line.update(metrics);
  append_log(line);
  state_.loss_since_log = 0;
  state_.updates_since_log = 0;
  tokens_since_log_ = 0;
  last_log_seconds_ = seconds;
}

nlohmann::json Trainer::evaluate() {
  if (last_evaluated_step_ == state_.global_step) return last_measures_;
  progress_->clear();
  const double begin = elapsed_seconds();
  const std::map<std::string, double> measured = evaluate_loss(run_, [this] {
    notify(TrainingEvent::kEvaluating);
    if (stop_agreed()) throw Error(FTRUN_CANCELLED, "a stop was asked for during an evaluation");
  });
  nlohmann::json measures = measured;
  const double seconds = std::max(elapsed_seconds() - begin, 1e-9);
  measures["eval_runtime"] = seconds;
  measures["eval_samples_per_second"] = static_cast<double>(run_.plan().eval_examples) / seconds;
  measures["eval_steps_per_second"] = static_cast<double>(run_.plan().eval_updates) / seconds;
  measures["epoch"] = state_.epoch;
  nlohmann::json history = measures;
  history["step"] = state_.global_step;
  state_.log_history.push_back(history);
  nlohmann::ordered_json printed = {{"eval_loss", measures["eval_loss"]}};
  printed.update(measured);
  printed["eval_runtime"] = measures["eval_runtime"];
  printed["epoch"] = std::round(state_.epoch * 100) / 100;
  log_info("{}", format_log_line(printed));
  nlohmann::ordered_json line = {{"current_steps", state_.global_step}, {"total_steps", state_.max_steps}};
  line.update(measured);
  line["epoch"] = state_.epoch;
  line["elapsed_time"] = format_duration(elapsed_seconds());
  append_log(line);
  last_evaluated_step_ = state_.global_step;
  last_measures_ = measures;
  saved_.is_current = false;
  notify(TrainingEvent::kEvaluated);
  return measures;
}

void Trainer::judge(const nlohmann::json& measures) {
  const TrainingArguments& a = run_.arguments();
  if (!a.load_best_model_at_end && a.early_stopping_steps == 0) return;
  if (!enter_evaluation(state_, measures.at(a.metric_for_best_model), a.greater_is_better)) return;
  // The Hugging Face trainer saves at save_steps only and then ends with the last weights when the best were not saved.
  if (a.load_best_model_at_end) save(due_now().save ? CheckpointPurpose::kPeriodic : CheckpointPurpose::kBest);
}

DueWork Trainer::due_now() const { return due_after(state_.global_step, length_, run_.arguments()); }

bool Trainer::owes_evaluation() const {
  return due_now().evaluate && run_.plan().eval_updates > 0 && last_evaluated_step_ != state_.global_step;
}

void Trainer::stop_without_gain() {
  if (!is_stopped_early(state_, run_.arguments())) return;
  log_info("stopping early: {} has not become better for {} evaluations (early_stopping_steps)",
           run_.arguments().metric_for_best_model, state_.evaluations_without_gain);
  stop_early_ = true;
}

// All that follows an update but its log line.
void Trainer::conclude_step() {
  if (owes_evaluation()) judge(evaluate());
  stop_without_gain();
  const bool is_last_of_steps = stop_early_ && run_.arguments().saving.unit == Period::Unit::kSteps;
  if (due_now().save || is_last_of_steps) save(CheckpointPurpose::kPeriodic);
}

// What the interrupted run owed after its last update: its checkpoint may be without an evaluation that was due, and
// then it is not the one that save_strategy asks for.
void Trainer::catch_up() {
  if (!run_.claim().resume_from) return;
  notify(TrainingEvent::kResumed);
  const bool is_makeshift =
      saved_.step == state_.global_step && due_now().save && saved_.purpose < CheckpointPurpose::kPeriodic;
  if (!owes_evaluation() && !is_makeshift) return stop_without_gain();
  if (owes_evaluation()) log_info("step {}: its evaluation was due and is not in the checkpoint", state_.global_step);
  open_output_dir(state_.global_step);
  conclude_step();
}

// The evaluation of the last update, where the checkpoint has it.
void Trainer::recall_evaluation() {
  for (const auto& entry : state_.log_history) {
    if (entry.value("step", int64_t{-1}) != state_.global_step || !entry.contains("eval_loss")) continue;
    last_evaluated_step_ = state_.global_step;
    last_measures_ = entry;
    last_measures_.erase("step");
  }
}

// The folder may have been moved or entered from elsewhere since its path was written down. A best that is gone is
// looked for anew by the next evaluation.
void Trainer::find_best() {
  if (state_.best_model_checkpoint.empty()) return;
  const fs::path former = state_.best_model_checkpoint;
  std::string found;
  for (const fs::path& folder :
       {run_.arguments().output_dir, run_.claim().resume_from->parent_path(), former.parent_path()}) {
    const bool is_there = found.empty() && fs::is_directory(folder / former.filename());
    if (is_there) found = (folder / former.filename()).string();
  }
  state_.best_model_checkpoint = run_.communicator().all_gather_text(found).front();
  if (!state_.best_model_checkpoint.empty()) return;
  log_warning("the best checkpoint so far, '{}', is gone: the best is looked for anew from step {} on", former.string(),
              state_.global_step);
  state_.best_metric.reset();
  state_.best_global_step = 0;
  state_.evaluations_without_gain = 0;
}

void Trainer::save(CheckpointPurpose purpose) {
  if (saved_.step == state_.global_step) {
    if (saved_.is_current && saved_.purpose >= purpose) return;
    purpose = std::max(purpose, saved_.purpose);
  }
  const TrainingArguments& a = run_.arguments();
  const bool stays = purpose != CheckpointPurpose::kStop;
  if (stays && state_.best_global_step == state_.global_step && state_.best_metric) {
    state_.best_model_checkpoint = (a.output_dir / fmt::format("checkpoint-{}", state_.global_step)).string();
  }
  notify(TrainingEvent::kSaving);
  TrainerState saved = state_;
  saved.train_runtime_seconds += elapsed_seconds();
  const fs::path folder = save_checkpoint(run_, saved, purpose);
  saved_ = {state_.global_step, purpose, true};
  log_info("saved '{}'", folder.string());
  notify(TrainingEvent::kSaved);
  // What an interruption leaves takes no place within the limit: the run goes on without it.
  if (run_.is_main()) {
    remove_superseded_checkpoints(a.output_dir,
                                  {state_.global_step, state_.best_model_checkpoint, stays ? a.save_total_limit : 0});
  }
}

int Trainer::finish_interrupted() {
  progress_->clear();
  open_output_dir(state_.global_step);
  save(CheckpointPurpose::kStop);
  if (run_.is_main()) fs::remove(run_.arguments().output_dir / kStopFile);
  log_warning("stopped at step {} of {}: {}", state_.global_step, state_.max_steps,
              run_.arguments().save_only_model
                  ? "with save_only_model the checkpoint has no optimizer state and cannot be continued from"
                  : "continue with --resume_from_checkpoint true");
  summary_["interrupted"] = true;
  summary_["global_step"] = state_.global_step;
  summary_["output_dir"] = run_.arguments().output_dir.string();
  return exit_code_of(FTRUN_CANCELLED);
}

void Trainer::write_train_results() {
  const double seconds = state_.train_runtime_seconds + elapsed_seconds();
  const auto steps = static_cast<double>(std::max<int64_t>(state_.global_step, 1));
  nlohmann::json results;
  results["train_loss"] = state_.loss_total / steps;
  results["train_runtime"] = seconds;
  results["train_samples_per_second"] = static_cast<double>(state_.items_consumed) / seconds;
  results["train_steps_per_second"] = steps / seconds;
  results["train_tokens_per_second"] = static_cast<double>(state_.num_input_tokens_seen) / seconds;
  results["total_flos"] = state_.total_flos;
  results["epoch"] = state_.epoch;
  const ftrun_memory_stats memory = run_.device().memory_stats();
  results["peak_memory_bytes"] = memory.peak_allocated_bytes;
  nlohmann::ordered_json printed = {{"train_runtime", seconds},
                                    {"train_samples_per_second", results["train_samples_per_second"]},
                                    {"train_steps_per_second", results["train_steps_per_second"]},
                                    {"train_loss", results["train_loss"]},
                                    {"epoch", std::round(state_.epoch * 100) / 100}};
  nlohmann::json history = results;
  history["step"] = state_.global_step;
  state_.log_history.push_back(history);
  log_info("{}", format_log_line(printed));
  results["train_step_seconds"] = to_json(phases_);
  if (run_.is_main()) write_results(run_.arguments().output_dir, "train", results);
  summary_["train"] = results;
}

void Trainer::measure_initial(nlohmann::json& measures) {
  if (!paradigm_measures(run_.paradigm(), FTRUN_EVALUATION_INITIAL)) return;
  weights_are_last_ = false;
  run_.rank().load_values(run_.trained_role(), *run_.initial_weights());
  add_paradigm_measures(run_, FTRUN_EVALUATION_INITIAL, measures);
}

// As in LLaMA-Factory, do_eval decides; measures that the paradigm was asked for need no second key.
bool Trainer::evaluates_at_end() const {
  if (run_.plan().eval_updates == 0) return false;
  return run_.arguments().do_eval || paradigm_measures(run_.paradigm(), FTRUN_EVALUATION_FINAL);
}

void Trainer::load_best() {
  const TrainingArguments& a = run_.arguments();
  if (!a.load_best_model_at_end) return;
  if (run_.link().agree(fs::is_directory(state_.best_model_checkpoint))) {
    log_info("loading the best model from '{}' ({} = {})", state_.best_model_checkpoint, a.metric_for_best_model,
             *state_.best_metric);
    load_weights(run_, state_.best_model_checkpoint);
    weights_are_last_ = false;
    last_evaluated_step_ = -1;
    return;
  }
  log_warning("load_best_model_at_end: {}: the last weights are saved as the result",
              state_.best_model_checkpoint.empty() ? std::string("no evaluation had a finite result")
                                                   : fmt::format("'{}' is gone", state_.best_model_checkpoint));
  state_.best_model_checkpoint.clear();
}

void Trainer::write_state() const {
  if (run_.is_main()) write_file_atomically(run_.arguments().output_dir / "trainer_state.json", to_json_text(state_));
}

void Trainer::evaluate_result() {
  if (!evaluates_at_end()) return;
  nlohmann::json measures = evaluate();
  add_paradigm_measures(run_, FTRUN_EVALUATION_FINAL, measures);
  measure_initial(measures);
  notify(TrainingEvent::kResultMeasured);
  if (run_.is_main()) write_results(run_.arguments().output_dir, "eval", measures);
  summary_["eval"] = measures;
  notify(TrainingEvent::kResultsWritten);
}

// The interrupted evaluation of the result is owed: the checkpoint that makes it up is of the state before any result.
int Trainer::finish_unevaluated(TrainerState after_last_update, const SavedCheckpoint& saved) {
  state_ = std::move(after_last_update);
  saved_ = saved;
  const bool has_checkpoint = saved_.step == state_.global_step && saved_.is_current;
  if (!has_checkpoint && weights_are_last_) save(CheckpointPurpose::kStop);
  if (run_.is_main()) fs::remove(run_.arguments().output_dir / kStopFile);
  const bool resumes = (has_checkpoint || weights_are_last_) && !run_.arguments().save_only_model;
  log_warning("stopped: the model is trained and saved, its evaluation is not made: {}",
              resumes ? "make it with --resume_from_checkpoint true" : "make it with --do_train false");
  summary_["interrupted"] = true;
  return exit_code_of(FTRUN_CANCELLED);
}

// The measure of the initial weights takes the place of the trained ones, so that its interruption could save them no
// more.
void Trainer::save_before_other_weights() {
  if (saved_.step == state_.global_step || run_.arguments().save_only_model || !evaluates_at_end()) return;
  if (!paradigm_measures(run_.paradigm(), FTRUN_EVALUATION_INITIAL)) return;
  const SaveBytes bytes = save_bytes(run_);
  const uint64_t available = run_.is_main() ? available_disk_bytes(run_.arguments().output_dir) : 0;
  if (run_.link().agree(available / 2 > bytes.checkpoint + bytes.model)) save(CheckpointPurpose::kStop);
}

int Trainer::finish() {
  const TrainingArguments& a = run_.arguments();
  notify(TrainingEvent::kTrained);
  open_output_dir(state_.global_step);
  save_before_other_weights();
  const TrainerState after_last_update = state_;
  const SavedCheckpoint saved = saved_;
  write_train_results();
  notify(TrainingEvent::kTrainResults);
  load_best();
  save_model_folder(run_, a.output_dir);
  log_info("saved the model in '{}'", a.output_dir.string());
  if (run_.is_main()) warn_of_replaced_tokenizer(*run_.setup().tokenizer, a.output_dir);
  summary_["output_dir"] = a.output_dir.string();
  summary_["global_step"] = state_.global_step;
  write_state();
  notify(TrainingEvent::kModelSaved);
  try {
    evaluate_result();
  } catch (const Error& error) {
    if (error.code() != FTRUN_CANCELLED) throw;
    return finish_unevaluated(after_last_update, saved);
  }
  write_state();
  if (!run_.is_main()) return 0;
  if (a.plot_loss) write_history_plots(a.output_dir, state_.log_history);
  const bool saves = a.saving.unit != Period::Unit::kNever;
  remove_superseded_checkpoints(a.output_dir, {-1, state_.best_model_checkpoint, saves ? a.save_total_limit : 0});
  return 0;
}

}  // namespace ftrun
