// Named arrays of training state (optimizer moments, RNG, positions) in safetensors files with a kind and a version.
// Leaves out: what the arrays mean; trainer_state.json, which is plain JSON written by the training loop.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"

namespace ftrun {

/// Writes one state file. `kind` says what it is ("optimizer"), `version` what its arrays look like; both are checked
/// when reading. `values` are small texts kept in the header. Any tool that reads safetensors can look inside.
class StateWriter {
 public:
  StateWriter(const std::filesystem::path& path, std::string_view kind, int64_t version,
              std::vector<TensorSpec> tensors, const SafetensorsMetadata& values = {});

  /// See SafetensorsWriter::write and finish.
  void write(std::string_view name, std::span<const std::byte> bytes) { writer_.write(name, bytes); }
  void finish() { writer_.finish(); }
  uint64_t file_bytes() const noexcept { return writer_.file_bytes(); }

 private:
  SafetensorsWriter writer_;
};

/// Reads one state file. Immutable: any thread.
class StateReader {
 public:
  /// Throws NOT_FOUND, or INVALID_ARGUMENT: malformed, another kind, another version.
  StateReader(const std::filesystem::path& path, std::string_view kind, int64_t version);

  /// Bytes of an array, borrowed. Throws INVALID_ARGUMENT naming file, array and both dtypes and shapes, or the nearest
  /// name.
  std::span<const std::byte> require(const TensorSpec& expected) const;

  /// Checks names, dtypes and shapes of all arrays at once: nothing missing, nothing left over.
  void require_exactly(std::span<const TensorSpec> expected) const;

  const TensorEntry* find(std::string_view name) const noexcept { return file_.find(name); }
  std::span<const TensorEntry> arrays() const noexcept { return file_.tensors(); }

  /// A text of the header. Throws INVALID_ARGUMENT when it is absent.
  const std::string& value(std::string_view key) const;
  bool has_value(std::string_view key) const;

 private:
  SafetensorsFile file_;
};

}  // namespace ftrun
