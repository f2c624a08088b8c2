// Reads /proc/meminfo and the process's control group.
#include "plugins/devices/kernels/host_memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

namespace ftrun::devices {
namespace {

constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

/// First number of a small file; kUnlimited for "max" or a missing file.
uint64_t number_in(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return kUnlimited;
  char text[64] = {};
  const bool read = std::fgets(text, sizeof(text), file) != nullptr;
  std::fclose(file);
  if (!read || text[0] < '0' || text[0] > '9') return kUnlimited;
  return std::strtoull(text, nullptr, 10);
}

uint64_t mem_available() {
  std::FILE* file = std::fopen("/proc/meminfo", "re");
  if (file == nullptr) return kUnlimited;
  char line[256];
  unsigned long long kib = 0;
  uint64_t bytes = kUnlimited;
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    if (std::sscanf(line, "MemAvailable: %llu kB", &kib) == 1) bytes = static_cast<uint64_t>(kib) * 1024u;
  }
  std::fclose(file);
  return bytes;
}

uint64_t left_in(const std::string& limit_path, const std::string& usage_path) {
  const uint64_t limit = number_in(limit_path), usage = number_in(usage_path);
  // cgroup v1 writes "no limit" as a number near 2^63.
  if (limit > (uint64_t{1} << 62) || usage == kUnlimited) return kUnlimited;
  return limit > usage ? limit - usage : 0;
}

/// The process's path in a hierarchy: the text after the second colon of its line in /proc/self/cgroup.
std::string group_path(const char* controller) {
  std::FILE* file = std::fopen("/proc/self/cgroup", "re");
  if (file == nullptr) return "";
  char line[1024];
  std::string path;
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    char* first = std::strchr(line, ':');
    char* second = first != nullptr ? std::strchr(first + 1, ':') : nullptr;
    if (second == nullptr) continue;
    const std::string controllers(first + 1, second);
    if (controllers != controller) continue;
    path = second + 1;
    while (!path.empty() && path.back() == '\n') path.pop_back();
  }
  std::fclose(file);
  return path == "/" ? "" : path;
}

uint64_t cgroup_available() {
  uint64_t bytes = kUnlimited;
  // Limits of all ancestors hold; the root of the mounted hierarchy is the container's own group.
  for (std::string path = group_path("");; path.resize(path.rfind('/'))) {
    const std::string folder = "/sys/fs/cgroup" + path;
    bytes = std::min(bytes, left_in(folder + "/memory.max", folder + "/memory.current"));
    if (path.empty() || path.rfind('/') == std::string::npos) break;
  }
  for (const std::string& folder :
       {"/sys/fs/cgroup/memory" + group_path("memory"), std::string("/sys/fs/cgroup/memory")}) {
    bytes = std::min(bytes, left_in(folder + "/memory.limit_in_bytes", folder + "/memory.usage_in_bytes"));
  }
  return bytes;
}

}  // namespace

uint64_t available_host_bytes() { return std::min(mem_available(), cgroup_available()); }

}  // namespace ftrun::devices
