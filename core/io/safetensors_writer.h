// Writing one safetensors file tensor by tensor, without ever holding the model.
// Leaves out: several files with an index (sharded_writer.h).
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
#include "core/io/safetensors.h"

namespace ftrun {

using SafetensorsMetadata = std::map<std::string, std::string>;

/// The metadata that transformers wants to find in a model's weight files.
SafetensorsMetadata model_file_metadata();

/// Where everything goes in a file of these tensors: byte for byte what the safetensors library (0.8) writes, that is
/// tensors by dtype descending, then by name, header padded with spaces to 8 bytes.
struct SafetensorsLayout {
  /// Length prefix and padded JSON.
  std::string header;
  /// Offset in the file of each given tensor, in the order given.
  std::vector<uint64_t> offsets;
  uint64_t file_bytes = 0;
};

/// Throws INVALID_ARGUMENT: duplicate or reserved name, name that is not UTF-8, negative shape, header over 100 MB.
SafetensorsLayout layout_safetensors(std::span<const TensorSpec> tensors, const SafetensorsMetadata& metadata);

/// One file being written. The target appears complete in finish() or not at all. Not thread-safe.
class SafetensorsWriter {
 public:
  /// Lays out the file, checks that the disk has room for exactly that many bytes (RESOURCE_EXHAUSTED naming both
  /// figures) and writes the header to a temporary sibling of `path`.
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorSpec> tensors,
                    const SafetensorsMetadata& metadata = model_file_metadata());

  /// Appends bytes to one tensor. Tensors may come in any order and interleaved; each in as many pieces as convenient.
  /// Throws INVALID_ARGUMENT for an undeclared name or more bytes than declared, DATA_LOSS when the disk refuses.
  void write(std::string_view name, std::span<const std::byte> bytes);

  /// Throws FAILED_PRECONDITION naming a tensor of which not all bytes were written.
  void require_complete() const;

  /// require_complete(), then makes the file appear under its name, flushed to disk.
  void finish();

  uint64_t file_bytes() const noexcept { return layout_.file_bytes; }

 private:
  std::vector<TensorSpec> tensors_;
  SafetensorsLayout layout_;
  std::vector<uint64_t> written_bytes_;
  std::unordered_map<std::string, size_t> index_of_name_;
  std::filesystem::path path_;
  AtomicFile file_;
};

/// Size in bytes of one tensor. Throws INVALID_ARGUMENT for a negative or overflowing shape.
uint64_t tensor_bytes(const TensorSpec& tensor);

}  // namespace ftrun
