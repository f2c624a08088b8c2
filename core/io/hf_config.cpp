// Reading both dialects of config.json into one struct, and saving a copy that both read.
#include "core/io/hf_config.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/io/config_keys.h"

namespace ftrun {
namespace {

using Json = nlohmann::json;

struct RopeObject {
  std::optional<std::string> type;
  std::optional<double> theta;
  std::map<std::string, double> parameters;
};

std::optional<double> read_theta(const ConfigKeys& keys) {
  const std::optional<double> theta = keys.number("rope_theta", 0.0);
  if (theta == 0.0) throw keys.wrong("rope_theta", "a number > 0");
  return theta;
}

RopeObject read_rope_object(const Json& object, const char* key, const ConfigKeys& outer, std::string_view text,
                            const std::filesystem::path& file) {
  if (!object.is_object()) throw outer.wrong(key, "an object");
  RopeObject rope;
  const ConfigKeys keys(object, text, file);
  rope.type = keys.string("rope_type");
  const std::optional<std::string> older = keys.string("type");
  if (rope.type && older && rope.type != older) throw outer.wrong(key, "'rope_type' and 'type' to agree");
  if (!rope.type) rope.type = older;
  rope.theta = read_theta(keys);
  for (const auto& [name, value] : object.items()) {
    if (value.is_object()) {
      throw outer.wrong(key, fmt::format("one flat object for all layers, not one per layer type ('{}')", name));
    }
    if (name == "rope_theta") continue;
    if (value.is_number()) rope.parameters.emplace(name, value.get<double>());
    if (value.is_boolean()) rope.parameters.emplace(name, value.get<bool>() ? 1.0 : 0.0);
  }
  return rope;
}

// Where a file has both dialects (ours do), they must say the same: transformers 4 and 5 would each follow their own.
void require_agreement(const RopeObject& scaling, const RopeObject& parameters, const ConfigKeys& keys) {
  bool same = scaling.type.value_or("default") == parameters.type.value_or("default");
  for (const auto& [name, value] : scaling.parameters) {
    const auto found = parameters.parameters.find(name);
    same = same && found != parameters.parameters.end() && found->second == value;
  }
  if (!same) throw keys.wrong("rope_scaling", "the same values as in 'rope_parameters'");
}

RopeConfig read_rope(const Json& raw, std::string_view text, const std::filesystem::path& file) {
  const ConfigKeys keys(raw, text, file);
  const Json* parameters_json = keys.find("rope_parameters");
  const Json* scaling_json = keys.find("rope_scaling");
  const std::optional<double> outer_theta = read_theta(keys);
  RopeObject object;
  if (parameters_json != nullptr) object = read_rope_object(*parameters_json, "rope_parameters", keys, text, file);
  if (scaling_json != nullptr) {
    const RopeObject scaling = read_rope_object(*scaling_json, "rope_scaling", keys, text, file);
    if (parameters_json == nullptr) {
      object = scaling;
    } else {
      require_agreement(scaling, object, keys);
    }
  }
  if (object.theta && outer_theta && object.theta != outer_theta) {
    throw keys.wrong("rope_theta", fmt::format("the {} that the rope object also gives", *object.theta));
  }
  RopeConfig rope;
  rope.theta = object.theta ? *object.theta : outer_theta.value_or(rope.theta);
  rope.type = object.type.value_or(rope.type);
  rope.parameters = object.parameters;
  return rope;
}

void refuse_sliding_window(const ConfigKeys& keys) {
  constexpr std::string_view kFull = "full_attention";
  const std::vector<std::string> layer_types = keys.strings("layer_types");
  for (size_t i = 0; i < layer_types.size(); ++i) {
    if (layer_types[i] == kFull) continue;
    throw invalid_argument("{}: layer {} is '{}', only '{}' is supported", keys.where("layer_types"), i, layer_types[i],
                           kFull);
  }
  if (!layer_types.empty()) return;
  const std::optional<bool> use = keys.boolean("use_sliding_window");
  if (use.value_or(false)) throw keys.wrong("use_sliding_window", "false: sliding-window attention is not supported");
  if (!use && keys.integer("sliding_window", 1)) {
    throw keys.wrong("sliding_window",
                     "null, or 'use_sliding_window': false beside it: sliding-window attention is not supported");
  }
}

std::optional<StoredDtype> read_config_dtype(const ConfigKeys& keys) {
  for (const char* key : {"dtype", "torch_dtype"}) {
    const std::optional<std::string> name = keys.string(key);
    if (!name || *name == "auto") continue;
    if (const std::optional<StoredDtype> dtype = parse_config_dtype_name(*name)) return dtype;
    throw keys.wrong(key, "float32, bfloat16, float16 or float64");
  }
  return {};
}

void read_heads(ModelConfig& config, const ConfigKeys& keys) {
  config.num_attention_heads = keys.required_integer("num_attention_heads", 1);
  config.num_key_value_heads = keys.integer("num_key_value_heads", 1).value_or(config.num_attention_heads);
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    throw keys.wrong("num_key_value_heads",
                     fmt::format("a divisor of num_attention_heads ({})", config.num_attention_heads));
  }
  const std::optional<int64_t> head_dim = keys.integer("head_dim", 1);
  if (!head_dim && config.hidden_size % config.num_attention_heads != 0) {
    throw keys.wrong("num_attention_heads",
                     fmt::format("a divisor of hidden_size ({}), or a head_dim", config.hidden_size));
  }
  config.head_dim = head_dim.value_or(config.hidden_size / config.num_attention_heads);
}

void read_token_ids(ModelConfig& config, const ConfigKeys& keys) {
  const std::vector<int64_t> bos = keys.token_ids("bos_token_id", config.vocab_size);
  if (!bos.empty()) config.bos_token_id = bos.front();
  config.pad_token_id = keys.token_id_or_none("pad_token_id", config.vocab_size);
  config.eos_token_ids = keys.token_ids("eos_token_id", config.vocab_size);
}

Json ids_json(const std::vector<int64_t>& ids) { return ids.size() == 1 ? Json(ids.front()) : Json(ids); }

// transformers 4 does not know rope_parameters and would fall back to its defaults without a word.
void add_older_rope_keys(Json& raw) {
  const auto found = raw.find("rope_parameters");
  if (found == raw.end() || !found->is_object()) return;
  Json scaling = *found;
  if (const auto theta = scaling.find("rope_theta"); theta != scaling.end()) {
    raw["rope_theta"] = *theta;
    scaling.erase(theta);
  }
  if (const auto part = scaling.find("partial_rotary_factor"); part != scaling.end()) {
    raw["partial_rotary_factor"] = *part;
    scaling.erase(part);
  }
  const bool plain = !scaling.contains("rope_type") || scaling["rope_type"] == "default";
  raw["rope_scaling"] = plain ? Json() : scaling;
}

}  // namespace

ModelConfig parse_model_config(std::string_view text, const std::filesystem::path& file) {
  ModelConfig config;
  config.file = file;
  config.raw = parse_json(text, file);
  if (!config.raw.is_object()) throw invalid_argument("{}: expected a JSON object", file.string());
  const ConfigKeys keys(config.raw, text, file);
  if (keys.find("text_config") != nullptr) {
    throw invalid_argument("{}: several models in one config; expected a text-only decoder", keys.where("text_config"));
  }
  if (keys.find("quantization_config") != nullptr) {
    throw invalid_argument("{}: quantised weights are not read; expected the unquantised model",
                           keys.where("quantization_config"));
  }
  config.architectures = keys.strings("architectures");
  config.model_type = keys.string("model_type").value_or("");
  config.hidden_size = keys.required_integer("hidden_size", 1);
  config.intermediate_size = keys.integer("intermediate_size", 1).value_or(0);
  config.num_hidden_layers = keys.required_integer("num_hidden_layers", 1);
  config.vocab_size = keys.required_integer("vocab_size", 1);
  config.max_position_embeddings = keys.integer("max_position_embeddings", 1).value_or(0);
  read_heads(config, keys);
  config.rms_norm_eps = keys.number("rms_norm_eps", 0.0).value_or(config.rms_norm_eps);
  config.initializer_range = keys.number("initializer_range", 0.0).value_or(config.initializer_range);
  config.attention_dropout = keys.number("attention_dropout", 0.0).value_or(0.0);
  config.tie_word_embeddings = keys.boolean("tie_word_embeddings").value_or(false);
  config.attention_bias = keys.boolean("attention_bias").value_or(false);
  config.mlp_bias = keys.boolean("mlp_bias").value_or(false);
  config.hidden_act = keys.string("hidden_act").value_or("");
  config.rope = read_rope(config.raw, text, file);
  refuse_sliding_window(keys);
  config.dtype = read_config_dtype(keys);
  read_token_ids(config, keys);
  return config;
}

ModelConfig read_model_config(const std::filesystem::path& config_file) {
  return parse_model_config(read_file(config_file), config_file);
}

std::string place_of_key(const std::filesystem::path& config_file, const char* key) {
  std::string text;
  try {
    text = read_file(config_file);
  } catch (const Error&) {
    // The message is about something else; it goes without a line.
  }
  return ConfigKeys(Json(), text, config_file).where(key);
}

std::string ModelConfig::to_json_text() const { return raw.dump(2) + "\n"; }

void require_trainable(const ModelConfig& config) {
  if (config.attention_dropout == 0.0) return;
  throw unimplemented("{}: expected 0 for training, got {}", place_of_key(config.file, "attention_dropout"),
                      config.attention_dropout);
}

ModelConfig with_changes(const ModelConfig& config, const ModelConfigChanges& changes) {
  Json raw = config.raw;
  if (const std::optional<StoredDtype> dtype = changes.dtype ? changes.dtype : config.dtype) {
    const std::string_view name = config_dtype_name(*dtype);
    if (name.empty()) throw invalid_argument("a model cannot be saved as {}", dtype_name(*dtype));
    raw["dtype"] = raw["torch_dtype"] = name;
  }
  if (changes.vocab_size) raw["vocab_size"] = *changes.vocab_size;
  if (changes.tie_word_embeddings) raw["tie_word_embeddings"] = *changes.tie_word_embeddings;
  if (changes.architectures) raw["architectures"] = *changes.architectures;
  if (changes.bos_token_id) raw["bos_token_id"] = *changes.bos_token_id;
  if (changes.pad_token_id) raw["pad_token_id"] = *changes.pad_token_id;
  if (!changes.eos_token_ids.empty()) raw["eos_token_id"] = ids_json(changes.eos_token_ids);
  add_older_rope_keys(raw);
  return parse_model_config(raw.dump(2), config.file);
}

}  // namespace ftrun
