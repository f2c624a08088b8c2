// Runs that train a part of the model: what changes, what does not, and how such runs are resumed.
// Leaves out: numbers under strategies (tests/strategies), refusals (refusal_test.cpp).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/io/safetensors.h"
#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Keys = std::map<std::string, std::string>;

Keys freeze_keys(Keys more = {}) {
  Keys keys = {{"finetuning_type", "freeze"}, {"freeze_trainable_layers", "1"}, {"max_steps", "6"}};
  for (const auto& [key, value] : more) keys[key] = value;
  return keys;
}

/// Names of tensors that differ between two model folders.
std::set<std::string> changed_tensors(const fs::path& before, const fs::path& after) {
  const SafetensorsFile a(before / "model.safetensors");
  const SafetensorsFile b(after / "model.safetensors");
  std::set<std::string> names;
  for (size_t i = 0; i < a.tensors().size(); ++i) {
    const TensorEntry& x = a.tensors()[i];
    const TensorEntry& y = b.tensors()[i];
    if (!std::ranges::equal(x.bytes, y.bytes)) names.insert(x.name);
  }
  return names;
}

/// Names of the model's tensors that contain one of the words.
std::set<std::string> tensors_with(const fs::path& folder, const std::vector<std::string>& words) {
  const SafetensorsFile file(folder / "model.safetensors");
  std::set<std::string> names;
  for (const TensorEntry& entry : file.tensors()) {
    for (const std::string& word : words) {
      if (entry.name.find(word) != std::string::npos) names.insert(entry.name);
    }
  }
  return names;
}

class Freeze : public testing::Test {
 protected:
  // The first update of a warm-up has learning rate 0.
  void SetUp() override { ASSERT_EQ(run_small(folder_, "initial", {{"max_steps", "1"}}).exit_code, 0); }
  std::set<std::string> changed(const std::string& name) {
    return changed_tensors(folder_ / "initial", folder_ / name);
  }
  std::set<std::string> with(const std::vector<std::string>& words) { return tensors_with(folder_ / "initial", words); }
  std::string layer(int64_t index) const { return "model.layers." + std::to_string(index) + "."; }
  int64_t layers() const {
    return nlohmann::json::parse(bytes_of(folder_ / "initial/config.json")).at("num_hidden_layers");
  }
  TestFolder folder_;
};

TEST_F(Freeze, TrainsTheNamedModulesOfTheNamedBlocksOnly) {
  const ProgramResult last = run_small(folder_, "last", freeze_keys());
  ASSERT_EQ(last.exit_code, 0) << last.err;
  EXPECT_THAT(last.err, HasSubstr("trained parameters: "));
  EXPECT_EQ(changed("last"), with({layer(layers() - 1)}));

  ASSERT_EQ(run_small(folder_, "first", freeze_keys({{"freeze_trainable_layers", "-1"}})).exit_code, 0);
  EXPECT_EQ(changed("first"), with({layer(0)}));

  const Keys named =
      freeze_keys({{"freeze_trainable_modules", "mlp,input_layernorm"}, {"freeze_extra_modules", "norm"}});
  ASSERT_EQ(run_small(folder_, "named", named).exit_code, 0);
  EXPECT_EQ(changed("named"),
            with({layer(layers() - 1) + "mlp", layer(layers() - 1) + "input_layernorm", "model.norm"}));
}

TEST_F(Freeze, HoldsGradientsAndStatesOfWhatIsTrainedOnly) {
  const ProgramResult full = run_small(folder_, "full", {{"max_steps", "2"}}, {"--json"});
  const ProgramResult part = run_small(folder_, "part", freeze_keys({{"max_steps", "2"}}), {"--json"});
  ASSERT_EQ(part.exit_code, 0) << part.err;
  const auto bytes = [](const ProgramResult& result, const char* category) {
    return nlohmann::json::parse(result.out).at("ranks").at(0).at("peak_memory_bytes").at(category).get<double>();
  };
  EXPECT_LT(bytes(part, "optimizer"), bytes(full, "optimizer") / 2);
  EXPECT_LT(bytes(part, "gradients"), bytes(full, "gradients") / 2);
}

TEST_F(Freeze, ResumesBitForBitUnderAnyStrategy) {
  const Keys saving = freeze_keys({{"bf16", "true"},
                                   {"save_dtype", "bfloat16"},
                                   {"save_strategy", "steps"},
                                   {"save_steps", "3"},
                                   {"strategy", "zero3"},
                                   {"nproc", "2"},
                                   {"per_device_train_batch_size", "2"}});
  ASSERT_EQ(run_small(folder_, "whole", saving).exit_code, 0);
  Keys resuming = saving;
  resuming["resume_from_checkpoint"] = (folder_ / "whole/checkpoint-3").string();
  const ProgramResult resumed = run_small(folder_, "resumed", resuming);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_TRUE(bytes_of(folder_ / "resumed/model.safetensors") == bytes_of(folder_ / "whole/model.safetensors"));

  Keys other = resuming;
  other["freeze_trainable_layers"] = "2";
  const ProgramResult refused = run_small(folder_, "other", other);
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("freeze_trainable_layers: is 2, and '"));
  EXPECT_THAT(refused.err, HasSubstr("freeze_trainable_layers: 1: restore it"));
}

}  // namespace
}  // namespace ftrun::test
