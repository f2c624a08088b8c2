// Training runs as a user starts them: outputs, determinism, resuming, stopping, devices, precision.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
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

std::vector<double> logged_in(const fs::path& state_file, const char* key) {
  std::vector<double> values;
  const json state = read_json(state_file);
  for (const json& entry : state.at("log_history")) {
    if (entry.contains(key)) values.push_back(entry.at(key));
  }
  return values;
}

std::vector<double> logged(const fs::path& output_dir, const char* key) {
  return logged_in(output_dir / "trainer_state.json", key);
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
        "training_loss.svg", "checkpoint-4/model.safetensors", "checkpoint-4/optimizer-00000.safetensors",
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

// The demo's model without what makes it a chat model.
fs::path make_base_model(const TestFolder& folder) {
  const fs::path base = folder / "base";
  fs::create_directories(base);
  for (const char* name : {"tokenizer.json", "config.json"})
    fs::copy_file(fs::path(FTRUN_SOURCE_DIR) / "configs/demo/model" / name, base / name);
  json config = read_json(base / "config.json");
  config["eos_token_id"] = 0;
  config["max_position_embeddings"] = 64;
  write_text(base / "config.json", config.dump());
  write_text(base / "tokenizer_config.json",
             R"({"eos_token": "<|endoftext|>", "tokenizer_class": "PreTrainedTokenizerFast"})");
  write_text(base / "generation_config.json", R"({"eos_token_id": 0, "do_sample": true})");
  return base;
}

TEST(Training, ABaseModelBecomesAChatModelThatStops) {
  const TestFolder folder;
  const fs::path base = make_base_model(folder);
  const ProgramResult result = run_small(
      folder, "run",
      {{"model_name_or_path", base.string()}, {"template", "chatml"}, {"save_strategy", "steps"}, {"save_steps", "5"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* name : {"run", "run/checkpoint-5"}) {
    SCOPED_TRACE(name);
    const json tokenizer = read_json(folder / name / "tokenizer_config.json");
    EXPECT_EQ(tokenizer.at("eos_token"), "<|im_end|>");
    EXPECT_EQ(tokenizer.at("pad_token"), "<|im_end|>");
    EXPECT_THAT(tokenizer.at("chat_template").get<std::string>(), HasSubstr("<|im_start|>assistant"));
    EXPECT_EQ(read_json(folder / name / "config.json").at("eos_token_id"), 2);
    EXPECT_EQ(read_json(folder / name / "generation_config.json").at("eos_token_id"), json({2, 0}));
    EXPECT_EQ(bytes_of(folder / name / "tokenizer.json"), bytes_of(base / "tokenizer.json"));
  }
}

TEST(Training, WithoutATemplateTheTokenizersOwnIsUsed) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "named", {{"max_steps", "2"}}).exit_code, 0);
  const ProgramResult unset = run_small(folder, "unset", {{"max_steps", "2"}, {"template", ""}});
  ASSERT_EQ(unset.exit_code, 0) << unset.err;
  EXPECT_THAT(unset.err, HasSubstr("template: not set: 'chatml' writes chats as the tokenizer's chat_template does"));
  EXPECT_TRUE(bytes_of(folder / "unset/model.safetensors") == bytes_of(folder / "named/model.safetensors"));
}

TEST(Training, AnswersEndAtTheLastPositionOfTheModel) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run",
                                         {{"model_name_or_path", make_base_model(folder).string()},
                                          {"template", "chatml"},
                                          {"cutoff_len", "3000"},
                                          {"val_size", "4"},
                                          {"max_steps", "2"},
                                          {"max_new_tokens", ""},
                                          {"eval_exact_match", "true"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const size_t first = result.err.find("max_new_tokens 1024: a prompt of ");
  ASSERT_NE(first, std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("max_new_tokens 1024: a prompt of ", first + 1), std::string::npos) << "said once";
  EXPECT_TRUE(read_json(folder / "run/eval_results.json").contains("eval_exact_match"));
}

TEST(Training, RowsBeyondTheModelsPositionsAreMentioned) {
  const TestFolder folder;
  const fs::path base = make_base_model(folder);
  std::string text;
  for (int i = 0; i < 60; ++i) text += "word and ";
  const fs::path data = write_text(folder / "long.jsonl", R"({"instruction": "a", "output": "b"})"
                                                          "\n"
                                                          R"({"instruction": ")" +
                                                              text +
                                                              R"(", "output": "b"})"
                                                              "\n");
  std::map<std::string, std::string> keys = {{"model_name_or_path", base.string()},
                                             {"template", "chatml"},
                                             {"dataset", data.string()},
                                             {"max_samples", ""},
                                             {"max_steps", "1"},
                                             {"cutoff_len", "3000"}};
  const ProgramResult result = run_small(folder, "run", keys);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, testing::ContainsRegex("run.yaml:[0-9]+: cutoff_len: 3000: 1 examples are longer"));
  EXPECT_THAT(result.err, HasSubstr("key 'max_position_embeddings'"));
  keys["cutoff_len"] = "64";
  EXPECT_THAT(run_small(folder, "short", keys).err, testing::Not(HasSubstr("max_position_embeddings")));
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

TEST(Training, OffloadedActivationsTakeHostMemoryAndChangeNoBit) {
  const TestFolder folder;
  const std::map<std::string, std::string> keys = {{"device", "npu_a2"}, {"max_steps", "3"}};
  const ProgramResult on_device = run_small(folder, "device", keys, {"--json"});
  const ProgramResult offloaded = run_small(folder, "host", keys, {"--json", "--offload_activations", "true"});
  ASSERT_EQ(offloaded.exit_code, 0) << offloaded.all();
  EXPECT_TRUE(bytes_of(folder / "device/model.safetensors") == bytes_of(folder / "host/model.safetensors"));
  const json before = json::parse(on_device.out).at("ranks").at(0);
  const json after = json::parse(offloaded.out).at("ranks").at(0);
  EXPECT_LT(after.at("peak_memory_bytes").at("activations"), before.at("peak_memory_bytes").at("activations"));
  EXPECT_GT(after.at("host_peak_memory_bytes").at("activations"), 0);
  const ProgramResult refused =
      run_small(folder, "refused", keys, {"--offload_activations", "true", "--disable_gradient_checkpointing", "true"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--offload_activations: excludes disable_gradient_checkpointing"));
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
      EXPECT_NO_THROW(SafetensorsFile(entry.path() / "optimizer-00000.safetensors"));
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

std::vector<std::string> checkpoints_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("checkpoint-")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Checkpoints, TheBestEvaluationIsKeptWhereverItWas) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run",
                                         {{"val_size", "16"},
                                          {"eval_strategy", "steps"},
                                          {"eval_steps", "1"},
                                          {"save_strategy", "steps"},
                                          {"save_steps", "6"},
                                          {"load_best_model_at_end", "true"},
                                          {"learning_rate", "0.3"},
                                          {"lr_scheduler_type", "constant"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json state = read_json(folder / "run/trainer_state.json");
  const int64_t best_step = state.at("best_global_step");
  ASSERT_NE(best_step % 6, 0) << "the test needs a best evaluation between saves";
  ASSERT_NE(best_step, state.at("global_step"));
  const fs::path best = state.at("best_model_checkpoint").get<std::string>();
  ASSERT_TRUE(fs::is_directory(best)) << best;
  EXPECT_EQ(bytes_of(best / "model.safetensors"), bytes_of(folder / "run/model.safetensors"));
  EXPECT_DOUBLE_EQ(read_json(folder / "run/eval_results.json").at("eval_loss"), state.at("best_metric"));
  EXPECT_THAT(checkpoints_in(folder / "run"),
              testing::UnorderedElementsAre(best.filename().string(), "checkpoint-6", "checkpoint-10"))
      << "earlier bests between saves are removed";
}

TEST(Checkpoints, ADamagedOneIsNamedSkippedAndSetAside) {
  const TestFolder folder;
  std::map<std::string, std::string> keys = {{"save_strategy", "steps"}, {"save_steps", "5"}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  const std::string whole = bytes_of(folder / "run/model.safetensors");
  const fs::path newest = folder / "run/checkpoint-12/optimizer-00000.safetensors";
  std::string bytes = bytes_of(newest);
  bytes[bytes.size() - 1000] = static_cast<char>(bytes[bytes.size() - 1000] ^ 4);
  write_text(newest, bytes);
  keys["resume_from_checkpoint"] = (folder / "run/checkpoint-12").string();
  const ProgramResult refused = run_small(folder, "other", keys);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("the content of 'optimizer-00000.safetensors' is not what was written"));
  keys["resume_from_checkpoint"] = "true";
  const ProgramResult resumed = run_small(folder, "run", keys);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("run/checkpoint-12' is damaged and not resumed from: the content of 'optimizer"));
  EXPECT_THAT(resumed.err, HasSubstr("run/checkpoint-10' at step 10"));
  EXPECT_TRUE(bytes_of(folder / "run/checkpoint-12.damaged/optimizer-00000.safetensors") == bytes);
  EXPECT_TRUE(bytes_of(folder / "run/model.safetensors") == whole);
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

TEST(Evaluation, AfterTrainingIsDecidedByDoEval) {
  const TestFolder folder;
  const ProgramResult without = run_small(folder, "without", {{"max_steps", "1"}, {"val_size", "8"}});
  ASSERT_EQ(without.exit_code, 0) << without.err;
  EXPECT_FALSE(fs::exists(folder / "without/eval_results.json"));
  EXPECT_THAT(without.err, HasSubstr("the 8 examples for evaluation are not used"));
  const ProgramResult with = run_small(folder, "with", {{"max_steps", "1"}, {"val_size", "8"}, {"do_eval", "true"}});
  ASSERT_EQ(with.exit_code, 0) << with.err;
  EXPECT_TRUE(fs::exists(folder / "with/eval_results.json"));
}

TEST(Settings, WithoutEffectAreNamedOnceAndOnlyWhenGiven) {
  const TestFolder folder;
  const ProgramResult plain = run_small(folder, "plain", {{"max_steps", "1"}, {"num_train_epochs", ""}});
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_THAT(plain.err, testing::Not(HasSubstr("has no effect")));
  const ProgramResult idle = run_small(folder, "idle",
                                       {{"max_steps", "1"},
                                        {"greater_is_better", "false"},
                                        {"eval_steps", "5"},
                                        {"save_steps", "5"},
                                        {"per_device_eval_batch_size", "2"},
                                        {"lr_scheduler_type", "constant"},
                                        {"enable_thinking", "true"},
                                        {"flash_attn", "disabled"}});
  ASSERT_EQ(idle.exit_code, 0) << idle.err;
  for (const char* key : {"greater_is_better", "eval_steps", "save_steps", "per_device_eval_batch_size", "warmup_steps",
                          "num_train_epochs", "enable_thinking", "flash_attn"}) {
    const std::string line = std::string(": ") + key + ": has no effect: ";
    const size_t at = idle.err.find(line);
    ASSERT_NE(at, std::string::npos) << key;
    EXPECT_EQ(idle.err.find(line, at + 1), std::string::npos) << key << " is named twice";
  }
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

TEST(Checkpoints, OneChangedTokenOfTheDataIsNoticedOnResume) {
  const TestFolder folder;
  std::string rows = bytes_of(fs::path(FTRUN_SOURCE_DIR) / "configs/demo/train.jsonl");
  const fs::path data = write_text(folder / "rows.jsonl", rows);
  const std::map<std::string, std::string> keys = {
      {"save_strategy", "steps"}, {"save_steps", "2"}, {"max_steps", "2"}, {"dataset", data.string()}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  const size_t digit = rows.find_first_of("0123456789", rows.find('\n', 4000));
  rows[digit] = rows[digit] == '7' ? '3' : '7';
  write_text(data, rows);
  auto changed = keys;
  changed["resume_from_checkpoint"] = (folder / "run/checkpoint-2").string();
  const ProgramResult refused = run_small(folder, "resumed", changed);
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("is not what this run was made with"));
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
  EXPECT_THAT(full.err, HasSubstr("the estimate for"));
  EXPECT_FALSE(fs::exists(folder / "full"));
}

TEST(Checkpoints, LaterOnesOfAnotherWayAreSetAside) {
  const TestFolder folder;
  std::map<std::string, std::string> keys = {{"save_strategy", "steps"}, {"save_steps", "2"}, {"max_steps", "8"}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  keys["resume_from_checkpoint"] = (folder / "run/checkpoint-2").string();
  keys["save_total_limit"] = "1";
  keys["learning_rate"] = "0.01";
  keys["max_steps"] = "4";
  const ProgramResult again = run_small(folder, "run", keys);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(checkpoints_in(folder / "run"),
              testing::UnorderedElementsAre("checkpoint-4", "checkpoint-4.superseded", "checkpoint-6.superseded",
                                            "checkpoint-8.superseded"));
  EXPECT_THAT(again.err, HasSubstr("checkpoint-8' was made after step 2"));
}

TEST(Checkpoints, TheBestIsFoundAfterTheFolderMoved) {
  const TestFolder folder;
  std::map<std::string, std::string> keys = {
      {"val_size", "16"},  {"eval_strategy", "steps"},         {"eval_steps", "2"}, {"save_strategy", "steps"},
      {"save_steps", "2"}, {"load_best_model_at_end", "true"}, {"max_steps", "6"}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  const json before = read_json(folder / "run/trainer_state.json");
  fs::rename(folder / "run", folder / "moved");
  keys["resume_from_checkpoint"] = "true";
  keys["max_steps"] = "8";
  keys["learning_rate"] = "0.5";
  const ProgramResult resumed = run_small(folder, "moved", keys);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, testing::Not(HasSubstr("is gone")));
  const json after = read_json(folder / "moved/trainer_state.json");
  EXPECT_EQ(after.at("best_metric"), before.at("best_metric"));
  EXPECT_TRUE(fs::is_directory(after.at("best_model_checkpoint").get<std::string>()));
}

TEST(Checkpoints, WithoutOptimizerStateTheyAreNotResumed) {
  const TestFolder folder;
  std::map<std::string, std::string> keys = {
      {"save_strategy", "steps"}, {"save_steps", "2"}, {"max_steps", "2"}, {"save_only_model", "true"}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  keys["resume_from_checkpoint"] = "true";
  const ProgramResult refused = run_small(folder, "run", keys);
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("resume_from_checkpoint"));
  EXPECT_THAT(refused.err, HasSubstr("was save_only_model on?"));
}

TEST(Epochs, TheLastOneEndsWithTheRun) {
  const TestFolder folder;
  // 12 updates per epoch: the run ends within the second.
  const ProgramResult result = run_small(
      folder, "run", {{"val_size", "8"}, {"eval_strategy", "epoch"}, {"save_strategy", "epoch"}, {"max_steps", "13"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(logged(folder / "run", "eval_loss").size(), 2U);
  EXPECT_THAT(checkpoints_in(folder / "run"), testing::UnorderedElementsAre("checkpoint-11", "checkpoint-13"));
}

TEST(Epochs, CountMicroBatchesAsTheHuggingFaceTrainerDoes) {
  const TestFolder folder;
  for (const json& row : read_json(fs::path(FTRUN_SOURCE_DIR) / "tests/golden/epochs.json")) {
    if (row.at("rows") != 10 || row.at("ranks") != 1) continue;
    std::map<std::string, std::string> keys = {{"max_samples", row.at("rows").dump()}};
    for (const char* key : {"per_device_train_batch_size", "gradient_accumulation_steps", "num_train_epochs"}) {
      keys[key] = row.at(key).dump();
    }
    ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
    std::vector<double> epochs = logged(folder / "run", "epoch");
    ASSERT_FALSE(epochs.empty());
    epochs.pop_back();  // of the run's results
    EXPECT_EQ(epochs, row.at("epochs").get<std::vector<double>>());
    return;
  }
  FAIL() << "the golden has no such run";
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
