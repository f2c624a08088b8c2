// A nameless temporary file of 32-bit integers: tokens wait here between tokenising and laying out rows.
// Leaves out: structure; the writer remembers what lies where.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace ftrun {

/// Appends go through a 1 MiB buffer. Not thread-safe while writing; after map() any thread may read.
class SpoolFile {
 public:
  /// Creates the file in `folder` and removes its name at once. Throws PERMISSION_DENIED / NOT_FOUND / DATA_LOSS.
  explicit SpoolFile(const std::filesystem::path& folder);
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;
  ~SpoolFile();

  /// Returns the index of the first value.
  uint64_t append(std::span<const int32_t> values);
  /// Ends writing. Throws RESOURCE_EXHAUSTED when the disk is full.
  void map();
  std::span<const int32_t> values(uint64_t begin, uint64_t count) const;

 private:
  void flush();

  std::filesystem::path folder_;
  int descriptor_ = -1;
  std::vector<int32_t> buffer_;
  uint64_t size_ = 0;
  const int32_t* data_ = nullptr;
};

}  // namespace ftrun
