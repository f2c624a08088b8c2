// Training runs as a user starts them: outputs, determinism, resuming, stopping, devices, precision.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/io/safetensors.h"
#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

json read_json(const fs::path& file) { return json::parse(bytes_of(file)); }

std::vector<double> logged(const fs::path& output_dir, const char* key) {
  std::vector<double> values;
  const json state = read_json(output_dir / "trainer_state.json");
  for (const json& entry : state.at("log_history")) {
    if (entry.contains(key)) values.push_back(entry.at(key));
  }
  return values;
}

TEST(Training, LeavesEverythingItPromises) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run",
                                         {{"val_size", "16"},
                                          {"eval_strategy", "steps"},
                                          {"eval_steps", "4"},
                                          {"save_strategy", "steps"},
                                          {"save_steps", "4"},
                                          {"plot_loss", "true"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* name :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors",
        "trainer_state.json", "trainer_log.jsonl", "train_results.json", "eval_results.json", "all_results.json",
        "training_loss.svg", "checkpoint-4/model.safetensors", "checkpoint-4/optimizer.safetensors",
        "checkpoint-4/trainer_state.json"}) {
    EXPECT_TRUE(fs::exists(folder / "run" / name)) << name;
  }
  const std::vector<double> losses = logged(folder / "run", "loss");
  ASSERT_EQ(losses.size(), 10U);
  EXPECT_LT(losses.back(), losses.front());
  EXPECT_EQ(logged(folder / "run", "learning_rate").front(), 0.0) << "warm-up starts at 0";
  const json evaluation = read_json(folder / "run/eval_results.json");
  EXPECT_NEAR(std::log(evaluation.at("eval_perplexity").get<double>()), evaluation.at("eval_loss").get<double>(), 1e-9);
  EXPECT_THAT(result.err, HasSubstr("***** Running training *****"));
  EXPECT_THAT(result.err, HasSubstr("{'loss': "));
}

TEST(Training, SameBitsForOneAndTwoThreads) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "one", {{"threads", "1"}}).exit_code, 0);
  ASSERT_EQ(run_small(folder, "two", {{"threads", "2"}}).exit_code, 0);
  EXPECT_EQ(logged(folder / "one", "loss"), logged(folder / "two", "loss"));
  EXPECT_EQ(logged(folder / "one", "grad_norm"), logged(folder / "two", "grad_norm"));
  EXPECT_EQ(bytes_of(folder / "one/model.safetensors"), bytes_of(folder / "two/model.safetensors"));
}

TEST(Training, RecomputeDoesNotChangeABit) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "with").exit_code, 0);
  ASSERT_EQ(run_small(folder, "without", {{"disable_gradient_checkpointing", "true"}}).exit_code, 0);
  EXPECT_EQ(bytes_of(folder / "with/model.safetensors"), bytes_of(folder / "without/model.safetensors"));
}

TEST(Training, EmulatedNpuTrainsTheSameBits) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "cpu").exit_code, 0);
  const ProgramResult npu = run_small(folder, "npu", {{"device", "npu_a2"}});
  ASSERT_EQ(npu.exit_code, 0) << npu.err;
  EXPECT_EQ(bytes_of(folder / "cpu/model.safetensors"), bytes_of(folder / "npu/model.safetensors"));
}

TEST(Training, MoreThanTheDeviceHoldsIsNamedAndWritesNothing) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run", {{"device", "{name: npu_a2, hbm_bytes: 4MiB}"}});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("optimizer"));
  EXPECT_FALSE(fs::exists(folder / "run"));
}

TEST(Training, AccumulationSplitsChangeOnlyRounding) {
  const TestFolder folder;
  ASSERT_EQ(
      run_small(folder, "a", {{"per_device_train_batch_size", "8"}, {"gradient_accumulation_steps", "1"}}).exit_code,
      0);
  ASSERT_EQ(
      run_small(folder, "b", {{"per_device_train_batch_size", "2"}, {"gradient_accumulation_steps", "4"}}).exit_code,
      0);
  const auto a = logged(folder / "a", "loss");
  const auto b = logged(folder / "b", "loss");
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5 * a[i]) << i;
}

TEST(Training, Bf16FollowsF32) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "f32").exit_code, 0);
  ASSERT_EQ(run_small(folder, "bf16", {{"bf16", "true"}}).exit_code, 0);
  ASSERT_EQ(run_small(folder, "pure", {{"pure_bf16", "true"}}).exit_code, 0);
  const auto f32 = logged(folder / "f32", "loss");
  const auto bf16 = logged(folder / "bf16", "loss");
  for (size_t i = 0; i < f32.size(); ++i) EXPECT_NEAR(f32[i], bf16[i], 1e-2 * f32[i]) << i;
  EXPECT_LT(logged(folder / "pure", "loss").back(), logged(folder / "pure", "loss").front());
}

class Resume : public testing::TestWithParam<std::map<std::string, std::string>> {};

TEST_P(Resume, ContinuesBitForBit) {
  const TestFolder folder;
  std::map<std::string, std::string> keys = GetParam();
  keys["save_strategy"] = "steps";
  keys["save_steps"] = "5";
  keys["num_train_epochs"] = "2";
  ASSERT_EQ(run_small(folder, "whole", keys).exit_code, 0);
  keys["resume_from_checkpoint"] = (folder / "whole/checkpoint-15").string();
  const ProgramResult resumed = run_small(folder, "resumed", keys);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(bytes_of(folder / "whole/model.safetensors"), bytes_of(folder / "resumed/model.safetensors"));
  EXPECT_EQ(logged(folder / "whole", "loss"), logged(folder / "resumed", "loss"));
}

INSTANTIATE_TEST_SUITE_P(
    Modes, Resume,
    testing::Values(std::map<std::string, std::string>{}, std::map<std::string, std::string>{{"bf16", "true"}},
                    std::map<std::string, std::string>{{"bf16", "true"}, {"save_dtype", "bfloat16"}},
                    std::map<std::string, std::string>{{"pure_bf16", "true"}, {"save_dtype", "bfloat16"}},
                    std::map<std::string, std::string>{{"neat_packing", "true"}, {"max_samples", "1200"}}));

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
      EXPECT_NO_THROW(SafetensorsFile(entry.path() / "optimizer.safetensors"));
      EXPECT_NO_THROW(read_json(entry.path() / "trainer_state.json"));
      ++completed;
    }
  }
  EXPECT_GT(completed, 0) << "no attempt lived long enough to save: the test showed nothing";
}

TEST(Checkpoints, LimitBestAndEarlyStopping) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run",
                                         {{"val_size", "16"},
                                          {"eval_strategy", "steps"},
                                          {"eval_steps", "2"},
                                          {"save_strategy", "steps"},
                                          {"save_steps", "2"},
                                          {"save_total_limit", "1"},
                                          {"load_best_model_at_end", "true"},
                                          {"early_stopping_steps", "2"},
                                          {"learning_rate", "0.3"},
                                          {"num_train_epochs", "8"},
                                          {"lr_scheduler_type", "constant"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("stopping early"));
  const json state = read_json(folder / "run/trainer_state.json");
  const fs::path best = state.at("best_model_checkpoint").get<std::string>();
  ASSERT_TRUE(fs::exists(best)) << "the best checkpoint was removed";
  EXPECT_EQ(bytes_of(best / "model.safetensors"), bytes_of(folder / "run/model.safetensors"));
  int checkpoints = 0;
  for (const auto& entry : fs::directory_iterator(folder / "run")) {
    checkpoints += entry.path().filename().string().rfind("checkpoint-", 0) == 0 ? 1 : 0;
  }
  EXPECT_LE(checkpoints, 2);
  const json evaluation = read_json(folder / "run/eval_results.json");
  EXPECT_NEAR(evaluation.at("eval_loss").get<double>(), state.at("best_metric").get<double>(), 1e-6);
}

TEST(Checkpoints, StepsAsRatiosOfTheRun) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run",
                                         {{"max_steps", "11"},
                                          {"logging_steps", "0.25"},
                                          {"save_strategy", "steps"},
                                          {"save_steps", "0.4"},
                                          {"val_size", "8"},
                                          {"eval_strategy", "steps"},
                                          {"eval_steps", "0.5"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json state = read_json(folder / "run/trainer_state.json");
  EXPECT_EQ(state.at("logging_steps"), 3);
  EXPECT_EQ(state.at("save_steps"), 5);
  EXPECT_EQ(state.at("eval_steps"), 6);
  for (const char* name : {"run/checkpoint-5", "run/checkpoint-10", "run/checkpoint-11"}) {
    EXPECT_TRUE(fs::exists(folder / name)) << name;
  }
  EXPECT_FALSE(fs::exists(folder / "run/checkpoint-4"));
}

TEST(Checkpoints, ChangedSettingsAreNamedOnResume) {
  const TestFolder folder;
  const std::map<std::string, std::string> keys = {{"save_strategy", "steps"}, {"save_steps", "5"}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  const std::string checkpoint = (folder / "run/checkpoint-5").string();
  auto changed = keys;
  changed["resume_from_checkpoint"] = checkpoint;
  const ProgramResult same = run_small(folder, "same", changed);
  ASSERT_EQ(same.exit_code, 0) << same.err;
  EXPECT_THAT(same.err, testing::Not(HasSubstr("resuming with other settings")));
  changed["learning_rate"] = "0.001";  // the same value in other words
  changed["weight_decay"] = "0.5";
  changed["save_dtype"] = "bfloat16";
  const ProgramResult other = run_small(folder, "other", changed);
  ASSERT_EQ(other.exit_code, 0) << other.err;
  EXPECT_THAT(other.err,
              HasSubstr("resuming with other settings than the checkpoint was made with: save_dtype: auto -> "
                        "bfloat16, weight_decay: 0.0 -> 0.5\n"));
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
  EXPECT_THAT(full.err, HasSubstr("estimated to take"));
  EXPECT_FALSE(fs::exists(folder / "full"));
}

TEST(Json, OneObjectOnStdout) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run", {{"max_steps", "2"}}, {"--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json summary = json::parse(result.out);
  EXPECT_EQ(summary.at("global_step"), 2);
  EXPECT_TRUE(summary.at("train").contains("train_loss"));
}

}  // namespace
}  // namespace ftrun::test
