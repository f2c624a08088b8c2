// Checks on a plugin's file and note that need no loading.
#include "core/plugin/plugin_safety.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace ftrun {
namespace {

namespace fs = std::filesystem;

Error unsafe(const fs::path& path, const std::string& reason) {
  return {FTRUN_PERMISSION_DENIED, fmt::format("{}: refused as a plugin: {}", path.string(), reason)};
}

struct stat status_of(const fs::path& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) {
    const ftrun_status code = errno == ENOENT || errno == ENOTDIR ? FTRUN_NOT_FOUND : FTRUN_PERMISSION_DENIED;
    throw Error(code, fmt::format("{}: {}", path.string(), std::strerror(errno)));
  }
  return status;
}

void require_private(const fs::path& path, const struct stat& status, std::string_view what) {
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    throw unsafe(path, fmt::format("{} belongs to user {}, not to root or to you", what, status.st_uid));
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    throw unsafe(path, fmt::format("others may write {} (mode {:o}); run: chmod go-w {}", what, status.st_mode & 07777,
                                   path.string()));
  }
}

std::string sanitizer_name(ftrun_sanitizer sanitizer) {
  switch (sanitizer) {
    case FTRUN_SANITIZER_NONE:
      return "no sanitizer";
    case FTRUN_SANITIZER_ADDRESS:
      return "the address sanitizer";
    case FTRUN_SANITIZER_THREAD:
      return "the thread sanitizer";
    default:
      return fmt::format("sanitizer {}", sanitizer);
  }
}

// Features of the running CPU in the note's terms.
ftrun_cpu_features cpu_features() {
  ftrun_cpu_features features = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const auto v2 =
      __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("popcnt");
  const auto v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const auto v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (v2) features |= FTRUN_CPU_X86_64_V2;
  if (v3) features |= FTRUN_CPU_X86_64_V3;
  if (v4) features |= FTRUN_CPU_X86_64_V4;
#endif
  return features;
}

std::string feature_names(ftrun_cpu_features features) {
  static constexpr std::array kNames = {std::pair{FTRUN_CPU_X86_64_V2, "x86-64-v2"},
                                        std::pair{FTRUN_CPU_X86_64_V3, "x86-64-v3"},
                                        std::pair{FTRUN_CPU_X86_64_V4, "x86-64-v4"}};
  std::string text;
  for (const auto& [bit, name] : kNames) {
    if ((features & bit) != 0) text += fmt::format("{}{}", text.empty() ? "" : ", ", name);
    features &= ~bit;
  }
  if (features != 0) text += fmt::format("{}unknown bits {:#x}", text.empty() ? "" : ", ", features);
  return text;
}

}  // namespace

void require_safe_plugin_file(const fs::path& file) {
  const struct stat status = status_of(file);
  if (!S_ISREG(status.st_mode)) throw unsafe(file, "it is not a regular file");
  require_private(file, status, "it");
  const fs::path folder = fs::canonical(file).parent_path();
  require_private(folder, status_of(folder), "its folder");
}

void require_loadable(const PluginNote& note, const fs::path& file) {
  const std::string name = fmt::format("{}: plugin '{}/{}'", file.string(), note.kind, note.id);
  if (note.abi_major != FTRUN_ABI_MAJOR) {
    throw invalid_argument("{} is built for ABI {}, this ftrun offers ABI {}; rebuild it with this ftrun's SDK", name,
                           note.abi_major, FTRUN_ABI_MAJOR);
  }
  if (note.min_host_minor > FTRUN_ABI_MINOR) {
    throw invalid_argument("{} needs a host with ABI {}.{}, this ftrun offers {}.{}; update ftrun", name,
                           FTRUN_ABI_MAJOR, note.min_host_minor, FTRUN_ABI_MAJOR, FTRUN_ABI_MINOR);
  }
  if (note.sanitizer != FTRUN_SANITIZER_OF_THIS_BUILD) {
    throw invalid_argument("{} is built with {}, this ftrun with {}", name, sanitizer_name(note.sanitizer),
                           sanitizer_name(FTRUN_SANITIZER_OF_THIS_BUILD));
  }
  if (const ftrun_cpu_features missing = note.cpu_features & ~cpu_features(); missing != 0) {
    throw invalid_argument("{} needs CPU features that this machine lacks: {}", name, feature_names(missing));
  }
}

}  // namespace ftrun
