// config.json and generation_config.json: both dialects, every refusal with its line, what a save changes and keeps.
#include "core/io/hf_config.h"

#include "core/io/generation_config.h"
#include "tests/io/io_fixture.h"

namespace ftrun {
namespace {

using Json = nlohmann::json;

Json older_dialect() {
  return {{"architectures", {"SomeForCausalLM"}},
          {"model_type", "some"},
          {"hidden_size", 64},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"vocab_size", 100},
          {"torch_dtype", "bfloat16"},
          {"rope_theta", 500000.0},
          {"rope_scaling", nullptr},
          {"my_own_key", {1, 2}}};
}

ModelConfig parse(const Json& json) { return parse_model_config(json.dump(2), "config.json"); }

Json with(Json json, const char* key, const Json& value) {
  json[key] = value;
  return json;
}

void expect_refused(const Json& json, std::initializer_list<std::string> fragments) {
  SCOPED_TRACE(json.dump());
  expect_error(FTRUN_INVALID_ARGUMENT, fragments, [&] { parse(json); });
}

TEST(ModelConfig, ReadsTheOlderDialectWithDefaults) {
  const ModelConfig config = parse(older_dialect());
  EXPECT_EQ(config.architectures, std::vector<std::string>{"SomeForCausalLM"});
  EXPECT_EQ(config.model_type, "some");
  EXPECT_EQ(config.num_key_value_heads, 4);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.intermediate_size, 0);
  EXPECT_EQ(config.dtype, StoredDtype::kBF16);
  EXPECT_EQ(config.rope.theta, 500000.0);
  EXPECT_EQ(config.rope.type, "default");
  EXPECT_TRUE(config.rope.parameters.empty());
  EXPECT_TRUE(config.eos_token_ids.empty());
  EXPECT_FALSE(config.bos_token_id || config.pad_token_id || config.tie_word_embeddings);
  EXPECT_EQ(Json::parse(config.to_json_text()), older_dialect());
}

TEST(ModelConfig, ReadsFoldersOfTransformers5) {
  const ModelConfig scaled = read_model_config(golden_folder() / "config_llama/config.json");
  EXPECT_EQ(scaled.rope.theta, 500000.0);
  EXPECT_EQ(scaled.rope.type, "llama3");
  EXPECT_EQ(scaled.rope.parameters.at("low_freq_factor"), 1.0);
  EXPECT_EQ(scaled.rope.parameters.at("original_max_position_embeddings"), 512.0);
  EXPECT_EQ(scaled.eos_token_ids, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(scaled.dtype, StoredDtype::kBF16);
  const ModelConfig yarn = read_model_config(golden_folder() / "config_qwen2/config.json");
  EXPECT_EQ(yarn.rope.type, "yarn");
  EXPECT_EQ(yarn.rope.parameters.at("truncate"), 0.0);
  EXPECT_EQ(yarn.rope.parameters.at("beta_fast"), 16.0);
  EXPECT_TRUE(yarn.tie_word_embeddings);
  EXPECT_EQ(yarn.num_key_value_heads, 2);
  const ModelConfig plain = read_model_config(golden_folder() / "config_qwen3/config.json");
  EXPECT_EQ(plain.head_dim, 32);
  EXPECT_EQ(plain.rope.type, "default");
  EXPECT_EQ(plain.rope.theta, 10000.0);
}

TEST(ModelConfig, ReadsOlderScaling) {
  const Json scaling = {{"type", "linear"}, {"factor", 2}, {"short", {1, 2}}, {"attention_factor", nullptr}};
  const ModelConfig config = parse(with(older_dialect(), "rope_scaling", scaling));
  EXPECT_EQ(config.rope.type, "linear");
  EXPECT_EQ(config.rope.parameters, (std::map<std::string, double>{{"factor", 2.0}}));
  EXPECT_EQ(config.rope.theta, 500000.0);
}

TEST(ModelConfig, RefusesContradictingRope) {
  Json json = older_dialect();
  json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 2.0}};
  json["rope_parameters"] = {{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 500000.0}};
  EXPECT_EQ(parse(json).rope.type, "linear");
  expect_refused(with(json, "rope_theta", 10000.0), {"'rope_theta'", "500000"});
  json["rope_scaling"]["factor"] = 4.0;
  expect_refused(json, {"'rope_scaling'", "'rope_parameters'"});
  json["rope_scaling"] = {{"rope_type", "dynamic"}, {"factor", 2.0}};
  expect_refused(json, {"'rope_scaling'"});
  json["rope_scaling"] = {{"rope_type", "linear"}, {"type", "dynamic"}};
  expect_refused(json, {"'rope_type' and 'type'"});
  json.erase("rope_scaling");
  json["rope_parameters"] = {{"full_attention", {{"rope_type", "default"}}}};
  expect_refused(json, {"'rope_parameters'", "full_attention"});
  expect_refused(with(older_dialect(), "rope_scaling", "yarn"), {"'rope_scaling'", "an object", "\"yarn\""});
  expect_refused(with(older_dialect(), "rope_theta", 0), {"'rope_theta'", "> 0"});
}

TEST(ModelConfig, RefusesMissingAndIllTypedKeysWithTheirLine) {
  for (const char* key : {"hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"}) {
    Json json = older_dialect();
    json.erase(key);
    expect_refused(json, {key, "integer >= 1", "got nothing"});
    expect_refused(with(older_dialect(), key, 0), {key, "integer >= 1", "got 0"});
    expect_refused(with(older_dialect(), key, 2.5), {key, "got 2.5"});
    expect_refused(with(older_dialect(), key, "64"), {key, "got \"64\""});
    expect_refused(with(older_dialect(), key, UINT64_MAX), {key, "18446744073709551615"});
  }
  expect_error(FTRUN_INVALID_ARGUMENT, {"config.json:3: key 'hidden_size'"},
               [] { parse_model_config("{\n \"x\": \"hidden_size\",\n \"hidden_size\" : -1}", "config.json"); });
  expect_refused(with(older_dialect(), "architectures", "Some"), {"'architectures'", "list of strings"});
  expect_refused(with(older_dialect(), "tie_word_embeddings", 1), {"true or false"});
  expect_refused(with(older_dialect(), "rms_norm_eps", -1.0), {"'rms_norm_eps'", ">= 0"});
  expect_refused(with(older_dialect(), "hidden_act", 3), {"'hidden_act'", "a string"});
  expect_refused(with(older_dialect(), "torch_dtype", "float8_e4m3fn"), {"'torch_dtype'", "bfloat16", "float8"});
  expect_refused(with(older_dialect(), "eos_token_id", {1, "a"}), {"'eos_token_id'", "token ids"});
  const int64_t vocab_size = older_dialect().at("vocab_size").get<int64_t>();
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    expect_refused(with(older_dialect(), key, vocab_size),
                   {fmt::format("key '{}'", key), fmt::format("below the vocab_size of config.json, {}", vocab_size)});
    EXPECT_EQ(parse(with(older_dialect(), key, vocab_size - 1)).raw[key], vocab_size - 1);
    EXPECT_NO_THROW(parse(with(older_dialect(), key, nullptr)));
  }
  expect_refused(with(older_dialect(), "eos_token_id", {1, 99999}), {"'eos_token_id'", "got [1,99999]"});
  EXPECT_NO_THROW(parse(with(older_dialect(), "pad_token_id", -1)));
  expect_refused(with(older_dialect(), "num_key_value_heads", 3), {"divisor of num_attention_heads (4)"});
  expect_refused(with(older_dialect(), "num_attention_heads", 5), {"divisor of hidden_size (64)"});
  EXPECT_EQ(parse(with(with(older_dialect(), "num_attention_heads", 5), "head_dim", 32)).head_dim, 32);
  expect_refused(with(older_dialect(), "text_config", {{"hidden_size", 1}}), {"text_config"});
  expect_refused(with(older_dialect(), "quantization_config", {{"bits", 4}}), {"quantization_config"});
  expect_refused(Json::array(), {"JSON object"});
  expect_error(FTRUN_INVALID_ARGUMENT, {"config.json:2"}, [] { parse_model_config("{\n,}", "config.json"); });
  expect_error(FTRUN_NOT_FOUND, {"config.json"}, [] { read_model_config("/nonexistent/config.json"); });
}

TEST(ModelConfig, RefusesSlidingWindows) {
  expect_refused(with(older_dialect(), "sliding_window", 4096), {"'sliding_window'", "4096"});
  expect_refused(with(older_dialect(), "use_sliding_window", true), {"'use_sliding_window'", "false"});
  expect_refused(with(older_dialect(), "layer_types", {"full_attention", "sliding_attention"}),
                 {"'layer_types'", "layer 1", "'sliding_attention'", "full_attention"});
  Json allowed = with(with(older_dialect(), "sliding_window", 4096), "use_sliding_window", false);
  EXPECT_NO_THROW(parse(allowed));
  allowed.erase("use_sliding_window");
  EXPECT_NO_THROW(parse(with(allowed, "layer_types", {"full_attention", "full_attention"})));
}

TEST(ModelConfig, RefusesDropoutForTrainingOnly) {
  const ModelConfig config = parse(with(older_dialect(), "attention_dropout", 0.1));
  expect_error(FTRUN_UNIMPLEMENTED, {"config.json", "'attention_dropout'", "0.1"}, [&] { require_trainable(config); });
  require_trainable(parse(older_dialect()));
}

TEST(ModelConfig, ReadsTokenIds) {
  Json json = with(with(older_dialect(), "bos_token_id", 1), "pad_token_id", -1);
  ModelConfig config = parse(with(json, "eos_token_id", 2));
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_EQ(config.eos_token_ids, std::vector<int64_t>{2});
  EXPECT_FALSE(config.pad_token_id);
  config = parse(with(with(json, "pad_token_id", 0), "eos_token_id", {7, 8}));
  EXPECT_EQ(config.eos_token_ids, (std::vector<int64_t>{7, 8}));
  EXPECT_EQ(config.pad_token_id, 0);
}

TEST(ModelConfig, SavesForBothTransformers) {
  ModelConfigChanges changes;
  changes.dtype = StoredDtype::kF32;
  changes.vocab_size = 128;
  changes.tie_word_embeddings = true;
  changes.eos_token_ids = {5};
  changes.pad_token_id = 6;
  const ModelConfig older = with_changes(parse(older_dialect()), changes);
  EXPECT_EQ(older.raw["dtype"], "float32");
  EXPECT_EQ(older.raw["torch_dtype"], "float32");
  EXPECT_EQ(older.vocab_size, 128);
  EXPECT_EQ(older.raw["eos_token_id"], 5);
  EXPECT_EQ(older.pad_token_id, 6);
  EXPECT_TRUE(older.tie_word_embeddings);
  EXPECT_EQ(older.raw["my_own_key"], Json({1, 2}));
  EXPECT_FALSE(older.raw.contains("rope_parameters"));

  const ModelConfig newer = with_changes(read_model_config(golden_folder() / "config_llama/config.json"), {});
  EXPECT_EQ(newer.raw["torch_dtype"], "bfloat16");
  EXPECT_EQ(newer.raw["rope_theta"], 500000.0);
  EXPECT_EQ(newer.raw["rope_scaling"], Json({{"rope_type", "llama3"},
                                             {"factor", 8.0},
                                             {"low_freq_factor", 1.0},
                                             {"high_freq_factor", 4.0},
                                             {"original_max_position_embeddings", 512}}));
  EXPECT_EQ(newer.raw["rope_parameters"]["rope_theta"], 500000.0);
  EXPECT_EQ(with_changes(newer, {}).raw, newer.raw);
  EXPECT_TRUE(
      with_changes(read_model_config(golden_folder() / "config_qwen3/config.json"), {}).raw["rope_scaling"].is_null());
  changes.dtype = StoredDtype::kI32;
  expect_error(FTRUN_INVALID_ARGUMENT, {"I32"}, [&] { with_changes(newer, changes); });
}

TEST(GenerationConfig, TokenIdsAreAlignedAsTransformersDoes) {
  const auto ids = [](const char* text, std::optional<int64_t> eos) {
    return nlohmann::json::parse(with_token_ids(parse_generation_config(text, "g.json"), {}, eos, 7).to_json_text());
  };
  EXPECT_EQ(ids(R"({"eos_token_id": 0, "top_k": 5})", 2), nlohmann::json::parse(R"({"eos_token_id": [2, 0],
      "pad_token_id": 7, "top_k": 5})"));
  EXPECT_EQ(ids(R"({"eos_token_id": [0, 2]})", 2)["eos_token_id"], nlohmann::json({0, 2}));
  EXPECT_EQ(ids("{}", 2)["eos_token_id"], 2);
  EXPECT_FALSE(ids("{}", {}).contains("eos_token_id"));
}

TEST(GenerationConfig, ReadsRefusesAndFallsBack) {
  const std::string text =
      R"({"eos_token_id": [1, 2], "temperature": 0.6, "top_k": 20, "top_p": 0.95, "do_sample": true,
    "pad_token_id": 3, "bos_token_id": null, "repetition_penalty": 1.1, "max_new_tokens": 9, "mine": "x"})";
  const GenerationConfig config = parse_generation_config(text, "generation_config.json");
  EXPECT_EQ(config.eos_token_ids, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(config.temperature, 0.6);
  EXPECT_EQ(config.top_k, 20);
  EXPECT_EQ(config.do_sample, true);
  EXPECT_FALSE(config.bos_token_id || config.max_length);
  EXPECT_EQ(Json::parse(config.to_json_text()), Json::parse(text));
  expect_error(FTRUN_INVALID_ARGUMENT, {"g.json:1: key 'top_p'", "a number >= 0", "\"high\""},
               [] { parse_generation_config(R"({"top_p": "high"})", "g.json"); });
  expect_error(FTRUN_INVALID_ARGUMENT, {"g.json", "object"}, [] { parse_generation_config("3", "g.json"); });

  const TemporaryFolder folder;
  const ModelConfig model = parse(with(older_dialect(), "eos_token_id", {7, 8}));
  const GenerationConfig made = generation_config_of(folder.path(), model);
  EXPECT_EQ(made.eos_token_ids, (std::vector<int64_t>{7, 8}));
  EXPECT_EQ(made.raw, Json({{"_from_model_config", true}, {"eos_token_id", {7, 8}}}));
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    write_text(folder / "generation_config.json", fmt::format("{{\n  \"{}\": 99999\n}}", key));
    try {
      generation_config_of(folder.path(), model);
      ADD_FAILURE() << key;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
      EXPECT_EQ(std::string(error.what()),
                fmt::format("{}:2: key '{}': expected ids below the vocab_size of config.json, {}, got 99999",
                            (folder / "generation_config.json").string(), key, model.vocab_size));
    }
  }
  write_text(folder / "generation_config.json", R"({"pad_token_id": -1, "bos_token_id": null})");
  EXPECT_FALSE(generation_config_of(folder.path(), model).pad_token_id);
  write_text(folder / "generation_config.json", R"({"eos_token_id": 4})");
  EXPECT_EQ(generation_config_of(folder.path(), model).eos_token_ids, std::vector<int64_t>{4});
}

}  // namespace
}  // namespace ftrun
