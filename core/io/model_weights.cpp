// Finding and joining the weight files of a model folder.
#include "core/io/model_weights.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/json_text.h"

namespace ftrun {
namespace {

using Path = std::filesystem::path;

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr size_t kListedNames = 10;

/// The first ten, and how many more.
std::string list_text(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kListedNames);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

[[noreturn]] void refuse_folder_without_weights(const Path& folder) {
  std::vector<std::string> safetensors;
  bool pickled = false;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    const std::string name = item.path().filename().string();
    if (item.path().extension() == ".safetensors") safetensors.push_back(name);
    pickled |= name.starts_with("pytorch_model") && name.ends_with(".bin");
  }
  std::sort(safetensors.begin(), safetensors.end());
  const std::string where = folder.string();
  if (std::filesystem::exists(folder / "adapter_config.json")) {
    throw invalid_argument(
        "{}: this is an adapter folder, expected a model folder with {}: give the base model instead", where,
        kSingleFile);
  }
  if (safetensors.size() > 1) {
    throw invalid_argument(
        "{}: {} .safetensors files ({}) but no {}: several files need the index that says which tensor "
        "is where; save the model again with save_pretrained or fetch the index too",
        where, safetensors.size(), list_text(safetensors), kIndexFile);
  }
  if (safetensors.size() == 1) {
    throw invalid_argument("{}: expected {} or {}, found only '{}': rename it if it holds the whole model", where,
                           kSingleFile, kIndexFile, safetensors[0]);
  }
  if (pickled) {
    throw invalid_argument(
        "{}: only pickled weights (pytorch_model*.bin), which are not read because unpickling runs "
        "code: convert them with transformers' from_pretrained and save_pretrained",
        where);
  }
  throw not_found("{}: no weights: expected {} or {}", where, kSingleFile, kIndexFile);
}

void check_shard_name(const std::string& shard, const std::string& tensor, const Path& index_file) {
  if (!shard.empty() && Path(shard).filename() == shard && shard != "." && shard != "..") return;
  throw invalid_argument("{}: weight_map: tensor '{}': shard '{}': expected a plain file name in the same folder",
                         index_file.string(), tensor, shard);
}

/// tensor -> shard file name, both validated.
std::map<std::string, std::string> read_weight_map(const Path& index_file) {
  const nlohmann::json index = read_json_file(index_file);
  const auto found = index.is_object() ? index.find("weight_map") : index.end();
  if (!index.is_object() || found == index.end() || !found->is_object() || found->empty()) {
    throw invalid_argument("{}: key 'weight_map': expected a non-empty object of tensor name: file name",
                           index_file.string());
  }
  std::map<std::string, std::string> weight_map;
  for (const auto& [tensor, shard] : found->items()) {
    if (!shard.is_string()) {
      throw invalid_argument("{}: weight_map: tensor '{}': expected a file name, got {}", index_file.string(), tensor,
                             shard.dump());
    }
    check_shard_name(shard.get_ref<const std::string&>(), tensor, index_file);
    weight_map.emplace(tensor, shard.get<std::string>());
  }
  return weight_map;
}

}  // namespace

ModelWeights::ModelWeights(const std::filesystem::path& folder) : folder_(folder) {
  if (!std::filesystem::is_directory(folder)) {
    throw not_found("'{}' is not a folder: expected a Hugging Face model folder", folder.string());
  }
  if (std::filesystem::exists(folder / kSingleFile)) {
    add_file(folder / kSingleFile);
  } else if (std::filesystem::exists(folder / kIndexFile)) {
    open_shards(folder / kIndexFile);
  } else {
    refuse_folder_without_weights(folder);
  }
  std::sort(names_.begin(), names_.end());
}

void ModelWeights::add_file(const std::filesystem::path& path) {
  files_.push_back(std::make_unique<SafetensorsFile>(path));
  for (const TensorEntry& entry : files_.back()->tensors()) {
    const auto [place, is_new] = tensors_.emplace(entry.name, &entry);
    if (!is_new) {
      throw invalid_argument("{}: tensor '{}' is in two shards: '{}' and '{}'", folder_.string(), entry.name,
                             place->second->file.filename().string(), path.filename().string());
    }
    names_.push_back(entry.name);
  }
  total_bytes_ += files_.back()->data_bytes();
}

void ModelWeights::open_shards(const std::filesystem::path& index_file) {
  const std::map<std::string, std::string> weight_map = read_weight_map(index_file);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : weight_map) {
    if (shards.insert(shard).second && !std::filesystem::exists(folder_ / shard)) {
      throw invalid_argument("{}: weight_map names '{}' (for tensor '{}'), which is not in the folder",
                             index_file.string(), shard, tensor);
    }
  }
  for (const std::string& shard : shards) add_file(folder_ / shard);
  for (const auto& [tensor, shard] : weight_map) {
    const TensorEntry* entry = find(tensor);
    if (entry != nullptr && entry->file.filename() == shard) continue;
    throw invalid_argument("{}: weight_map says tensor '{}' is in '{}', but {}", index_file.string(), tensor, shard,
                           entry == nullptr ? std::string("it is in none of the shards")
                                            : fmt::format("it is in '{}'", entry->file.filename().string()));
  }
  for (const std::string& name : names_) {
    if (weight_map.contains(name)) continue;
    throw invalid_argument("{}: tensor '{}' of '{}' is missing from weight_map", index_file.string(), name,
                           find(name)->file.filename().string());
  }
}

const TensorEntry* ModelWeights::find(std::string_view name) const noexcept {
  const auto found = tensors_.find(std::string(name));
  return found == tensors_.end() ? nullptr : found->second;
}

const TensorEntry& ModelWeights::require(std::string_view name, std::span<const int64_t> shape) const {
  const TensorEntry* entry = find(name);
  if (entry == nullptr) {
    throw invalid_argument("{}: no tensor '{}'", folder_.string(), name);
  }
  if (!std::equal(shape.begin(), shape.end(), entry->shape.begin(), entry->shape.end())) {
    throw invalid_argument("{}: tensor '{}' has shape {}, expected {} from config.json", entry->file.string(), name,
                           shape_text(entry->shape), shape_text(shape));
  }
  return *entry;
}

void ModelWeights::require_exactly(std::span<const TensorSpec> expected, std::span<const std::string> ignorable) const {
  std::vector<std::string> missing;
  std::vector<std::string> misshapen;
  std::vector<std::string> left_over;
  std::set<std::string_view> known(ignorable.begin(), ignorable.end());
  for (const TensorSpec& tensor : expected) {
    known.insert(tensor.name);
    const TensorEntry* entry = find(tensor.name);
    if (entry == nullptr) {
      missing.push_back(tensor.name);
    } else if (entry->shape != tensor.shape) {
      misshapen.push_back(
          fmt::format("{} is {}, expected {}", tensor.name, shape_text(entry->shape), shape_text(tensor.shape)));
    }
  }
  for (const std::string& name : names_) {
    if (!known.contains(name)) left_over.push_back(name);
  }
  std::string problems;
  const auto add = [&](const char* title, const std::vector<std::string>& names) {
    if (!names.empty()) problems += fmt::format("; {} {}: {}", names.size(), title, list_text(names));
  };
  add("missing", missing);
  add("of another shape", misshapen);
  add("left over", left_over);
  if (!problems.empty()) {
    throw invalid_argument("{}: the weights do not fit the model of config.json{}", folder_.string(), problems);
  }
}

StoredDtype ModelWeights::main_dtype() const noexcept {
  std::array<uint64_t, static_cast<size_t>(StoredDtype::kU64) + 1> bytes = {};
  for (const auto& [name, entry] : tensors_) bytes[static_cast<size_t>(entry->dtype)] += entry->bytes.size();
  const auto most = std::max_element(bytes.begin(), bytes.end());
  return *most == 0 ? StoredDtype::kF32 : static_cast<StoredDtype>(most - bytes.begin());
}

uint64_t ModelWeights::content_hash() const {
  uint64_t hash = 0;
  for (const std::string& name : names_) {
    const TensorEntry& entry = *tensors_.at(name);
    const std::string text = fmt::format("{} {} {}", name, static_cast<int>(entry.dtype), fmt::join(entry.shape, ","));
    hash = ftrun::content_hash(entry.bytes, ftrun::content_hash(text, hash));
  }
  return hash;
}

void remove_model_weights(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) return;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    const std::string name = item.path().filename().string();
    const bool is_shard = name.starts_with("model-") && name.ends_with(".safetensors");
    if (is_shard || name == kSingleFile || name == kIndexFile) std::filesystem::remove(item.path());
  }
}

bool has_model_weights(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / kSingleFile) || std::filesystem::exists(folder / kIndexFile);
}

}  // namespace ftrun
