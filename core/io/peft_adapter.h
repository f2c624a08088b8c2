// PEFT's adapter folder: adapter_config.json and adapter_model.safetensors with low-rank pairs and whole modules.
// Leaves out: what the pairs do to a model (core/model), which modules a run adapts (core/train/adapters.h).
// Source: PEFT 0.17 tuners/lora/config.py and utils/save_and_load.py (get_peft_model_state_dict).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/safetensors.h"

namespace ftrun {

/// A value for the modules that a name or regular expression ends on.
struct PeftPattern {
  std::string module;  ///< "q_proj", "layers.0.self_attn.q_proj", or a regular expression
  double value = 0;
};

/// adapter_config.json, the keys that change numbers. Others of PEFT are at their neutral value or refused.
struct PeftConfig {
  std::string base_model_name_or_path;
  int64_t r = 8;
  double lora_alpha = 8;
  double lora_dropout = 0;
  bool use_rslora = false;
  bool use_dora = false;
  /// init_lora_weights is "pissa": the pairs stand beside a base that lacks its principal part of their rank.
  bool is_principal = false;
  std::vector<std::string> target_modules;   ///< child names such as q_proj, sorted; empty where there is a pattern
  std::string target_pattern;                ///< target_modules as one regular expression (or all-linear)
  std::vector<std::string> modules_to_save;  ///< child names, sorted
  /// Usually empty. Of several that fit a module the first counts, in the file's order.
  std::vector<PeftPattern> alpha_pattern;
  std::vector<PeftPattern> rank_pattern;
  /// JSON texts of the keys that narrow target_modules (layers_to_transform, layers_pattern, exclude_modules), as read:
  /// which modules have pairs is told by the tensors.
  std::map<std::string, std::string> narrowing;
  std::string task_type = "CAUSAL_LM";

  /// alpha / rank, or alpha / sqrt(rank) with rslora.
  double scale(double alpha, int64_t rank) const;
  /// Of a module by its name in the model. Source: PEFT utils/other.py, get_pattern_key.
  double alpha_of(std::string_view module) const;
  int64_t rank_of(std::string_view module) const;
  /// Keys sorted, as PEFT's save_pretrained writes them.
  std::string to_json_text() const;
};

/// Throws INVALID_ARGUMENT "FILE:LINE: key 'K': ..." for another peft_type than LORA and for keys whose value changes
/// what the adapter computes in a way that is not implemented (bias, fan_in_fan_out, use_qalora, init_lora_weights that
/// cannot be computed again, ...).
PeftConfig parse_peft_config(std::string_view text, const std::filesystem::path& file);

/// One adapted linear layer as the files have it.
struct PeftPair {
  std::string module;                      ///< "model.layers.0.self_attn.q_proj"
  const TensorEntry* a = nullptr;          ///< [r, in]
  const TensorEntry* b = nullptr;          ///< [out, r]
  const TensorEntry* magnitude = nullptr;  ///< [out]; NULL without DoRA
  double scale = 1.0;
  int64_t rank() const { return a->shape[0]; }
};

/// An opened adapter. Immutable: any thread may read. Entries die with it.
class PeftAdapter {
 public:
  /// Throws NOT_FOUND (no folder, no adapter_config.json, no adapter_model.safetensors; pickled weights only) or
  /// INVALID_ARGUMENT naming file and tensor: a pair without its other half, shapes that are not those of a pair or
  /// of the configured rank, DoRA without magnitudes, a tensor that is neither.
  explicit PeftAdapter(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const noexcept { return folder_; }
  const PeftConfig& config() const noexcept { return config_; }
  /// Ordered by module.
  const std::vector<PeftPair>& pairs() const noexcept { return pairs_; }
  const PeftPair* find_pair(std::string_view module) const noexcept;
  /// Whole tensors of modules_to_save, by the base model's name ("lm_head.weight").
  const std::map<std::string, const TensorEntry*, std::less<>>& saved() const noexcept { return saved_; }
  /// Of configuration and tensors.
  uint64_t content_hash() const;

 private:
  void read_tensors();
  void drop_copies();
  void check_pairs() const;

  std::filesystem::path folder_;
  PeftConfig config_;
  std::unique_ptr<SafetensorsFile> file_;
  std::vector<PeftPair> pairs_;
  std::map<std::string, const TensorEntry*, std::less<>> saved_;
};

/// Names of an adapter's tensors in its file: "base_model.model." and the name.
std::string peft_tensor_name(std::string_view name);

/// True when `folder` has an adapter_config.json.
bool is_adapter_folder(const std::filesystem::path& folder);

inline constexpr const char* kAdapterConfigFile = "adapter_config.json";
inline constexpr const char* kAdapterWeightsFile = "adapter_model.safetensors";

}  // namespace ftrun
