// adapter_config.json there and back: what PEFT reads in it must say what was read.
// Leaves out: tensors and arithmetic (tests/model/lora_test.cpp).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/peft_adapter.h"

namespace ftrun::test {
namespace {

using nlohmann::ordered_json;

ordered_json written_again(const ordered_json& config) {
  return ordered_json::parse(parse_peft_config(config.dump(), "adapter_config.json").to_json_text());
}

TEST(PeftConfig, PatternsAndTargetsAreWrittenAsTheyWereRead) {
  const ordered_json patterns = {{"target_modules", ".*\\.(q_proj|down_proj)"},
                                 {"layers_to_transform", {1, 2}},
                                 {"layers_pattern", "layers"},
                                 {"exclude_modules", {"o_proj"}},
                                 {"rank_pattern", {{"layers.1.self_attn.q_proj", 8}, {"q_proj", 2}}},
                                 {"alpha_pattern", {{"q_proj", 32}, {"down_proj", 0.5}}}};
  ordered_json config = {{"peft_type", "LORA"}, {"r", 4}, {"lora_alpha", 8}};
  config.update(patterns);
  const ordered_json again = written_again(config);
  for (const auto& [key, value] : patterns.items()) EXPECT_EQ(again.at(key), value) << key;
  config["target_modules"] = {"v_proj", "q_proj"};
  config["layers_to_transform"] = 3;
  EXPECT_EQ(written_again(config).at("target_modules"), ordered_json({"q_proj", "v_proj"}));
  EXPECT_EQ(written_again(config).at("layers_to_transform"), 3);
  EXPECT_EQ(written_again(config).at("init_lora_weights"), true);
  config["init_lora_weights"] = "pissa";
  EXPECT_EQ(written_again(config).at("init_lora_weights"), "pissa");
}

TEST(PeftConfig, TheFirstPatternThatFitsCounts) {
  const PeftConfig config = parse_peft_config(
      R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8,
          "rank_pattern": {"q_proj": 2, "layers.1.self_attn.q_proj": 8, "_proj": 16},
          "alpha_pattern": {"layers\\.[12]\\..*(k|v)_proj": 3, "^v_proj": 5}})",
      "adapter_config.json");
  EXPECT_EQ(config.rank_of("model.layers.1.self_attn.q_proj"), 2);
  EXPECT_EQ(config.rank_of("model.layers.1.self_attn.o_proj"), 4) << "a part of a word is no name";
  EXPECT_EQ(config.alpha_of("model.layers.1.self_attn.v_proj"), 3);
  EXPECT_EQ(config.alpha_of("model.layers.3.self_attn.v_proj"), 8);
  EXPECT_EQ(config.alpha_of("v_proj"), 5);
}

TEST(PeftConfig, RefusesWhatItCannotCompute) {
  for (const char* line : {R"("rank_pattern": {"q_proj": 0})", R"("alpha_pattern": {"q_proj": "8"})",
                           R"("alpha_pattern": {"(q_proj": 8})", R"("init_lora_weights": "pissa_niter_4")",
                           R"("init_lora_weights": "olora")", R"("modules_to_save": "lm_head")"}) {
    const std::string text = std::string("{\"peft_type\": \"LORA\",\n") + line + "}";
    try {
      parse_peft_config(text, "adapter_config.json");
      FAIL() << line;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
      EXPECT_THAT(error.what(), testing::StartsWith("adapter_config.json:2: key '")) << line;
    }
  }
}

}  // namespace
}  // namespace ftrun::test
