// Runs over several ranks as a user starts them: equal to one device, saved and resumed by any number of ranks, stopped
// and killed. Leaves out: strategies at the level of ranks (tests/strategies), transports (tests/collectives).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cmath>
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
using Keys = std::map<std::string, std::string>;

void expect_close(const std::vector<double>& a, const std::vector<double>& b, double relative) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], relative * std::abs(b[i])) << "entry " << i;
}

/// Keys of a run of `ranks` under a strategy with 8 rows per update, whatever the ranks.
Keys keys_of(const std::string& strategy, int ranks, Keys more = {}) {
  Keys keys = {{"strategy", strategy},
               {"nproc", std::to_string(ranks)},
               {"per_device_train_batch_size", std::to_string(8 / ranks / 2)},
               {"gradient_accumulation_steps", "2"}};
  for (auto& [key, value] : more) keys[key] = value;
  return keys;
}

const std::vector<std::string> kStrategies = {"ddp", "zero1", "zero2", "zero3", "fsdp"};

class EveryStrategy : public testing::TestWithParam<std::string> {};

TEST_P(EveryStrategy, TrainsEvaluatesAndSavesWhatOneDeviceDoes) {
  const TestFolder folder;
  const Keys evaluation = {{"val_size", "13"}, {"eval_strategy", "steps"}, {"eval_steps", "4"}};
  ASSERT_EQ(run_small(folder, "one", keys_of("single", 1, evaluation)).exit_code, 0);
  const ProgramResult many = run_small(folder, "many", keys_of(GetParam(), 2, evaluation), {"--json"});
  ASSERT_EQ(many.exit_code, 0) << many.err;
  expect_close(logged(folder / "many", "loss"), logged(folder / "one", "loss"), 1e-5);
  expect_close(logged(folder / "many", "grad_norm"), logged(folder / "one", "grad_norm"), 1e-4);
  expect_close(logged(folder / "many", "eval_loss"), logged(folder / "one", "eval_loss"), 1e-5);
  const SafetensorsFile one(folder / "one/model.safetensors");
  const SafetensorsFile other(folder / "many/model.safetensors");
  ASSERT_EQ(one.tensors().size(), other.tensors().size());
  for (size_t i = 0; i < one.tensors().size(); ++i) {
    EXPECT_EQ(one.tensors()[i].name, other.tensors()[i].name);
    EXPECT_EQ(one.tensors()[i].bytes.size(), other.tensors()[i].bytes.size());
  }
  const json ranks = json::parse(many.out).at("ranks");
  ASSERT_EQ(ranks.size(), 2U);
  EXPECT_GT(ranks[1].at("peak_memory_bytes").at("weights"), 0);
  const json announced = json::parse(many.out).at("announced").at("memory_bytes");
  for (const char* category : {"weights", "gradients", "optimizer"}) {
    const double held = ranks[1].at("peak_memory_bytes").at(category);
    EXPECT_NEAR(held, announced.at(category).get<double>(), 0.02 * held + 2 * 4096) << category;
  }
  EXPECT_FALSE(ranks[1].at("traffic_per_update").empty());
}

INSTANTIATE_TEST_SUITE_P(Strategies, EveryStrategy, testing::ValuesIn(kStrategies),
                         [](const auto& tested) { return tested.param; });

class SavedAt : public testing::TestWithParam<std::tuple<std::string, int>> {};

/// What one strategy saved at N ranks is resumed by every strategy at 1, 2 and 4.
TEST_P(SavedAt, ResumesAtAnyNumberOfRanksUnderAnyStrategy) {
  const auto& [saving_strategy, saving_ranks] = GetParam();
  const TestFolder folder;
  const Keys saving = {{"save_strategy", "steps"}, {"save_steps", "3"}, {"max_steps", "5"}};
  ASSERT_EQ(run_small(folder, "whole", keys_of(saving_strategy, saving_ranks, saving)).exit_code, 0);
  const std::vector<double> whole_losses = logged(folder / "whole", "loss");
  for (const int ranks : {1, 2, 4}) {
    for (const std::string& strategy : kStrategies) {
      const bool is_unchanged = strategy == saving_strategy && ranks == saving_ranks;
      SCOPED_TRACE(strategy + " with " + std::to_string(ranks));
      Keys keys = keys_of(strategy, ranks, saving);
      keys["resume_from_checkpoint"] = (folder / "whole/checkpoint-3").string();
      keys["save_strategy"] = "\"no\"";
      fs::remove_all(folder / "resumed");
      const ProgramResult resumed = run_small(folder, "resumed", keys);
      ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
      const auto losses = logged(folder / "resumed", "loss");
      ASSERT_EQ(losses.size(), whole_losses.size());
      EXPECT_NEAR(losses[3], whole_losses[3], 1e-6 * whole_losses[3]) << "the first resumed loss";
      expect_close(losses, whole_losses, 1e-4);
      if (!is_unchanged) continue;
      EXPECT_TRUE(bytes_of(folder / "resumed/model.safetensors") == bytes_of(folder / "whole/model.safetensors"))
          << "nothing changed, so the bits are the same";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Matrix, SavedAt, testing::Combine(testing::ValuesIn(kStrategies), testing::Values(1, 2, 4)),
                         [](const auto& tested) {
                           return std::get<0>(tested.param) + "_at_" + std::to_string(std::get<1>(tested.param));
                         });

TEST(Distributed, Bf16ShardsKeepExactWeightsInCheckpoints) {
  const TestFolder folder;
  Keys saving = {{"save_strategy", "steps"},
                 {"save_steps", "4"},
                 {"max_steps", "8"},
                 {"bf16", "true"},
                 {"save_dtype", "bfloat16"}};
  ASSERT_EQ(run_small(folder, "whole", keys_of("zero3", 2, saving)).exit_code, 0);
  saving["resume_from_checkpoint"] = (folder / "whole/checkpoint-4").string();
  const ProgramResult resumed = run_small(folder, "resumed", keys_of("zero3", 2, saving));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_TRUE(bytes_of(folder / "resumed/model.safetensors") == bytes_of(folder / "whole/model.safetensors"));
}

TEST(Distributed, AnotherGlobalBatchIsRefusedNamingWhatRestoresIt) {
  const TestFolder folder;
  const Keys saving = {{"save_strategy", "steps"}, {"save_steps", "2"}, {"max_steps", "2"}};
  ASSERT_EQ(run_small(folder, "whole", keys_of("ddp", 2, saving)).exit_code, 0);
  Keys keys = keys_of("ddp", 2, saving);
  keys["per_device_train_batch_size"] = "1";
  keys["resume_from_checkpoint"] = (folder / "whole/checkpoint-2").string();
  const ProgramResult refused = run_small(folder, "resumed", keys);
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("set gradient_accumulation_steps: 4"));
  EXPECT_FALSE(fs::exists(folder / "resumed"));
}

TEST(Distributed, AnswersAreCountedOverAllRanks) {
  const TestFolder folder;
  const Keys answers = {{"val_size", "11"}, {"eval_exact_match", "true"}, {"max_new_tokens", "8"}, {"max_steps", "2"}};
  ASSERT_EQ(run_small(folder, "one", keys_of("single", 1, answers)).exit_code, 0);
  for (const std::string strategy : {"zero3", "ddp"}) {
    const ProgramResult many = run_small(folder, strategy, keys_of(strategy, 4, {answers}));
    ASSERT_EQ(many.exit_code, 0) << many.err;
    EXPECT_DOUBLE_EQ(read_json(folder / strategy / "eval_results.json").at("eval_exact_match"),
                     read_json(folder / "one/eval_results.json").at("eval_exact_match"));
  }
}

TEST(Distributed, TerminateSavesOnAllRanksAndResumesExactly) {
  const TestFolder folder;
  const Keys keys = keys_of("zero2", 2, {{"num_train_epochs", "10"}});
  const fs::path config = write_text(folder / "run.yaml", small_config(folder / "run", keys));
  const ProgramResult stopped = run_ftrun_and({"--config", config.string()}, [&](pid_t child) {
    for (int i = 0; i < 600 && bytes_of(folder / "run/trainer_log.jsonl").empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ::kill(child, SIGTERM);
  });
  ASSERT_EQ(stopped.exit_code, 130) << stopped.err;
  ASSERT_EQ(run_ftrun({"--config", config.string(), "--resume_from_checkpoint", "true"}).exit_code, 0);
  ASSERT_EQ(run_small(folder, "whole", keys).exit_code, 0);
  EXPECT_TRUE(bytes_of(folder / "whole/model.safetensors") == bytes_of(folder / "run/model.safetensors"));
}

TEST(Distributed, AStopFileStopsAndIsRemoved) {
  const TestFolder folder;
  const fs::path config =
      write_text(folder / "run.yaml", small_config(folder / "run", keys_of("ddp", 2, {{"num_train_epochs", "20"}})));
  const ProgramResult stopped = run_ftrun_and({"--config", config.string()}, [&](pid_t) {
    for (int i = 0; i < 600 && bytes_of(folder / "run/trainer_log.jsonl").empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    write_text(folder / "run/stop", "");
  });
  EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_FALSE(fs::exists(folder / "run/stop"));
}

TEST(Distributed, AStopFileOfAnEarlierRunStopsNothing) {
  const TestFolder folder;
  write_text(folder / "run/stop", "");
  const ProgramResult result =
      run_small(folder, "run", keys_of("ddp", 2, {{"max_steps", "2"}, {"overwrite_output_dir", "true"}}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("was there before this run began and is removed"));
  EXPECT_EQ(logged(folder / "run", "loss").size(), 2U);
}

TEST(Distributed, RowsPerUpdateThatNoBatchSizeGivesNameTheRanks) {
  const TestFolder folder;
  const Keys saving = {{"save_strategy", "steps"}, {"save_steps", "2"}, {"max_steps", "2"}};
  ASSERT_EQ(run_small(folder, "whole", keys_of("ddp", 2, saving)).exit_code, 0);
  Keys keys = keys_of("ddp", 3, saving);
  keys["resume_from_checkpoint"] = (folder / "whole/checkpoint-2").string();
  const ProgramResult refused = run_small(folder, "resumed", keys);
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("choose a number of ranks that divides 8"));
}

TEST(Distributed, TheNumberOfRanksComesFromTheEnvironmentToo) {
  const TestFolder folder;
  Keys keys = keys_of("ddp", 2, {{"max_steps", "1"}});
  keys.erase("nproc");
  const fs::path config = write_text(folder / "run.yaml", small_config(folder / "run", keys));
  const ProgramResult result = run_ftrun({"--config", config.string()}, {{"NPROC_PER_NODE", "2"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("rank 1: peak"));
  const ProgramResult refused = run_ftrun({"--config", config.string()}, {{"NPROC_PER_NODE", "two"}});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("NPROC_PER_NODE: nproc"));
}

TEST(Distributed, MoreRanksThanDevicesAreRefused) {
  const TestFolder folder;
  const fs::path config =
      write_text(folder / "run.yaml", small_config(folder / "run", keys_of("ddp", 2, {{"device", "npu_a2"}})));
  const ProgramResult refused = run_ftrun({"--config", config.string()}, {{"ASCEND_RT_VISIBLE_DEVICES", "0"}});
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("more ranks than devices"));
  EXPECT_FALSE(fs::exists(folder / "run"));
}

class DistributedConfig : public testing::TestWithParam<std::string> {};

TEST_P(DistributedConfig, RunsAsItIsAndLearns) {
  const TestFolder folder;
  const ProgramResult result = run_ftrun({"--config", "configs/distributed/" + GetParam() + ".yaml", "--output_dir",
                                          (folder / "run").string(), "--cache_dir", (folder / "cache").string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto losses = logged(folder / "run", "eval_loss");
  ASSERT_EQ(losses.size(), 2U);
  EXPECT_LT(losses.back(), losses.front());
}

INSTANTIATE_TEST_SUITE_P(Configs, DistributedConfig,
                         testing::Values("ddp", "zero1", "zero2", "zero3", "zero3_offload", "fsdp"),
                         [](const auto& tested) { return tested.param; });

TEST(Distributed, ADeepSpeedFileSelectsTheStrategy) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run",
                                         {{"nproc", "2"},
                                          {"max_steps", "2"},
                                          {"device", "npu_a2"},
                                          {"deepspeed", "configs/distributed/ds_z3_offload.json"}},
                                         {"--json"});
  ASSERT_EQ(result.exit_code, 0) << result.all();
  const json rank = json::parse(result.out).at("ranks").at(1);
  EXPECT_FALSE(rank.at("peak_memory_bytes").contains("optimizer")) << "it should lie on the host";
  EXPECT_GT(rank.at("host_peak_memory_bytes").at("optimizer"), 0);
  const ProgramResult named = run_small(folder, "named", {{"nproc", "2"}, {"max_steps", "1"}, {"deepspeed", "zero2"}});
  EXPECT_EQ(named.exit_code, 0) << named.err;
  const ProgramResult mixed = run_small(
      folder, "mixed", {{"nproc", "2"}, {"max_steps", "1"}, {"deepspeed", "zero3"}, {"strategy", "{prefetch: false}"}});
  EXPECT_EQ(mixed.exit_code, 0) << mixed.err;
}

// Two emulated NPUs without access from the host, and offload to it: the numbers stay those of one device.
TEST(Distributed, OffloadOnEmulatedNpusChangesNoNumber) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "plain", keys_of("zero3", 2, {{"device", "npu_a2"}})).exit_code, 0);
  Keys keys = keys_of("{name: zero3, offload_optimizer: cpu, offload_param: cpu}", 2, {{"device", "npu_a2"}});
  const ProgramResult offloaded = run_small(folder, "offload", keys);
  ASSERT_EQ(offloaded.exit_code, 0) << offloaded.err;
  EXPECT_TRUE(bytes_of(folder / "plain/model.safetensors") == bytes_of(folder / "offload/model.safetensors"));
}

// Uneven windows and evaluation with every number of ranks.
TEST(Distributed, EvaluationIsThatOfOneDeviceWithAnyRanks) {
  const TestFolder folder;
  const Keys evaluation = {{"val_size", "13"},           {"eval_strategy", "steps"},           {"eval_steps", "2"},
                           {"max_steps", "2"},           {"per_device_train_batch_size", "1"}, {"max_samples", "50"},
                           {"disable_shuffling", "true"}};
  Keys one = evaluation;
  one["per_device_train_batch_size"] = "12";
  one["gradient_accumulation_steps"] = "1";
  ASSERT_EQ(run_small(folder, "one", one).exit_code, 0);
  for (const int ranks : {2, 3, 4}) {
    Keys keys = evaluation;
    keys["strategy"] = "zero3";
    keys["nproc"] = std::to_string(ranks);
    keys["gradient_accumulation_steps"] = std::to_string(12 / ranks);
    const std::string name = std::to_string(ranks);
    const ProgramResult many = run_small(folder, name, keys);
    ASSERT_EQ(many.exit_code, 0) << many.err;
    expect_close(logged(folder / name, "loss"), logged(folder / "one", "loss"), 1e-5);
    expect_close(logged(folder / name, "eval_loss"), logged(folder / "one", "eval_loss"), 1e-5);
  }
}

struct Refusal {
  const char* name;
  Keys keys;
  std::vector<std::string> said;
};

class RefusedRanks : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedRanks, NamesKeyAndFixAndWritesNothing) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run", GetParam().keys);
  EXPECT_EQ(result.exit_code, 2) << result.err;
  for (const std::string& said : GetParam().said) EXPECT_THAT(result.err, HasSubstr(said));
  EXPECT_FALSE(fs::exists(folder / "run"));
}

INSTANTIATE_TEST_SUITE_P(
    Distributed, RefusedRanks,
    testing::Values(Refusal{"single_with_ranks", {{"nproc", "2"}}, {"strategy 'single' runs on 1 rank"}},
                    Refusal{"fewer_samples_than_ranks",
                            {{"nproc", "4"}, {"strategy", "ddp"}, {"max_samples", "3"}},
                            {"nproc: 4 ranks share 3 training examples"}},
                    Refusal{"unknown_strategy", {{"nproc", "2"}, {"strategy", "zero4"}}, {"zero3"}}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace ftrun::test
