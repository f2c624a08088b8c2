// Reading, mapping and atomically writing files.
// Leaves out: formats (io/, data/) and folders that are written as a set (io/checkpoint).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace ftrun {

/// Whole file as bytes. Throws NOT_FOUND / PERMISSION_DENIED / DATA_LOSS naming the path and the system's reason.
std::string read_file(const std::filesystem::path& path);

/// A read-only memory map of a regular file. Movable, unmapped on destruction. An empty file maps to an empty span.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::filesystem::path& path() const noexcept { return path_; }

  /// The process gives back the memory of this part of bytes(), which stays valid: the next access maps it again.
  void release(std::span<const std::byte> part) const noexcept;

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// Writes `path` so that it is either the old or the complete new file at every moment: temporary sibling, write,
/// fsync, rename, fsync of the folder on commit(). Without commit() the temporary is removed.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Appends bytes. Throws DATA_LOSS with path and reason (for example: No space left on device).
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Writes bytes at an offset from the start, leaving the position of write() alone. Gaps read as zeros.
  void write_at(uint64_t offset, std::span<const std::byte> bytes);
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_path_;
  int descriptor_ = -1;
};

/// AtomicFile in one call.
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// fsync of a folder, so that renames in it survive a crash.
void sync_folder(const std::filesystem::path& folder);

/// 64-bit content hash (XXH3), continued from `seed`.
uint64_t content_hash(std::span<const std::byte> bytes, uint64_t seed = 0);
uint64_t content_hash(std::string_view text, uint64_t seed = 0);

}  // namespace ftrun
