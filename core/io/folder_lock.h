// A lock on a folder, held by one process at a time.
// Leaves out: locks of temporaries inside the folder (checkpoint.h).
#pragma once

#include <filesystem>
#include <optional>

namespace ftrun {

/// Held as long as this object lives and given back by the system when the process ends, however it ends. Leaves no
/// file behind. Movable.
class FolderLock {
 public:
  /// Locks an existing folder, or returns nothing while another FolderLock (of any process) holds it. Where the file
  /// system knows no locks, the object holds nothing and protects nothing. Throws DATA_LOSS for a folder that cannot be
  /// opened.
  static std::optional<FolderLock> try_lock(const std::filesystem::path& folder);

  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) noexcept : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace ftrun
