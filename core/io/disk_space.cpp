// statvfs with a message.
#include "core/io/disk_space.h"

#include <sys/statvfs.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace ftrun {

uint64_t available_disk_bytes(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::path existing = std::filesystem::absolute(folder);
  while (!std::filesystem::exists(existing, ignored) && existing.has_relative_path()) existing = existing.parent_path();
  struct statvfs status = {};
  if (::statvfs(existing.c_str(), &status) != 0) {
    throw io_error("cannot ask '{}' for free disk space: {}", existing.string(), std::strerror(errno));
  }
  return static_cast<uint64_t>(status.f_bavail) * static_cast<uint64_t>(status.f_frsize);
}

void require_disk_space(const std::filesystem::path& folder, uint64_t needed_bytes, std::string_view what) {
  const uint64_t available = available_disk_bytes(folder);
  if (needed_bytes <= available) return;
  throw resource_exhausted("{}: not enough disk: {} needs {} bytes ({}), {} bytes ({}) are available", folder.string(),
                           what, needed_bytes, bytes_text(needed_bytes), available, bytes_text(available));
}

std::string bytes_text(uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return fmt::format("{:.2f} {}", value, kUnits[unit]);
}

}  // namespace ftrun
