// What `ftrun check` announces for each stage is what a run then holds, the frozen reference included; and stages on
// the emulated NPU. Leaves out: numbers of losses there (tests/paradigms), strategies one by one (tests/strategies).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using Keys = std::map<std::string, std::string>;

/// Two steps on two emulated NPUs in bf16.
Keys stage_keys(const std::string& stage, const Keys& more) {
  static const Keys datasets = {{"sft", "demo_train"},
                                {"pt", "demo_text_train"},
                                {"rm", "demo_pairs_train"},
                                {"dpo", "demo_pairs_train"},
                                {"kto", "demo_labelled_train"}};
  Keys keys = {{"stage", stage},
               {"dataset", datasets.at(stage)},
               {"device", "npu_a2"},
               {"bf16", "true"},
               {"nproc", "2"},
               {"per_device_train_batch_size", "2"},
               {"gradient_accumulation_steps", "1"},
               {"max_samples", "16"},
               {"max_steps", "2"}};
  if (stage == "pt") keys["template"] = "";
  for (const auto& [key, value] : more) keys[key] = value;
  return keys;
}

struct Planned {
  const char* name;
  const char* stage;
  Keys keys;
  int frozen_copies = 0;  ///< of the model, beside the trained one
};
void PrintTo(const Planned& planned, std::ostream* out) { *out << planned.name; }

class PlannedMemory : public testing::TestWithParam<Planned> {};

TEST_P(PlannedMemory, IsWhatTheRunHolds) {
  const TestFolder folder;
  const Keys keys = stage_keys(GetParam().stage, GetParam().keys);
  const fs::path config = write_text(folder / "run.yaml", small_config(folder / "run", keys));
  const ProgramResult checked = run_ftrun({"check", "--config", config.string(), "--json"});
  ASSERT_EQ(checked.exit_code, 0) << checked.err;
  const ProgramResult run = run_ftrun({"--config", config.string(), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const json announced = json::parse(checked.out).at("bytes");
  for (const json& rank : json::parse(run.out).at("ranks")) {
    for (const char* category : {"weights", "gradients", "optimizer", "gather"}) {
      const double held = rank.at("peak_memory_bytes").value(category, 0.0);
      EXPECT_NEAR(held, announced.at(category).get<double>(), 0.02 * held + 2 * 4096) << category;
    }
  }
  const bool is_sharded = keys.at("strategy") == "zero3";
  const double copy = 2.0 * json::parse(checked.out).at("parameters").get<double>() / (is_sharded ? 2 : 1);
  EXPECT_NEAR(announced.at("weights").get<double>(), copy * (1 + GetParam().frozen_copies), 0.1 * copy);
}

INSTANTIATE_TEST_SUITE_P(Stages, PlannedMemory,
                         testing::Values(Planned{"pt_ddp", "pt", {{"strategy", "ddp"}}, 0},
                                         Planned{"rm_zero3", "rm", {{"strategy", "zero3"}}, 0},
                                         Planned{"dpo_zero3", "dpo", {{"strategy", "zero3"}}, 1},
                                         Planned{"dpo_zero2_precomputed",
                                                 "dpo",
                                                 {{"strategy", "zero2"}, {"precompute_ref_log_probs", "true"}},
                                                 0},
                                         Planned{"simpo_ddp", "dpo", {{"strategy", "ddp"}, {"pref_loss", "simpo"}}, 0},
                                         Planned{"kto_zero1", "kto", {{"strategy", "zero1"}}, 1}),
                         [](const auto& tested) { return std::string(tested.param.name); });

/// A base is merged, decomposed or measured on the device while its slices lie on the host.
TEST(Offloaded, AdaptersOfEveryKindBeginWhereTheyDoWithout) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "2"}}).exit_code, 0);
  const Keys lora = {{"model_name_or_path", (folder / "base").string()},
                     {"train_from_scratch", ""},
                     {"finetuning_type", "lora"},
                     {"bf16", ""}};
  Keys first = stage_keys("sft", lora);
  first["strategy"] = "zero3";
  ASSERT_EQ(run_small(folder, "first", first).exit_code, 0);
  const std::string adapter = (folder / "first").string();
  const std::vector<Keys> kinds = {{{"use_dora", "true"}},
                                   {{"pissa_init", "true"}},
                                   {{"adapter_name_or_path", adapter}, {"create_new_adapter", "true"}}};
  for (const Keys& kind : kinds) {
    Keys keys = first;
    for (const auto& [key, value] : kind) keys[key] = value;
    ASSERT_EQ(run_small(folder, "resident", keys).exit_code, 0);
    keys["strategy"] = "{name: zero3, offload_optimizer: cpu, offload_param: cpu}";
    const ProgramResult offloaded = run_small(folder, "offloaded", keys);
    ASSERT_EQ(offloaded.exit_code, 0) << offloaded.err;
    EXPECT_TRUE(bytes_of(folder / "resident/adapter_model.safetensors") ==
                bytes_of(folder / "offloaded/adapter_model.safetensors"))
        << kind.begin()->first;
    for (const char* name : {"resident", "offloaded"}) fs::remove_all(folder / name);
  }
}

}  // namespace
}  // namespace ftrun::test
