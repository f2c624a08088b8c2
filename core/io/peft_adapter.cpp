// Reading an adapter: every tensor is half of a pair, a magnitude or a whole module, or the folder is refused.
#include "core/io/peft_adapter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>

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
  if (start == nullptr || is_among(start->dump(), kPlainStarts) || *start == "pissa") return;
  throw keys.wrong(
      "init_lora_weights",
      "an adapter whose base can be had: the part that such a start takes from the base is not in the file "
      "and, but for \"pissa\", is random or depends on data; convert it with PEFT's save_pretrained(..., "
      "path_initial_model_for_weight_conversion=...)");
}

std::vector<std::string> names_of(const ConfigKeys& keys, const char* key) {
  std::vector<std::string> names = keys.strings(key);
  std::ranges::sort(names);
  return names;
}

void read_targets(const ConfigKeys& keys, PeftConfig& config) {
  const nlohmann::json* targets = keys.find("target_modules");
  if (targets != nullptr && targets->is_string()) {
    config.target_pattern = targets->get<std::string>();
  } else if (targets != nullptr) {
    config.target_modules = names_of(keys, "target_modules");
  }
  for (const char* key : {"exclude_modules", "layers_pattern", "layers_to_transform"}) {
    if (const nlohmann::json* value = keys.find(key)) config.narrowing[key] = value->dump();
  }
}

bool is_expression(std::string_view name) { return name.find_first_of("*+?[](){}|^$\\") != std::string_view::npos; }

/// The end of the module's name after a dot, or all of it.
bool fits(const std::string& pattern, std::string_view module) {
  if (is_expression(pattern)) {
    return std::regex_match(module.begin(), module.end(), std::regex("(.*\\.)?(" + pattern + ")"));
  }
  if (!module.ends_with(pattern)) return false;
  return module.size() == pattern.size() || module[module.size() - pattern.size() - 1] == '.';
}

/// `text` is the whole file: the order of keys counts, and keys have lost it.
std::vector<PeftPattern> patterns_of(const ConfigKeys& keys, std::string_view text, const char* key, double minimum) {
  std::vector<PeftPattern> patterns;
  const nlohmann::json* value = keys.find(key);
  if (value == nullptr) return patterns;
  if (!value->is_object()) throw keys.wrong(key, "an object of module names and numbers");
  const auto ordered = nlohmann::ordered_json::parse(text);
  for (const auto& [name, number] : ordered.at(key).items()) {
    if (!number.is_number() || number.get<double>() < minimum) {
      throw keys.wrong(key, fmt::format("module names and numbers of at least {}", minimum));
    }
    try {
      if (is_expression(name)) std::regex{name};
    } catch (const std::regex_error&) {
      throw keys.wrong(key, fmt::format("module names or regular expressions ('{}' is none that is known here)", name));
    }
    patterns.push_back({name, number.get<double>()});
  }
  return patterns;
}

double value_of(const std::vector<PeftPattern>& patterns, std::string_view module, double otherwise) {
  const auto found =
      std::ranges::find_if(patterns, [&](const PeftPattern& pattern) { return fits(pattern.module, module); });
  return found == patterns.end() ? otherwise : found->value;
}

nlohmann::ordered_json number_json(double value) {
  if (value == std::floor(value)) return static_cast<int64_t>(value);
  return value;
}

nlohmann::ordered_json patterns_json(const std::vector<PeftPattern>& patterns) {
  auto json = nlohmann::ordered_json::object();
  for (const PeftPattern& pattern : patterns) json[pattern.module] = number_json(pattern.value);
  return json;
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

double PeftConfig::alpha_of(std::string_view module) const { return value_of(alpha_pattern, module, lora_alpha); }

int64_t PeftConfig::rank_of(std::string_view module) const {
  return static_cast<int64_t>(value_of(rank_pattern, module, static_cast<double>(r)));
}

std::string PeftConfig::to_json_text() const {
  using Json = nlohmann::ordered_json;
  const auto kept = [&](const char* key) {
    const auto found = narrowing.find(key);
    return found == narrowing.end() ? Json(nullptr) : Json::parse(found->second);
  };
  const Json json = {{"alpha_pattern", patterns_json(alpha_pattern)},
                     {"auto_mapping", nullptr},
                     {"base_model_name_or_path", base_model_name_or_path},
                     {"bias", "none"},
                     {"exclude_modules", kept("exclude_modules")},
                     {"fan_in_fan_out", false},
                     {"inference_mode", true},
                     {"init_lora_weights", is_principal ? Json("pissa") : Json(true)},
                     {"layers_pattern", kept("layers_pattern")},
                     {"layers_to_transform", kept("layers_to_transform")},
                     {"lora_alpha", number_json(lora_alpha)},
                     {"lora_dropout", lora_dropout},
                     {"modules_to_save", modules_to_save.empty() ? Json(nullptr) : Json(modules_to_save)},
                     {"peft_type", "LORA"},
                     {"r", r},
                     {"rank_pattern", patterns_json(rank_pattern)},
                     {"revision", nullptr},
                     {"target_modules", target_pattern.empty() ? Json(target_modules) : Json(target_pattern)},
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
  const nlohmann::json* start = keys.find("init_lora_weights");
  config.is_principal = start != nullptr && *start == "pissa";
  read_targets(keys, config);
  config.modules_to_save = names_of(keys, "modules_to_save");
  config.alpha_pattern = patterns_of(keys, text, "alpha_pattern", 0);
  config.rank_pattern = patterns_of(keys, text, "rank_pattern", 1);
  config.task_type = keys.string("task_type").value_or("");
  return config;
}

std::string peft_tensor_name(std::string_view name) { return fmt::format("{}{}", kPrefix, name); }

bool is_adapter_folder(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / kAdapterConfigFile, ignored);
}

PeftAdapter::PeftAdapter(const fs::path& folder) : folder_(folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored))
    throw not_found("'{}' is not a folder: expected an adapter as PEFT saves it", folder.string());
  const fs::path config_file = folder / kAdapterConfigFile;
  if (!is_adapter_folder(folder)) {
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
  drop_copies();
  for (auto& [module, pair] : pairs) {
    // What is no pair is refused by check_pairs.
    if (pair.a != nullptr && !pair.a->shape.empty()) pair.scale = config_.scale(config_.alpha_of(module), pair.rank());
    pairs_.push_back(pair);
  }
}

// Where the vocabulary was grown, PEFT writes embedding and head by the names inside its wrapper too: the base's, and
// what was trained a second time. Source: PEFT utils/save_and_load.py (save_embedding_layers).
void PeftAdapter::drop_copies() {
  for (const auto& [part, is_trained] : {std::pair<std::string_view, bool>(".modules_to_save", true),
                                         std::pair<std::string_view, bool>(".original_module", false)}) {
    for (auto entry = saved_.begin(); entry != saved_.end();) {
      std::string plain = entry->first;
      const size_t at = plain.find(part);
      if (at != std::string::npos) plain.erase(at, part.size());
      const auto original = at == std::string::npos ? saved_.end() : saved_.find(plain);
      if (original == saved_.end()) {
        ++entry;
        continue;
      }
      if (is_trained && !std::ranges::equal(entry->second->bytes, original->second->bytes)) {
        throw invalid_argument("{}: tensors '{}{}' and '{}{}' are one module and differ", file_->path().string(),
                               kPrefix, entry->first, kPrefix, plain);
      }
      entry = saved_.erase(entry);
    }
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
    if (pair.rank() != config_.rank_of(pair.module)) {
      throw invalid_argument("{}: '{}' has rank {}, and {} says {} (r, rank_pattern)", file, pair.module, pair.rank(),
                             kAdapterConfigFile, config_.rank_of(pair.module));
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
  // Not where the base lies, nor how the file is laid out.
  nlohmann::json config = parse_json(read_file(folder_ / kAdapterConfigFile), folder_ / kAdapterConfigFile);
  config.erase("base_model_name_or_path");
  uint64_t hash = ftrun::content_hash(config.dump());
  for (const TensorEntry& tensor : file_->tensors()) {
    hash = ftrun::content_hash(tensor.name, hash);
    hash = ftrun::content_hash(tensor.bytes, hash);
  }
  return hash;
}

}  // namespace ftrun
