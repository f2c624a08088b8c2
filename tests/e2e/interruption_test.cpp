// A run that is interrupted at any point between updates and then resumed leaves what the uninterrupted run leaves,
// byte for byte but for times: model, checkpoints that stay, history, log, best model, results, curves.
// Each run is a process of its own (a fork of this one), which stops itself by a real signal at the n-th event that the
// trainer tells its observer: SIGINT as Ctrl-C does, SIGKILL as a dying machine does.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/base/error.h"
#include "core/train/run.h"
#include "core/train/stop_request.h"
#include "core/train/trainer.h"
#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Keys = std::map<std::string, std::string>;

constexpr std::array kEventNames = {"kResumed",    "kUpdated",        "kLogged",        "kEvaluating", "kEvaluated",
                                    "kSaving",     "kSaved",          "kStepDone",      "kTrained",    "kTrainResults",
                                    "kModelSaved", "kResultMeasured", "kResultsWritten"};

std::string name_of(TrainingEvent event) { return kEventNames[static_cast<size_t>(event)]; }

struct Point {
  TrainingEvent event = TrainingEvent::kResumed;
  int64_t step = 0;
};

constexpr int kNever = -1;

/// Where and how a run is interrupted: at its n-th event.
struct Interruption {
  int index = kNever;
  int signal = 0;
};

void train_here(const std::string& config, const std::vector<std::string>& flags, const Interruption& interruption,
                const fs::path& events) {
  CommandContext context;
  context.config_file = config;
  context.override_arguments = flags;
  const RunSetup setup = prepare_setup(context);
  const StopRequestScope stop_scope;
  std::ofstream log(events);
  int count = 0;
  const int code = run_ranks(setup, [&](RankLink& link) {
    Run run(setup, link, claim_output(setup, link.communicator()));
    Trainer trainer(run);
    if (link.is_main()) {
      trainer.set_observer([&](TrainingEvent event, int64_t step) {
        log << static_cast<int>(event) << ' ' << step << std::endl;
        if (count++ == interruption.index) ::kill(::getpid(), interruption.signal);
      });
    }
    return trainer.train();
  });
  ::_exit(code);
}

struct Outcome {
  int exit_code = 0;  ///< 128 + signal when killed
  std::string err;
  std::vector<Point> events;
};

class Folder {
 public:
  explicit Folder(Keys keys) : keys_(std::move(keys)) {
    write_text(folder_ / "run.yaml", small_config(output(), keys_));
  }
  fs::path output() const { return folder_ / "out"; }
  fs::path operator/(const std::string& name) const { return folder_ / name; }

  Outcome run(const std::vector<std::string>& flags = {}, const Interruption& interruption = {}) const {
    const pid_t child = ::fork();
    if (child == 0) {
      const int err = ::open((folder_ / "err").c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
      ::dup2(err, STDERR_FILENO);
      ::dup2(err, STDOUT_FILENO);
      try {
        train_here((folder_ / "run.yaml").string(), flags, interruption, folder_ / "events");
      } catch (const Error& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        ::_exit(exit_code_of(error.code()));
      }
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    Outcome outcome;
    outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome.err = bytes_of(folder_ / "err");
    std::istringstream lines(bytes_of(folder_ / "events"));
    for (int event = 0, step = 0; lines >> event >> step;) {
      outcome.events.push_back({static_cast<TrainingEvent>(event), step});
    }
    return outcome;
  }

 private:
  TestFolder folder_;
  Keys keys_;
};

bool has_checkpoint(const fs::path& output) {
  if (!fs::is_directory(output)) return false;
  return std::any_of(fs::directory_iterator(output), {},
                     [](const auto& entry) { return entry.path().filename().string().starts_with("checkpoint-"); });
}

/// Without what two runs never have in common: times and what follows from them, and how much memory a process took.
void forget_times(json& value) {
  static const std::set<std::string> kTimes = {"train_runtime",
                                               "train_samples_per_second",
                                               "train_steps_per_second",
                                               "train_tokens_per_second",
                                               "train_step_seconds",
                                               "train_runtime_seconds",
                                               "eval_runtime",
                                               "eval_samples_per_second",
                                               "eval_steps_per_second",
                                               "peak_memory_bytes",
                                               "elapsed_time",
                                               "remaining_time",
                                               "throughput",
                                               "memory_allocated_gib",
                                               "memory_peak_gib"};
  if (value.is_object()) {
    for (const std::string& key : kTimes) value.erase(key);
    // Sizes and hashes of files are compared as the files themselves are.
    value.erase("files");
  }
  if (!value.is_structured()) return;
  for (json& item : value) forget_times(item);
}

std::string comparable(const fs::path& file) {
  const std::string bytes = bytes_of(file);
  if (file.extension() != ".json" && file.extension() != ".jsonl") return bytes;
  std::string text;
  if (file.extension() == ".json") {
    json value = json::parse(bytes);
    forget_times(value);
    return value.dump(1);
  }
  std::istringstream lines(bytes);
  for (std::string line; std::getline(lines, line);) {
    json value = json::parse(line);
    forget_times(value);
    text += value.dump() + "\n";
  }
  return text;
}

std::map<std::string, std::string> content_of(const fs::path& output) {
  std::map<std::string, std::string> content;
  for (const auto& entry : fs::recursive_directory_iterator(output)) {
    if (entry.is_regular_file()) {
      content[entry.path().lexically_relative(output).string()] = comparable(entry.path());
    }
  }
  return content;
}

std::string names_of(const std::map<std::string, std::string>& content) {
  std::string names;
  for (const auto& [name, bytes] : content) names += name + "\n";
  return names;
}

std::string first_other_line(const std::string& expected, const std::string& actual) {
  std::istringstream expected_lines(expected);
  std::istringstream actual_lines(actual);
  for (std::string a, b;
       std::getline(expected_lines, a), std::getline(actual_lines, b), expected_lines || actual_lines;) {
    if (a != b) return "expected '" + a + "', there is '" + b + "'";
  }
  return {};
}

/// Says what differs, "" when nothing does.
std::string difference(const std::map<std::string, std::string>& expected,
                       const std::map<std::string, std::string>& actual) {
  if (names_of(expected) != names_of(actual)) {
    return "other files: expected\n" + names_of(expected) + "there are\n" + names_of(actual);
  }
  for (const auto& [name, bytes] : expected) {
    if (actual.at(name) == bytes) continue;
    if (!name.ends_with(".json") && !name.ends_with(".jsonl")) return "other bytes in " + name;
    return name + ": " + first_other_line(bytes, actual.at(name));
  }
  return {};
}

/// Points tried and points whose outcome equals the uninterrupted run's, by event.
class Table {
 public:
  void add(const std::string& run, const std::string& how, TrainingEvent event, bool equal) {
    auto& cell = rows_[{run, how}][event];
    ++cell.first;
    cell.second += equal ? 1 : 0;
  }
  ~Table() {
    if (rows_.empty()) return;
    std::printf("| run | interrupted by |");
    for (const char* name : kEventNames) std::printf(" %s |", name);
    std::printf("\n");
    for (const auto& [row, cells] : rows_) {
      std::printf("| %s | %s |", row.first.c_str(), row.second.c_str());
      for (size_t i = 0; i < kEventNames.size(); ++i) {
        const auto cell = cells.find(static_cast<TrainingEvent>(i));
        if (cell == cells.end()) {
          std::printf(" - |");
        } else {
          std::printf(" %d of %d |", cell->second.second, cell->second.first);
        }
      }
      std::printf("\n");
    }
  }

 private:
  std::map<std::pair<std::string, std::string>, std::map<TrainingEvent, std::pair<int, int>>> rows_;
};

Table table;

struct Scenario {
  std::string name;
  Keys keys;
  std::vector<TrainingEvent> must_pass;  ///< or the scenario shows nothing
  bool is_exhaustive = false;            ///< every event is tried, not the first and the last of each kind only
};

class Interrupted : public testing::TestWithParam<Scenario> {
 protected:
  static Keys keys_of(const Scenario& scenario) {
    Keys keys = {{"model_name_or_path", FTRUN_SOURCE_DIR "/configs/demo/model"},
                 {"dataset_dir", FTRUN_SOURCE_DIR "/configs/demo"},
                 {"template_dir", FTRUN_SOURCE_DIR "/configs/templates"},
                 {"plugin_path", "[" FTRUN_BINARY_DIR "/lib/ftrun/plugins]"},
                 {"cutoff_len", "48"},
                 {"max_samples", "16"},
                 {"val_size", "4"},
                 {"per_device_train_batch_size", "1"},
                 {"per_device_eval_batch_size", "2"},
                 {"num_train_epochs", "2"},
                 {"learning_rate", "0.02"},
                 {"lr_scheduler_type", "constant"},
                 {"warmup_steps", ""},
                 {"threads", "1"},
                 {"plot_loss", "true"}};
    for (const auto& [key, value] : scenario.keys) keys[key] = value;
    return keys;
  }

  /// Interrupts a run at the first point and each run that goes on from it at the next; then lets one end.
  void interrupt_and_resume(const Folder& folder, const std::vector<Interruption>& interruptions,
                            const std::string& how, const Point& point) {
    SCOPED_TRACE(how + " at event " + std::to_string(interruptions.back().index) + ": " + name_of(point.event) +
                 " of step " + std::to_string(point.step));
    fs::remove_all(folder.output());
    std::string log;
    std::vector<std::string> flags;
    Outcome last;
    for (size_t attempt = 0; attempt <= interruptions.size(); ++attempt) {
      const Interruption interruption = attempt < interruptions.size() ? interruptions[attempt] : Interruption{};
      last = folder.run(flags, interruption);
      log += last.err + "-- exit code " + std::to_string(last.exit_code) + "\n";
      if (last.exit_code == 0) break;
      ASSERT_EQ(last.exit_code, interruption.signal == SIGKILL ? 128 + SIGKILL : 130) << log;
      const bool resumes = has_checkpoint(folder.output());
      EXPECT_TRUE(resumes || interruption.signal == SIGKILL) << "an exit with 130 promises a checkpoint";
      flags = resumes ? std::vector<std::string>{"--resume_from_checkpoint", "true"}
                      : std::vector<std::string>{"--overwrite_output_dir", "true"};
    }
    ASSERT_EQ(last.exit_code, 0) << log;
    const std::string different = difference(expected_, content_of(folder.output()));
    EXPECT_EQ(different, "") << log;
    table.add(GetParam().name, how, point.event, different.empty());
  }

  std::map<std::string, std::string> expected_;
};

std::set<int> tried_points(const std::vector<Point>& events, bool is_exhaustive) {
  std::set<int> indices;
  for (size_t i = 0; i < kEventNames.size(); ++i) {
    int last = kNever;
    for (int index = 0; index < static_cast<int>(events.size()); ++index) {
      if (events[static_cast<size_t>(index)].event != static_cast<TrainingEvent>(i)) continue;
      if (last == kNever || is_exhaustive) indices.insert(index);
      last = index;
    }
    if (last != kNever) indices.insert(last);
  }
  return indices;
}

TEST_P(Interrupted, LeavesWhatTheUninterruptedRunLeaves) {
  const Folder folder(keys_of(GetParam()));
  const Outcome whole = folder.run();
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  expected_ = content_of(folder.output());
  for (const TrainingEvent event : GetParam().must_pass) {
    EXPECT_TRUE(std::ranges::any_of(whole.events, [&](const Point& point) { return point.event == event; }))
        << name_of(event);
  }
  if (GetParam().keys.contains("early_stopping_steps")) {
    EXPECT_NE(whole.err.find("stopping early"), std::string::npos) << whole.err;
  }
  for (const int index : tried_points(whole.events, GetParam().is_exhaustive)) {
    for (const int signal : {SIGINT, SIGKILL}) {
      interrupt_and_resume(folder, {{index, signal}}, signal == SIGINT ? "SIGINT" : "SIGKILL",
                           whole.events[static_cast<size_t>(index)]);
      if (HasFatalFailure()) return;
    }
  }
}

class InterruptedTwice : public Interrupted {};

// Once in its first evaluation, then wherever the run that makes it up can be.
TEST_P(InterruptedTwice, LeavesWhatTheUninterruptedRunLeaves) {
  const Folder folder(keys_of(GetParam()));
  const Outcome whole = folder.run();
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  expected_ = content_of(folder.output());
  const auto first = std::ranges::find(whole.events, TrainingEvent::kEvaluating, &Point::event);
  ASSERT_NE(first, whole.events.end());
  const Interruption in_evaluation = {static_cast<int>(first - whole.events.begin()), SIGINT};
  fs::remove_all(folder.output());
  ASSERT_EQ(folder.run({}, in_evaluation).exit_code, 130);
  const Outcome resumed = folder.run({"--resume_from_checkpoint", "true"});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  ASSERT_EQ(resumed.events.front().event, TrainingEvent::kResumed);
  constexpr int kPoints = 8;
  for (const int signal : {SIGINT, SIGKILL}) {
    for (int index = 0; index < std::min(kPoints, static_cast<int>(resumed.events.size())); ++index) {
      interrupt_and_resume(
          folder, {in_evaluation, {index, signal}},
          signal == SIGINT ? "SIGINT in an evaluation, then SIGINT" : "SIGINT in an evaluation, then SIGKILL",
          resumed.events[static_cast<size_t>(index)]);
      if (HasFatalFailure()) return;
    }
  }
}

const Keys kBestByStepsKeys = {
    {"eval_strategy", "steps"}, {"eval_steps", "2"},    {"save_strategy", "steps"},        {"save_steps", "4"},
    {"save_total_limit", "1"},  {"logging_steps", "3"}, {"load_best_model_at_end", "true"}};

Keys with(Keys keys, const Keys& more) {
  for (const auto& [key, value] : more) keys[key] = value;
  return keys;
}

const Scenario kBestBySteps = {"best_by_steps",
                               with(kBestByStepsKeys, {{"num_train_epochs", "1"}}),
                               {TrainingEvent::kEvaluating, TrainingEvent::kSaved, TrainingEvent::kResultMeasured},
                               true};
const Scenario kBestByEpochs = {"best_by_epochs",
                                {{"eval_strategy", "epoch"},
                                 {"save_strategy", "epoch"},
                                 {"save_total_limit", "1"},
                                 {"num_train_epochs", "3"},
                                 {"load_best_model_at_end", "true"}},
                                {TrainingEvent::kEvaluating, TrainingEvent::kSaved}};
const Scenario kEarlyStopWithoutSaving = {
    "early_stop_without_saving",
    {{"eval_strategy", "steps"}, {"eval_steps", "2"}, {"early_stopping_steps", "1"}, {"learning_rate", "0.3"}},
    {TrainingEvent::kEvaluated}};
const Scenario kEarlyStopBySteps = {"early_stop_by_steps",
                                    {{"eval_strategy", "steps"},
                                     {"eval_steps", "3"},
                                     {"save_strategy", "steps"},
                                     {"save_steps", "2"},
                                     {"save_total_limit", "2"},
                                     {"early_stopping_steps", "1"},
                                     {"learning_rate", "0.3"}},
                                    {TrainingEvent::kSaved}};
const Scenario kEarlyStopWithinAnEpoch = {"early_stop_within_an_epoch",
                                          {{"eval_strategy", "steps"},
                                           {"eval_steps", "1"},
                                           {"save_strategy", "epoch"},
                                           {"save_total_limit", "1"},
                                           {"early_stopping_steps", "2"},
                                           {"learning_rate", "0.1"}},
                                          {TrainingEvent::kEvaluated}};
const Scenario kResultOnly = {"evaluation_of_the_result_only", {{"do_eval", "true"}}, {TrainingEvent::kResultMeasured}};
const Scenario kMeasuresOfTheParadigm = {"measures_of_the_paradigm",
                                         {{"do_eval", "true"}, {"eval_exact_match", "true"}, {"max_new_tokens", "4"}},
                                         {TrainingEvent::kResultMeasured, TrainingEvent::kSaved}};
const Scenario kBf16 = {"bf16_saved_narrow",
                        with(kBestByStepsKeys, {{"bf16", "true"}, {"save_dtype", "bfloat16"}}),
                        {TrainingEvent::kEvaluating}};

Scenario of_two_ranks(const std::string& strategy) {
  return {strategy + "_of_two",
          with(kBestByStepsKeys, {{"strategy", strategy}, {"nproc", "2"}, {"gradient_accumulation_steps", "1"}}),
          {TrainingEvent::kEvaluating}};
}

std::string name_of_scenario(const testing::TestParamInfo<Scenario>& parameter) { return parameter.param.name; }

INSTANTIATE_TEST_SUITE_P(Runs, Interrupted,
                         testing::Values(kBestBySteps, kBestByEpochs, kEarlyStopWithoutSaving, kEarlyStopBySteps,
                                         kEarlyStopWithinAnEpoch, kResultOnly, kMeasuresOfTheParadigm, kBf16,
                                         of_two_ranks("ddp"), of_two_ranks("zero3")),
                         name_of_scenario);
INSTANTIATE_TEST_SUITE_P(Runs, InterruptedTwice,
                         testing::Values(kBestBySteps, kEarlyStopBySteps, kMeasuresOfTheParadigm,
                                         of_two_ranks("zero3")),
                         name_of_scenario);

}  // namespace
}  // namespace ftrun::test
