// The weights of a Hugging Face model folder: model.safetensors, or shards with model.safetensors.index.json.
// Leaves out: element conversion (convert.h) and what the names mean (network plugins).
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/io/safetensors.h"

namespace ftrun {

/// All tensors of one model folder, mapped. Immutable after construction: any thread may read.
class ModelWeights {
 public:
  /// Opens `folder`. model.safetensors is used where it exists, otherwise the index and every shard it names.
  /// Throws NOT_FOUND (no such folder, no weights in it) or INVALID_ARGUMENT: a malformed file, a shard that is
  /// missing, a tensor that the index names but its shard lacks, a tensor in two shards, a tensor in a shard but not in
  /// the index, several .safetensors without an index, pickled weights only (with the advice to convert), an adapter
  /// folder.
  explicit ModelWeights(const std::filesystem::path& folder);

  /// The tensor of that name, or nullptr.
  const TensorEntry* find(std::string_view name) const noexcept;

  /// The tensor of that name with that shape. Throws INVALID_ARGUMENT naming folder, tensor and both shapes.
  const TensorEntry& require(std::string_view name, std::span<const int64_t> shape) const;

  /// Checks that every expected tensor is there with its shape (dtypes may differ) and that nothing else is, apart from
  /// names in `ignorable`. Throws INVALID_ARGUMENT listing missing, left-over and misshapen tensors (first ten of
  /// each).
  void require_exactly(std::span<const TensorSpec> expected, std::span<const std::string> ignorable = {}) const;

  /// All names, sorted.
  const std::vector<std::string>& names() const noexcept { return names_; }

  /// Bytes of all tensors.
  uint64_t total_bytes() const noexcept { return total_bytes_; }

  /// The dtype that holds most of the bytes: what "the input folder's dtype" means when saving. F32 for an empty model.
  StoredDtype main_dtype() const noexcept;

  const std::filesystem::path& folder() const noexcept { return folder_; }

  /// Of every tensor's name, dtype, shape and bytes, whatever files they lie in. Reads everything once.
  uint64_t content_hash() const;

 private:
  void open_shards(const std::filesystem::path& index_file);
  void add_file(const std::filesystem::path& path);

  std::filesystem::path folder_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::unordered_map<std::string, const TensorEntry*> tensors_;
  std::vector<std::string> names_;
  uint64_t total_bytes_ = 0;
};

/// True when `folder` holds weights that ModelWeights would try to open (model.safetensors or its index).
bool has_model_weights(const std::filesystem::path& folder);

/// Removes model.safetensors, its index and its shards.
void remove_model_weights(const std::filesystem::path& folder);

}  // namespace ftrun
