// Sequence-classification folders: their score.weight is the reward model's head, and they cannot talk.
// Leaves out: the arithmetic of reward modelling (tests/paradigms).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

  Keys adapted = keys;
  adapted["finetuning_type"] = "lora";
  const ProgramResult pairs = run_small(folder, "adapted", adapted);
  EXPECT_NE(pairs.exit_code, 0);
  EXPECT_THAT(pairs.err, HasSubstr("on a sequence classifier"));
}

}  // namespace
}  // namespace ftrun::test
