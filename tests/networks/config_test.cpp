// config.json as the network plugins read it: what is refused, and which dimensions come out.
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/model/network_model.h"
#include "tests/model/model_fixture.h"

namespace ftrun::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json small() {
  return {{"hidden_size", 32},
          {"intermediate_size", 48},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"vocab_size", 83},
          {"max_position_embeddings", 128}};
}

std::unique_ptr<NetworkModel> make(const std::string& network, const std::string& text) {
  const auto* table = static_cast<const ftrun_network*>(open_plugin("network", network)->table);
  return std::make_unique<NetworkModel>(table, test_host(), nullptr, text, "models/config.json");
}

/// The message with which a changed config is refused; "" when it is accepted.
std::string refusal(const std::string& network, const json& changes) {
  json config = small();
  config.update(changes);
  try {
    make(network, config.dump(2));
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT) << error.what();
    return error.what();
  }
}

TEST(NetworkConfig, WhatIsNoJsonIsRefusedWithLineColumnAndReason) {
  const std::string good = small().dump(2);
  const std::pair<std::string, std::string> cases[] = {
      {"{\"a\": tru}", "models/config.json:1:7: not valid JSON: 'tru' is no JSON value"},
      {good + std::string("\0junk", 5), "not valid JSON: a zero byte"},
      {good.substr(0, good.size() - 2) + ",\n  \"rope_theta\": 1e999\n}",
       "models/config.json:9:17: not valid JSON: the number"},
      {good.substr(0, good.size() - 2) + ",\n  \"vocab_size\": 84\n}",
       "models/config.json:9: not valid: key 'vocab_size'"}};
  for (const auto& [text, message] : cases) {
    try {
      make("llama", text);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
}

TEST(NetworkConfig, RefusalsNameFileLineKeyAndExpectation) {
  const std::vector<std::pair<json, std::string>> cases = {
      {{{"hidden_size", -3}}, "hidden_size"},
      {{{"hidden_size", "32"}}, "hidden_size"},
      {{{"vocab_size", nullptr}}, "vocab_size"},
      {{{"num_key_value_heads", 3}}, "divisor of num_attention_heads"},
      {{{"num_attention_heads", 5}, {"num_key_value_heads", 5}}, "divisor of hidden_size"},
      {{{"head_dim", 7}}, "even"},
      {{{"hidden_act", "gelu"}}, "silu"},
      {{{"rms_norm_eps", 0}}, "rms_norm_eps"},
      {{{"tie_word_embeddings", "yes"}}, "true or false"},
      {{{"quantization_config", {{"bits", 4}}}}, "quantization_config"},
      {{{"layer_types", {"full_attention", "sliding_attention"}}}, "layer_types"},
      {{{"use_sliding_window", true}, {"sliding_window", 16}, {"max_window_layers", 1}}, "use_sliding_window"},
      {{{"partial_rotary_factor", 0.5}}, "partial_rotary_factor"},
      {{{"rope_scaling", {{"rope_type", "dynamic"}, {"factor", 2.0}}}}, "rope_scaling.rope_type"},
      {{{"rope_parameters", {{"rope_type", "longrope"}}}}, "rope_parameters.rope_type"},
      {{{"rope_scaling", {{"type", "linear"}}}}, "rope_scaling.factor"},
      {{{"rope_scaling", {{"type", "yarn"}, {"original_max_position_embeddings", 64}}}}, "rope_scaling.factor"},
      {{{"rope_parameters", {{"rope_type", "yarn"}}}}, "rope_parameters.factor"},
      {{{"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8}, {"low_freq_factor", 4}, {"high_freq_factor", 1}}}},
       "high_freq_factor"},
      {{{"rope_theta", 0}}, "rope_theta"},
  };
  for (const auto& [changes, expected] : cases) {
    const std::string message = refusal("llama", changes);
    EXPECT_THAT(message, HasSubstr(expected)) << changes;
    EXPECT_THAT(message, HasSubstr("models/config.json")) << changes;
  }
  EXPECT_THAT(refusal("llama", {{"hidden_act", "gelu"}}), HasSubstr("config.json:2: key 'hidden_act'"));
}

TEST(NetworkConfig, MalformedJsonNamesTheLine) {
  try {
    make("llama", "{\n \"hidden_size\": 3,,\n}");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("models/config.json:2"));
  }
  EXPECT_THROW(make("llama", "[1]"), Error);
}

TEST(NetworkConfig, UnusedSlidingWindowsAreAccepted) {
  EXPECT_EQ(refusal("qwen2", {{"use_sliding_window", false}, {"sliding_window", 16}}), "");
  EXPECT_EQ(refusal("qwen2", {{"use_sliding_window", true}, {"sliding_window", 16}, {"max_window_layers", 2}}), "");
  EXPECT_EQ(refusal("qwen3", {{"use_sliding_window", true}, {"sliding_window", nullptr}}), "");
  EXPECT_EQ(refusal("qwen3", {{"layer_types", {"full_attention", "full_attention"}}}), "");
}

TEST(NetworkConfig, DefaultsAreTheArchitectures) {
  json config = small();
  config.erase("num_key_value_heads");
  EXPECT_EQ(make("llama", config.dump())->info().n_kv_heads, 4);
  EXPECT_EQ(make("llama", config.dump())->info().head_dim, 8);
  config["num_key_value_heads"] = nullptr;
  const auto qwen3 = make("qwen3", config.dump());
  EXPECT_EQ(qwen3->info().n_kv_heads, 4);
  EXPECT_EQ(qwen3->info().head_dim, 128);
  EXPECT_GE(qwen3->find("model.layers.1.self_attn.q_norm.weight"), 0);
  EXPECT_LT(qwen3->find("model.layers.0.self_attn.q_proj.bias"), 0);
  const auto qwen2 = make("qwen2", config.dump());
  EXPECT_GE(qwen2->find("model.layers.0.self_attn.q_proj.bias"), 0);
  EXPECT_LT(qwen2->find("model.layers.0.self_attn.o_proj.bias"), 0);
}

TEST(NetworkConfig, TiedModelsDeclareOneMatrix) {
  json config = small();
  const auto untied = make("llama", config.dump());
  config["tie_word_embeddings"] = true;
  const auto tied = make("llama", config.dump());
  EXPECT_EQ(untied->parameters().size(), tied->parameters().size() + 1);
  EXPECT_EQ(tied->info().head_parameter, tied->find("model.embed_tokens.weight"));
  EXPECT_EQ(tied->find("lm_head.weight"), tied->info().head_parameter);
}

TEST(NetworkConfig, EachArchitectureIsClaimedOnce) {
  for (const auto& [network, family] :
       std::vector<std::pair<std::string, std::string>>{{"llama", "Llama"}, {"qwen2", "Qwen2"}, {"qwen3", "Qwen3"}}) {
    const auto* table = static_cast<const ftrun_network*>(open_plugin("network", network)->table);
    EXPECT_EQ(std::string(table->architectures.data, table->architectures.size),
              family + "ForCausalLM," + family + "ForSequenceClassification");
  }
}

}  // namespace
}  // namespace ftrun::test
