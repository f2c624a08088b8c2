// Training runs as a user starts them: outputs, determinism, devices, precision, epochs, evaluation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"
#include "tests/e2e/training_state.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

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
