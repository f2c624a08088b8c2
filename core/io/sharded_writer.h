// Writing a model's weights as transformers does: one model.safetensors, or shards and an index when it is too large.
// Leaves out: everything else of a model folder (model_folder.h).
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/io/safetensors_writer.h"

namespace ftrun {

/// "5GB" of transformers 4: tensors of one shard together hold at most this, unless a single tensor is larger.
inline constexpr uint64_t kDefaultMaxShardBytes = 5'000'000'000;

/// Reads "5GB", "500MB", "2GiB" or a plain number of bytes. Throws INVALID_ARGUMENT saying what is accepted.
uint64_t parse_size_bytes(std::string_view text);

/// Weights being written into a folder. Files appear in finish(), all of them complete. Not thread-safe.
class ShardedModelWriter {
 public:
  /// Splits `tensors` greedily in the order given (huggingface_hub's split_state_dict_into_shards) and checks that the
  /// disk has room for exactly all files. `folder` must exist.
  ShardedModelWriter(const std::filesystem::path& folder, std::vector<TensorSpec> tensors,
                     uint64_t max_shard_bytes = kDefaultMaxShardBytes);

  /// Appends bytes to one tensor, in any order and in any pieces (see SafetensorsWriter::write). A shard's file is
  /// opened with its first bytes, so writing in the declared order keeps few files open.
  void write(std::string_view name, std::span<const std::byte> bytes);

  /// Completes all files, then removes weight files of an earlier save that this one does not replace (a stale
  /// model.safetensors would win over new shards when loading).
  void finish();

  /// Bytes of all tensors: the index's metadata.total_size.
  uint64_t total_bytes() const noexcept { return total_bytes_; }

  /// Names of the weight files, without folder, in order; the index is not among them.
  const std::vector<std::string>& file_names() const noexcept { return file_names_; }

 private:
  void remove_stale_files() const;
  std::string index_text() const;

  std::filesystem::path folder_;
  std::vector<std::vector<TensorSpec>> shards_;
  std::vector<std::string> file_names_;
  std::vector<std::unique_ptr<SafetensorsWriter>> writers_;
  std::unordered_map<std::string, size_t> shard_of_name_;
  uint64_t total_bytes_ = 0;
};

/// Exact bytes on disk of a model written by ShardedModelWriter, headers and index included.
uint64_t sharded_model_bytes(std::span<const TensorSpec> tensors, uint64_t max_shard_bytes = kDefaultMaxShardBytes);

}  // namespace ftrun
