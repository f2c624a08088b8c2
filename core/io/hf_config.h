// config.json of a Hugging Face model folder, in both dialects (transformers 4 and 5): what the host itself needs.
// Leaves out: keys of one architecture; network plugins receive the whole text and read what they need.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/stored_dtype.h"

namespace ftrun {

/// Rotary embedding, from `rope_parameters` (5) or `rope_theta` and `rope_scaling` (4).
struct RopeConfig {
  /// Absent keys: 10000, the default of the decoder families of the Hub.
  double theta = 10000.0;
  /// `rope_type` (or the older `type`), "default" when there is no scaling. Not interpreted here.
  std::string type = "default";
  /// Every other numeric key of the scaling (factor, beta_fast, attention_factor, ...); true and false are 1 and 0,
  /// null values are left out, lists stay in the raw text only.
  std::map<std::string, double> parameters;
};

/// A parsed config.json. Plain data; copy freely.
struct ModelConfig {
  std::filesystem::path file;
  std::vector<std::string> architectures;
  std::string model_type;
  int64_t hidden_size = 0;
  /// 0 where absent.
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  /// num_attention_heads where absent.
  int64_t num_key_value_heads = 0;
  /// hidden_size / num_attention_heads where absent; families with another default read the raw text themselves.
  int64_t head_dim = 0;
  int64_t vocab_size = 0;
  /// 0 where absent.
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  double initializer_range = 0.02;
  double attention_dropout = 0.0;
  /// false where absent.
  bool tie_word_embeddings = false;
  bool attention_bias = false;
  bool mlp_bias = false;
  /// "" where absent.
  std::string hidden_act;
  RopeConfig rope;
  /// `dtype` or `torch_dtype`.
  std::optional<StoredDtype> dtype;
  std::optional<int64_t> bos_token_id;
  std::optional<int64_t> pad_token_id;
  /// Empty where absent or null; one or several ids otherwise.
  std::vector<int64_t> eos_token_ids;
  /// Everything as read, unknown keys included.
  nlohmann::json raw;

  /// The text for saving and for network plugins: `raw`, indented by 2, keys sorted, newline at the end.
  std::string to_json_text() const;
};

/// Reads and validates. Throws NOT_FOUND, or INVALID_ARGUMENT "FILE:LINE: key 'K': expected ..., got ..." for a missing
/// or ill-typed key, heads that do not divide, a rope type given twice with different values, sliding-window attention,
/// a token id that the vocabulary does not have.
ModelConfig read_model_config(const std::filesystem::path& config_file);
ModelConfig parse_model_config(std::string_view text, const std::filesystem::path& file);

/// "FILE:LINE: key 'K'", for messages about a value that does not go with something else; without the line when the
/// file lacks the key or cannot be read any more.
std::string place_of_key(const std::filesystem::path& config_file, const char* key);

/// Refuses what inference ignores but training does not support: attention_dropout other than 0.
/// Throws UNIMPLEMENTED naming file and key.
void require_trainable(const ModelConfig& config);

/// What a save changes in the raw config; absent members stay as they are.
struct ModelConfigChanges {
  std::optional<StoredDtype> dtype;
  std::optional<int64_t> vocab_size;
  std::optional<bool> tie_word_embeddings;
  std::optional<std::vector<std::string>> architectures;
  std::optional<int64_t> bos_token_id;
  std::optional<int64_t> pad_token_id;
  std::vector<int64_t> eos_token_ids;
};

/// A copy for saving which opens in transformers 4 and 5: unknown keys and the original dialect are kept, `dtype` and
/// `torch_dtype` are both written, `rope_theta` and `rope_scaling` are added to a version-5 config.
ModelConfig with_changes(const ModelConfig& config, const ModelConfigChanges& changes);

}  // namespace ftrun
