// Sequence-classification folders: their score.weight is the reward model's head, and they cannot talk.
// Leaves out: the arithmetic of reward modelling (tests/paradigms).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/io/peft_adapter.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"
#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using Keys = std::map<std::string, std::string>;

/// Turns a saved language model into what AutoModelForSequenceClassification.save_pretrained writes of it.
void make_classifier(const fs::path& folder) {
  json config = json::parse(bytes_of(folder / "config.json"));
  std::string architecture = config.at("architectures").at(0);
  architecture.replace(architecture.find("ForCausalLM"), std::string::npos, "ForSequenceClassification");
  config["architectures"] = {architecture};
  config["num_labels"] = 1;
  write_text(folder / "config.json", config.dump(2));
  const fs::path weights = folder / "model.safetensors";
  fs::rename(weights, folder / "before");
  {
    const SafetensorsFile before(folder / "before");
    const int64_t width = config.at("hidden_size");
    std::vector<TensorSpec> specs = {{"score.weight", StoredDtype::kF32, {1, width}}};
    for (const TensorEntry& entry : before.tensors()) specs.push_back({entry.name, entry.dtype, entry.shape});
    SafetensorsWriter writer(weights, specs);
    const std::vector<float> score(static_cast<size_t>(width), 0.01f);
    writer.write("score.weight", std::as_bytes(std::span(score)));
    for (const TensorEntry& entry : before.tensors()) writer.write(entry.name, entry.bytes);
    writer.finish();
  }
  fs::remove(folder / "before");
}

TEST(SequenceClassifier, ItsScoreIsTheHeadAndIsSavedWithTheWeights) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "1"}}).exit_code, 0);
  make_classifier(folder / "base");
  const Keys keys = {{"model_name_or_path", (folder / "base").string()},
                     {"train_from_scratch", ""},
                     {"dataset", "demo_pairs_train"},
                     {"stage", "rm"},
                     {"max_steps", "3"}};
  const ProgramResult trained = run_small(folder, "reward", keys);
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const SafetensorsFile before(folder / "base/model.safetensors");
  const SafetensorsFile after(folder / "reward/model.safetensors");
  EXPECT_EQ(before.tensors().size(), after.tensors().size());
  EXPECT_FALSE(std::ranges::equal(before.require("score.weight").bytes, after.require("score.weight").bytes));
  EXPECT_FALSE(fs::exists(folder / "reward/value_head.safetensors"));
  EXPECT_THAT(bytes_of(folder / "reward/config.json"), HasSubstr("ForSequenceClassification"));

  Keys talking = keys;
  talking["stage"] = "sft";
  talking["dataset"] = "demo_train";
  const ProgramResult refused = run_small(folder, "talking", talking);
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("it scores texts and cannot be 'policy'"));
}

class ClassifierAdapter : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(run_small(folder_, "base", {{"max_steps", "1"}}).exit_code, 0);
    make_classifier(folder_ / "base");
  }

  Keys keys(const std::string& model, const Keys& more = {}) const {
    Keys all = {{"model_name_or_path", (folder_ / model).string()},
                {"train_from_scratch", ""},
                {"dataset", "demo_pairs_train"},
                {"eval_dataset", "demo_pairs_eval"},
                {"eval_strategy", "epoch"},
                {"stage", "rm"},
                {"max_samples", "32"},
                {"learning_rate", "1.0e-2"}};
    for (const auto& [key, value] : more) all[key] = value;
    return all;
  }
  double evaluated(const std::string& name) const {
    return json::parse(bytes_of(folder_ / name / "eval_results.json")).at("eval_loss");
  }

  TestFolder folder_;
};

TEST_F(ClassifierAdapter, TrainsAndSavesTheHeadAsPeftDoes) {
  const Keys lora = {
      {"finetuning_type", "lora"}, {"lora_rank", "4"}, {"num_train_epochs", "2"}, {"save_strategy", "epoch"}};
  const ProgramResult trained = run_small(folder_, "adapter", keys("base", lora));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const PeftAdapter adapter(folder_ / "adapter");
  EXPECT_EQ(adapter.config().task_type, "SEQ_CLS");
  EXPECT_THAT(adapter.config().modules_to_save, testing::ElementsAre("classifier", "score"));
  ASSERT_TRUE(adapter.saved().contains("score.weight"));
  EXPECT_EQ(adapter.saved().size(), 1U);
  const SafetensorsFile base(folder_ / "base/model.safetensors");
  EXPECT_FALSE(std::ranges::equal(adapter.saved().at("score.weight")->bytes, base.require("score.weight").bytes));
  EXPECT_FALSE(fs::exists(folder_ / "adapter/value_head.safetensors"));

  // Resumed, continued and merged it is the same model.
  Keys resuming = lora;
  resuming["resume_from_checkpoint"] = (folder_ / "adapter/checkpoint-4").string();
  const ProgramResult resumed = run_small(folder_, "resumed", keys("base", resuming));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(bytes_of(folder_ / "resumed/adapter_model.safetensors"),
            bytes_of(folder_ / "adapter/adapter_model.safetensors"));
  const Keys unchanged = {{"learning_rate", "1.0e-12"}, {"max_steps", "1"}};
  Keys continuing = unchanged;
  continuing["finetuning_type"] = "lora";
  continuing["adapter_name_or_path"] = (folder_ / "adapter").string();
  const ProgramResult continued = run_small(folder_, "continued", keys("base", continuing));
  ASSERT_EQ(continued.exit_code, 0) << continued.err;
  EXPECT_NEAR(evaluated("continued"), evaluated("adapter"), 1e-6);
  EXPECT_EQ(PeftAdapter(folder_ / "continued").config().task_type, "SEQ_CLS");

  const ProgramResult merged =
      run_ftrun({"export", "--model", (folder_ / "base").string(), "--adapter_name_or_path",
                 (folder_ / "adapter").string(), "--export_dir", (folder_ / "merged").string(), "--json"});
  ASSERT_EQ(merged.exit_code, 0) << merged.err;
  EXPECT_LE(json::parse(merged.out).at("relative_difference").get<double>(), 1e-4);
  EXPECT_EQ(SafetensorsFile(folder_ / "merged/model.safetensors").tensors().size(), base.tensors().size());
  EXPECT_THAT(bytes_of(folder_ / "merged/config.json"), HasSubstr("ForSequenceClassification"));
  EXPECT_FALSE(fs::exists(folder_ / "merged/Modelfile")) << "it cannot talk";
  const ProgramResult replaced = run_ftrun({"export", "--model", (folder_ / "base").string(), "--export_dir",
                                            (folder_ / "merged").string(), "--overwrite_output_dir", "true"});
  EXPECT_EQ(replaced.exit_code, 0) << replaced.err;
  fs::remove_all(folder_ / "merged");
  ASSERT_EQ(run_ftrun({"export", "--model", (folder_ / "base").string(), "--adapter_name_or_path",
                       (folder_ / "adapter").string(), "--export_dir", (folder_ / "merged").string()})
                .exit_code,
            0);
  ASSERT_EQ(run_small(folder_, "whole", keys("merged", unchanged)).exit_code, 0);
  EXPECT_NEAR(evaluated("whole"), evaluated("adapter"), 1e-5);
}

TEST_F(ClassifierAdapter, ItsEmbeddingIsTrainedWholeWithoutAHeadOfWords) {
  const Keys lora = {{"finetuning_type", "lora"}, {"additional_target", "embed_tokens"}, {"max_steps", "2"}};
  const ProgramResult trained = run_small(folder_, "adapter", keys("base", lora));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_EQ(PeftAdapter(folder_ / "adapter").saved().size(), 2U);
  const ProgramResult merged =
      run_ftrun({"export", "--model", (folder_ / "base").string(), "--adapter_name_or_path",
                 (folder_ / "adapter").string(), "--export_dir", (folder_ / "merged").string()});
  EXPECT_EQ(merged.exit_code, 0) << merged.err;
}

TEST_F(ClassifierAdapter, ALanguageModelRefusesIt) {
  ASSERT_EQ(run_small(folder_, "adapter", keys("base", {{"finetuning_type", "lora"}, {"max_steps", "1"}})).exit_code,
            0);
  ASSERT_EQ(run_small(folder_, "words", {{"max_steps", "1"}}).exit_code, 0);
  const ProgramResult refused = run_small(folder_, "refused",
                                          {{"model_name_or_path", (folder_ / "words").string()},
                                           {"train_from_scratch", ""},
                                           {"finetuning_type", "lora"},
                                           {"adapter_name_or_path", (folder_ / "adapter").string()}});
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("the adapter holds a whole 'score.weight'"));
}

}  // namespace
}  // namespace ftrun::test
