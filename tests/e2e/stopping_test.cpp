// What ends a run before its time: signals, full disks, memory, a folder that is taken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/io/safetensors.h"
#include "tests/e2e/program.h"
#include "tests/e2e/training_state.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

TEST(Stopping, TerminateFinishesTheStepSavesAndResumesExactly) {
  const TestFolder folder;
  const std::map<std::string, std::string> keys = {{"num_train_epochs", "20"}};
  const fs::path config = write_text(folder / "run.yaml", small_config(folder / "run", keys));
  const ProgramResult stopped = run_ftrun_and({"--config", config.string()}, [&](pid_t child) {
    for (int i = 0; i < 600 && bytes_of(folder / "run/trainer_log.jsonl").empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ::kill(child, SIGTERM);
  });
  ASSERT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("--resume_from_checkpoint true"));
  const ProgramResult resumed = run_ftrun({"--config", config.string(), "--resume_from_checkpoint", "true"});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  ASSERT_EQ(run_small(folder, "whole", keys).exit_code, 0);
  EXPECT_EQ(bytes_of(folder / "whole/model.safetensors"), bytes_of(folder / "run/model.safetensors"));
}

TEST(Stopping, KillWhileSavingLeavesOnlyCompleteCheckpoints) {
  const TestFolder folder;
  const std::map<std::string, std::string> keys = {
      {"num_train_epochs", "4"}, {"save_strategy", "steps"}, {"save_steps", "1"}, {"save_total_limit", "2"}};
  const fs::path config = write_text(folder / "run.yaml", small_config(folder / "run", keys));
  int completed = 0;
  for (int attempt = 0; attempt < 6; ++attempt) {
    const bool resumable = completed > 0;
    run_ftrun_and(resumable ? std::vector<std::string>{"--config", config.string(), "--resume_from_checkpoint", "true"}
                            : std::vector<std::string>{"--config", config.string(), "--overwrite_output_dir", "true"},
                  [&](pid_t child) {
                    std::this_thread::sleep_for(std::chrono::milliseconds(700 + 137 * attempt));
                    ::kill(child, SIGKILL);
                  });
    completed = 0;
    if (!fs::exists(folder / "run")) continue;
    for (const auto& entry : fs::directory_iterator(folder / "run")) {
      if (entry.path().filename().string().rfind("checkpoint-", 0) != 0) continue;
      EXPECT_NO_THROW(SafetensorsFile(entry.path() / "model.safetensors"));
      EXPECT_NO_THROW(SafetensorsFile(entry.path() / "optimizer-00000.safetensors"));
      EXPECT_NO_THROW(read_json(entry.path() / "trainer_state.json"));
      ++completed;
    }
  }
  EXPECT_GT(completed, 0) << "no attempt lived long enough to save: the test showed nothing";
}

TEST(OutputFolder, IsOfOneRunAtATime) {
  const TestFolder folder;
  const fs::path config =
      write_text(folder / "run.yaml",
                 small_config(folder / "run", {{"num_train_epochs", "200"}, {"overwrite_output_dir", "true"}}));
  const auto kill_after_first_log = [&](const std::function<void()>& meanwhile) {
    return run_ftrun_and({"--config", config.string()}, [&](pid_t child) {
      for (int i = 0; i < 600 && bytes_of(folder / "run/trainer_log.jsonl").empty(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      meanwhile();
      ::kill(child, SIGKILL);
    });
  };
  kill_after_first_log([&] {
    const ProgramResult second = run_ftrun({"--config", config.string(), "--max_steps", "1"});
    EXPECT_EQ(second.exit_code, 2) << second.err;
    EXPECT_THAT(second.err, HasSubstr("run.yaml:"));
    EXPECT_THAT(second.err, HasSubstr("is in use by another run that is still alive"));
    EXPECT_FALSE(fs::exists(folder / "run/model.safetensors"));
  });
  const ProgramResult after = run_ftrun({"--config", config.string(), "--max_steps", "1"});
  EXPECT_EQ(after.exit_code, 0) << "a killed run gives the folder back: " << after.err;
}

TEST(Disk, FullWhileRunningIsAFailureOfTheRun) {
  const TestFolder folder;
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);  // inherited: writes fail with EFBIG instead
  rlimit small = before;
  small.rlim_cur = 1'000'000;
  ::setrlimit(RLIMIT_FSIZE, &small);
  const ProgramResult result = run_small(folder, "run", {{"save_strategy", "steps"}, {"save_steps", "5"}});
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.err, HasSubstr("error: cannot write '"));
  EXPECT_THAT(result.err, HasSubstr("model.safetensors"));
  EXPECT_FALSE(fs::exists(folder / "run/checkpoint-5"));
}

TEST(Disk, TheWholeRunIsEstimatedBeforeItBegins) {
  const TestFolder folder;
  const auto estimate = [&](const std::map<std::string, std::string>& changes) {
    auto keys = changes;
    keys["save_strategy"] = "steps";
    keys["overwrite_output_dir"] = "true";
    const ProgramResult result = run_small(folder, "run", keys);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.err;
  };
  EXPECT_THAT(estimate({{"save_steps", "5"}}), HasSubstr("estimated disk use: 3 checkpoints of "));
  EXPECT_THAT(estimate({{"save_steps", "1"}, {"save_total_limit", "2"}}),
              HasSubstr("estimated disk use: 3 checkpoints of "));
  const ProgramResult full =
      run_small(folder, "full", {{"max_steps", "900000000000"}, {"save_strategy", "steps"}, {"save_steps", "1"}});
  EXPECT_EQ(full.exit_code, 2) << full.err;
  EXPECT_THAT(full.err, HasSubstr("output_dir: not enough disk"));
  EXPECT_THAT(full.err, HasSubstr("900000000000 checkpoints of "));
  EXPECT_THAT(full.err, HasSubstr("the estimate for"));
  EXPECT_FALSE(fs::exists(folder / "full"));
}

TEST(Stopping, AHangUpThatWasIgnoredAtStartStaysIgnored) {
  const TestFolder folder;
  const fs::path config = write_text(folder / "run.yaml", small_config(folder / "run", {{"max_steps", "60"}}));
  const auto former = ::signal(SIGHUP, SIG_IGN);
  const ProgramResult result = run_ftrun_and({"--config", config.string()}, [&](pid_t child) {
    for (int i = 0; i < 600 && bytes_of(folder / "run/trainer_log.jsonl").empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ::kill(child, SIGHUP);
  });
  ::signal(SIGHUP, former);
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST(Stopping, AnEvaluationIsDroppedAndTheRunResumesExactly) {
  const TestFolder folder;
  const std::map<std::string, std::string> keys = {{"max_steps", "3"},         {"eval_dataset", "demo_train"},
                                                   {"max_samples", "2000"},    {"per_device_eval_batch_size", "1"},
                                                   {"eval_strategy", "steps"}, {"eval_steps", "2"}};
  const fs::path config = write_text(folder / "run.yaml", small_config(folder / "run", keys));
  const ProgramResult stopped = run_ftrun_and({"--config", config.string()}, [&](pid_t child) {
    const auto steps = [&] {
      const std::string log = bytes_of(folder / "run/trainer_log.jsonl");
      return std::count(log.begin(), log.end(), '\n');
    };
    for (int i = 0; i < 600 && steps() < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ::kill(child, SIGTERM);
  });
  EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_TRUE(fs::is_directory(folder / "run/checkpoint-2"));
  EXPECT_TRUE(logged_in(folder / "run/checkpoint-2/trainer_state.json", "eval_loss").empty()) << "it had ended";
}

TEST(Failures, OutOfMemoryAfterAnUpdateIsAFailureWhileRunning) {
  const TestFolder folder;
  bool any = false;
  for (const char* allocation : {"900", "1300", "2000", "3000"}) {
    const ProgramResult result =
        run_small(folder, std::string("run") + allocation,
                  {{"device", std::string("{name: npu_a2, fail_allocation: ") + allocation + "}"}, {"max_steps", "6"}});
    const bool updated = fs::exists(folder / (std::string("run") + allocation) / "trainer_log.jsonl");
    any = any || updated;
    if (result.exit_code == 0) continue;
    EXPECT_EQ(result.exit_code, updated ? 1 : 2) << allocation << result.err;
  }
  EXPECT_TRUE(any) << "no run came as far as an update";
}

}  // namespace
}  // namespace ftrun::test
