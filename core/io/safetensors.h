// Reading one safetensors file: memory-mapped, fully validated, tensors as byte spans without a copy.
// Leaves out: writing (safetensors_writer.h), sharded models (model_weights.h), element conversion (convert.h).
// Source of the format: https://github.com/huggingface/safetensors (README, "Format").
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/files.h"
#include "core/io/stored_dtype.h"

namespace ftrun {

/// Name, element type and shape of a tensor that is to be written or expected.
struct TensorSpec {
  std::string name;
  StoredDtype dtype = StoredDtype::kF32;
  std::vector<int64_t> shape;
};

/// A tensor in a mapped file. `bytes` is borrowed from the SafetensorsFile, little-endian, row-major, without padding;
/// it is aligned only as the file is (files of the safetensors library: to the element size).
struct TensorEntry {
  std::string name;
  StoredDtype dtype = StoredDtype::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
  std::filesystem::path file;

  uint64_t num_elements() const noexcept { return bytes.size() / dtype_size_bytes(dtype); }
};

/// An open safetensors file. Immutable after construction, so any thread may read. Movable; entries and their spans
/// stay valid across a move and die with the object.
class SafetensorsFile {
 public:
  /// Maps and validates `path`. Throws NOT_FOUND / PERMISSION_DENIED, and INVALID_ARGUMENT naming file, tensor and
  /// expectation for: a file shorter than its header or data, bytes after the data, a header over 100 MB or not JSON,
  /// duplicate names, unknown dtype, negative or overflowing shape, a shape that does not fit its bytes, offsets out of
  /// range, overlaps and holes. After this nothing about the file needs checking again.
  explicit SafetensorsFile(const std::filesystem::path& path);

  /// Tensors in the order of their bytes in the file.
  std::span<const TensorEntry> tensors() const noexcept { return tensors_; }

  /// The tensor of that name, or nullptr.
  const TensorEntry* find(std::string_view name) const noexcept;

  /// The tensor of that name. Throws INVALID_ARGUMENT naming the file and the nearest name.
  const TensorEntry& require(std::string_view name) const;

  /// The header's "__metadata__", empty when absent.
  const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }

  const std::filesystem::path& path() const noexcept { return file_.path(); }

  /// Bytes of all tensors together, without the header.
  uint64_t data_bytes() const noexcept { return data_bytes_; }

 private:
  MappedFile file_;
  std::vector<TensorEntry> tensors_;
  std::unordered_map<std::string, size_t> index_of_name_;
  std::map<std::string, std::string> metadata_;
  uint64_t data_bytes_ = 0;
};

}  // namespace ftrun
