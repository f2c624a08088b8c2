// Reading an adapter: every tensor is half of a pair, a magnitude or a whole module, or the folder is refused.
#include "core/io/peft_adapter.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/io/config_keys.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "base_model.model.";

/// Keys that PEFT knows and that change the arithmetic, with the values that leave it alone.
struct NeutralKey {
  const char* key;
  const char* values;  ///< JSON texts, '|' between
};
constexpr std::array kNeutralKeys = {
    NeutralKey{"bias", "\"none\""},
    NeutralKey{"fan_in_fan_out", "false"},
    NeutralKey{"lora_bias", "false"},
    NeutralKey{"use_qalora", "false"},
    NeutralKey{"use_bdlora", "false"},
    NeutralKey{"layer_replication", "[]|{}"},
    NeutralKey{"target_parameters", "[]"},
    NeutralKey{"trainable_token_indices", "[]|{}"},
    NeutralKey{"alora_invocation_tokens", "[]"},
    NeutralKey{"arrow_config", "{}"},
    NeutralKey{"megatron_config", "{}"},
    NeutralKey{"kasa_config", "{}"},
    NeutralKey{"monteclora_config", "{}"},
    NeutralKey{"velora_config", "{}"},
};

/// Values of init_lora_weights whose pairs start at zero. The others move a part of the base weights into the pair.
constexpr std::string_view kPlainStarts = "true|false|\"gaussian\"|\"orthogonal\"";

bool is_among(const std::string& value, std::string_view values) {
  for (size_t begin = 0; begin <= values.size();) {
    const size_t end = std::min(values.find('|', begin), values.size());
    if (values.substr(begin, end - begin) == value) return true;
    begin = end + 1;
  }
  return false;
}

void require_neutral(const ConfigKeys& keys) {
  for (const NeutralKey& neutral : kNeutralKeys) {
    const nlohmann::json* value = keys.find(neutral.key);
    if (value == nullptr || is_among(value->dump(), neutral.values)) continue;
    throw keys.wrong(neutral.key, fmt::format("{} (anything else is not implemented)", neutral.values));
  }
  const nlohmann::json* start = keys.find("init_lora_weights");
  if (start == nullptr || is_among(start->dump(), kPlainStarts)) return;
  throw keys.wrong("init_lora_weights",
                   "an adapter for the unchanged base: convert it with PEFT's save_pretrained(..., "
                   "path_initial_model_for_weight_conversion=...)");
}

/// A list of names, or one text that PEFT takes as a pattern. What is adapted is told by the tensors, so patterns are
/// not interpreted.
std::vector<std::string> names_of(const ConfigKeys& keys, const char* key) {
  const nlohmann::json* value = keys.find(key);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>()};
  std::vector<std::string> names = keys.strings(key);
  std::ranges::sort(names);
  return names;
}

std::map<std::string, double> alpha_pattern_of(const ConfigKeys& keys) {
  std::map<std::string, double> pattern;
  const nlohmann::json* value = keys.find("alpha_pattern");
  if (value == nullptr) return pattern;
  if (!value->is_object()) throw keys.wrong("alpha_pattern", "an object of module names and numbers");
  for (const auto& [name, alpha] : value->items()) {
    if (name.find_first_of("*+?[](){}|^$\\") != std::string::npos || !alpha.is_number()) {
      throw keys.wrong("alpha_pattern", "module names and numbers (regular expressions are not implemented)");
    }
    pattern[name] = alpha.get<double>();
  }
  return pattern;
}

double alpha_of(const PeftConfig& config, const std::string& module) {
  for (const auto& [name, alpha] : config.alpha_pattern) {
    if (module == name || module.ends_with("." + name)) return alpha;
  }
  return config.lora_alpha;
}

const TensorEntry** slot_of(PeftPair& pair, std::string_view part) {
  if (part == "lora_A.weight") return &pair.a;
  if (part == "lora_B.weight") return &pair.b;
  if (part == "lora_magnitude_vector" || part == "lora_magnitude_vector.weight") return &pair.magnitude;
  return nullptr;
}

}  // namespace

double PeftConfig::scale(double alpha, int64_t rank) const {
  const auto width = static_cast<double>(rank);
  return use_rslora ? alpha / std::sqrt(width) : alpha / width;
}

std::string PeftConfig::to_json_text() const {
  const auto names = [](const std::vector<std::string>& list) {
    return list.empty() ? nlohmann::json(nullptr) : nlohmann::json(list);
  };
  nlohmann::json json = {
      {"alpha_pattern", nlohmann::json::object()},
      {"auto_mapping", nullptr},
      {"base_model_name_or_path", base_model_name_or_path},
      {"bias", "none"},
      {"fan_in_fan_out", false},
      {"inference_mode", true},
      {"init_lora_weights", true},
      {"layers_pattern", nullptr},
      {"layers_to_transform", nullptr},
      {"lora_alpha", lora_alpha == std::floor(lora_alpha) ? nlohmann::json(static_cast<int64_t>(lora_alpha))
                                                          : nlohmann::json(lora_alpha)},
      {"lora_dropout", lora_dropout},
      {"modules_to_save", names(modules_to_save)},
      {"peft_type", "LORA"},
      {"r", r},
      {"rank_pattern", nlohmann::json::object()},
      {"revision", nullptr},
      {"target_modules", target_modules},
      {"task_type", task_type},
      {"use_dora", use_dora},
      {"use_rslora", use_rslora}};
  return json.dump(2) + "\n";
}

PeftConfig parse_peft_config(std::string_view text, const fs::path& file) {
  const nlohmann::json json = parse_json(text, file);
  if (!json.is_object()) throw invalid_argument("{}: expected a JSON object", file.string());
  const ConfigKeys keys(json, text, file);
  if (keys.string("peft_type").value_or("") != "LORA") throw keys.wrong("peft_type", "\"LORA\"");
  require_neutral(keys);
  PeftConfig config;
  config.base_model_name_or_path = keys.string("base_model_name_or_path").value_or("");
  config.r = keys.integer("r", 1).value_or(8);
  config.lora_alpha = keys.number("lora_alpha", 0.0).value_or(8);
  config.lora_dropout = keys.number("lora_dropout", 0.0).value_or(0);
  config.use_rslora = keys.boolean("use_rslora").value_or(false);
  config.use_dora = keys.boolean("use_dora").value_or(false);
  config.target_modules = names_of(keys, "target_modules");
  config.modules_to_save = names_of(keys, "modules_to_save");
  config.alpha_pattern = alpha_pattern_of(keys);
  config.task_type = keys.string("task_type").value_or("");
  return config;
}

std::string peft_tensor_name(std::string_view name) { return fmt::format("{}{}", kPrefix, name); }

bool is_adapter_folder(const fs::path& folder) { return fs::is_regular_file(folder / kAdapterConfigFile); }

PeftAdapter::PeftAdapter(const fs::path& folder) : folder_(folder) {
  if (!fs::is_directory(folder))
    throw not_found("'{}' is not a folder: expected an adapter as PEFT saves it", folder.string());
  const fs::path config_file = folder / kAdapterConfigFile;
  if (!fs::is_regular_file(config_file)) {
    throw not_found("'{}' has no {}: expected an adapter as PEFT saves it", folder.string(), kAdapterConfigFile);
  }
  config_ = parse_peft_config(read_file(config_file), config_file);
  if (!fs::is_regular_file(folder / kAdapterWeightsFile)) {
    if (fs::is_regular_file(folder / "adapter_model.bin")) {
      throw not_found("'{}' has pickled weights only (adapter_model.bin): save it again with safe_serialization=True",
                      folder.string());
    }
    throw not_found("'{}' has no {}", folder.string(), kAdapterWeightsFile);
  }
  file_ = std::make_unique<SafetensorsFile>(folder / kAdapterWeightsFile);
  read_tensors();
  check_pairs();
}

void PeftAdapter::read_tensors() {
  std::map<std::string, PeftPair, std::less<>> pairs;
  for (const TensorEntry& tensor : file_->tensors()) {
    if (!tensor.name.starts_with(kPrefix)) {
      throw invalid_argument("{}: tensor '{}': expected a name that begins with '{}'", file_->path().string(),
                             tensor.name, kPrefix);
    }
    const std::string name = tensor.name.substr(kPrefix.size());
    const size_t at = name.find(".lora_");
    if (at == std::string::npos) {
      saved_[name] = &tensor;
      continue;
    }
    PeftPair& pair = pairs[name.substr(0, at)];
    pair.module = name.substr(0, at);
    const TensorEntry** slot = slot_of(pair, std::string_view(name).substr(at + 1));
    if (slot == nullptr) {
      throw invalid_argument("{}: tensor '{}' is no part of a low-rank pair that is known here", file_->path().string(),
                             tensor.name);
    }
    *slot = &tensor;
  }
  for (auto& [module, pair] : pairs) {
    // What is no pair is refused by check_pairs.
    if (pair.a != nullptr && !pair.a->shape.empty()) pair.scale = config_.scale(alpha_of(config_, module), pair.rank());
    pairs_.push_back(pair);
  }
}

void PeftAdapter::check_pairs() const {
  const std::string file = file_->path().string();
  for (const PeftPair& pair : pairs_) {
    if (pair.a == nullptr || pair.b == nullptr) {
      throw invalid_argument("{}: '{}' has lora_{} but no lora_{}", file, pair.module, pair.a != nullptr ? "A" : "B",
                             pair.a != nullptr ? "B" : "A");
    }
    if (pair.a->shape.size() != 2 || pair.b->shape.size() != 2 || pair.a->shape[0] != pair.b->shape[1]) {
      throw invalid_argument("{}: '{}': lora_A {} and lora_B {} are no pair: expected [r, in] and [out, r]", file,
                             pair.module, fmt::join(pair.a->shape, "x"), fmt::join(pair.b->shape, "x"));
    }
    if ((pair.magnitude != nullptr) != config_.use_dora) {
      throw invalid_argument("{}: '{}' has {} lora_magnitude_vector, but {} says use_dora is {}", file, pair.module,
                             pair.magnitude != nullptr ? "a" : "no", kAdapterConfigFile, config_.use_dora);
    }
  }
  if (pairs_.empty()) throw invalid_argument("{}: there is no low-rank pair in it", file);
}

const PeftPair* PeftAdapter::find_pair(std::string_view module) const noexcept {
  const auto found = std::ranges::lower_bound(pairs_, module, {}, &PeftPair::module);
  return found != pairs_.end() && found->module == module ? &*found : nullptr;
}

uint64_t PeftAdapter::content_hash() const {
  uint64_t hash = ftrun::content_hash(read_file(folder_ / kAdapterConfigFile));
  for (const TensorEntry& tensor : file_->tensors()) {
    hash = ftrun::content_hash(tensor.name, hash);
    hash = ftrun::content_hash(tensor.bytes, hash);
  }
  return hash;
}

}  // namespace ftrun
