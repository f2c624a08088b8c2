// Splitting, index and stale files, as huggingface_hub and transformers do it.
#include "core/io/sharded_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/nearest_name.h"
#include "core/io/disk_space.h"

namespace ftrun {
namespace {

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

std::vector<std::vector<TensorSpec>> split(std::span<const TensorSpec> tensors, uint64_t max_shard_bytes) {
  std::vector<std::vector<TensorSpec>> shards;
  std::vector<TensorSpec> current;
  uint64_t current_bytes = 0;
  for (const TensorSpec& tensor : tensors) {
    const uint64_t bytes = tensor_bytes(tensor);
    if (bytes > max_shard_bytes) {
      shards.push_back({tensor});
      continue;
    }
    if (current_bytes + bytes > max_shard_bytes) {
      shards.push_back(std::exchange(current, {}));
      current_bytes = 0;
    }
    current.push_back(tensor);
    current_bytes += bytes;
  }
  if (!current.empty() || shards.empty()) shards.push_back(std::move(current));
  return shards;
}

std::vector<std::string> names_of_files(size_t count) {
  if (count == 1) return {kSingleFile};
  std::vector<std::string> names;
  for (size_t i = 1; i <= count; ++i) names.push_back(fmt::format("model-{:05}-of-{:05}.safetensors", i, count));
  return names;
}

std::string make_index_text(std::span<const std::vector<TensorSpec>> shards, std::span<const std::string> file_names,
                            uint64_t total_bytes) {
  nlohmann::json index;
  index["metadata"]["total_size"] = total_bytes;
  nlohmann::json& weight_map = index["weight_map"] = nlohmann::json::object();
  for (size_t i = 0; i < shards.size(); ++i) {
    for (const TensorSpec& tensor : shards[i]) weight_map[tensor.name] = file_names[i];
  }
  return index.dump(2) + "\n";
}

uint64_t sum_of_bytes(std::span<const TensorSpec> tensors) {
  uint64_t total = 0;
  for (const TensorSpec& tensor : tensors) {
    if (__builtin_add_overflow(total, tensor_bytes(tensor), &total) || total > uint64_t{INT64_MAX}) {
      throw invalid_argument("the tensors together do not fit 63 bits of bytes, at '{}'", tensor.name);
    }
  }
  return total;
}

bool is_weight_file(const std::string& name) {
  if (name == kSingleFile || name == kIndexFile) return true;
  return name.starts_with("model-") && name.find("-of-") != std::string::npos && name.ends_with(".safetensors");
}

}  // namespace

uint64_t parse_size_bytes(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {
      {"KiB", 1024.0}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}, {"KB", 1e3},
      {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12},    {"", 1.0},
  };
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const auto& [name, factor] : kUnits) {
    const bool same = unit.size() == name.size() && std::equal(unit.begin(), unit.end(), name.begin(),
                                                               [](char a, char b) { return (a | 0x20) == (b | 0x20); });
    const double bytes = number * factor;
    if (failure == std::errc() && same && bytes >= 1 && bytes < 0x1p63) return static_cast<uint64_t>(bytes);
  }
  throw invalid_argument(
      "'{}' is not a size: expected a positive number with KB, MB, GB, TB, KiB, MiB, GiB, TiB or no unit", text);
}

ShardedModelWriter::ShardedModelWriter(const std::filesystem::path& folder, std::vector<TensorSpec> tensors,
                                       uint64_t max_shard_bytes)
    : folder_(folder), total_bytes_(sum_of_bytes(tensors)) {
  require_disk_space(folder, sharded_model_bytes(tensors, max_shard_bytes), "the model");
  shards_ = split(tensors, max_shard_bytes);
  file_names_ = names_of_files(shards_.size());
  writers_.resize(shards_.size());
  for (size_t i = 0; i < shards_.size(); ++i) {
    for (const TensorSpec& tensor : shards_[i]) {
      if (!shard_of_name_.emplace(tensor.name, i).second) {
        throw invalid_argument("tensor '{}' is declared twice", tensor.name);
      }
    }
  }
}

void ShardedModelWriter::write(std::string_view name, std::span<const std::byte> bytes) {
  const auto found = shard_of_name_.find(std::string(name));
  if (found == shard_of_name_.end()) {
    std::vector<std::string> names;
    for (const auto& [known, shard] : shard_of_name_) names.push_back(known);
    std::sort(names.begin(), names.end());
    throw invalid_argument("{}: tensor '{}' was not declared{}", folder_.string(), name, did_you_mean(name, names));
  }
  const size_t i = found->second;
  if (!writers_[i]) writers_[i] = std::make_unique<SafetensorsWriter>(folder_ / file_names_[i], shards_[i]);
  writers_[i]->write(name, bytes);
}

std::string ShardedModelWriter::index_text() const { return make_index_text(shards_, file_names_, total_bytes_); }

void ShardedModelWriter::finish() {
  for (size_t i = 0; i < writers_.size(); ++i) {
    if (!writers_[i]) writers_[i] = std::make_unique<SafetensorsWriter>(folder_ / file_names_[i], shards_[i]);
  }
  for (const auto& writer : writers_) writer->require_complete();
  for (const auto& writer : writers_) writer->finish();
  if (shards_.size() > 1) write_file_atomically(folder_ / kIndexFile, index_text());
  remove_stale_files();
}

void ShardedModelWriter::remove_stale_files() const {
  std::set<std::string> written(file_names_.begin(), file_names_.end());
  if (shards_.size() > 1) written.insert(kIndexFile);
  std::vector<std::filesystem::path> stale;
  for (const auto& item : std::filesystem::directory_iterator(folder_)) {
    const std::string name = item.path().filename().string();
    if (is_weight_file(name) && !written.contains(name)) stale.push_back(item.path());
  }
  for (const std::filesystem::path& path : stale) {
    std::error_code failure;
    std::filesystem::remove(path, failure);
    if (failure) throw io_error("cannot remove the earlier save's '{}': {}", path.string(), failure.message());
  }
}

uint64_t sharded_model_bytes(std::span<const TensorSpec> tensors, uint64_t max_shard_bytes) {
  const uint64_t total = sum_of_bytes(tensors);
  const std::vector<std::vector<TensorSpec>> shards = split(tensors, max_shard_bytes);
  const std::vector<std::string> file_names = names_of_files(shards.size());
  uint64_t bytes = shards.size() > 1 ? make_index_text(shards, file_names, total).size() : 0;
  for (const std::vector<TensorSpec>& shard : shards) {
    bytes += layout_safetensors(shard, model_file_metadata()).file_bytes;
  }
  return bytes;
}

}  // namespace ftrun
