// Temporary folder, manifest, flush, rename. A lock on the temporary tells a clean-up that its owner is alive.
#include "core/io/checkpoint.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/io/disk_space.h"

namespace ftrun {
namespace {

using Path = std::filesystem::path;

constexpr const char* kManifestFile = "checkpoint_manifest.json";
constexpr int64_t kManifestVersion = 2;
constexpr int kMostAttempts = 1000;  // names that other runs of this process have left; more is a fault, not bad luck

void make_folders(const Path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) throw io_error("cannot create folder '{}': {}", folder.string(), failure.message());
}

Path make_temporary_folder(const Path& output_dir, int64_t step) {
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    const Path folder = output_dir / fmt::format(".checkpoint-{}.tmp-{}-{}", step, ::getpid(), attempt);
    std::error_code failure;
    if (std::filesystem::create_directory(folder, failure)) return folder;
    if (failure) throw io_error("cannot create folder '{}': {}", folder.string(), failure.message());
  }
  throw io_error("cannot create a temporary folder in '{}': {} names are taken", output_dir.string(), kMostAttempts);
}

int open_and_lock(const Path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw io_error("cannot open folder '{}': {}", folder.string(), std::strerror(errno));
  // File systems without locks refuse; then only a clean-up that runs beside this save could disturb it.
  ::flock(descriptor, LOCK_EX | LOCK_NB);
  return descriptor;
}

bool is_owner_alive(const Path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool locked = ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  return locked;
}

void flush_file(const Path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw io_error("cannot open '{}': {}", path.string(), std::strerror(errno));
  const int reason = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (reason != 0) throw io_error("cannot flush '{}': {}", path.string(), std::strerror(reason));
}

void flush_tree(const Path& folder) {
  for (const auto& item : std::filesystem::recursive_directory_iterator(folder)) {
    if (item.is_directory()) {
      sync_folder(item.path());
    } else if (item.is_regular_file()) {
      flush_file(item.path());
    }
  }
  sync_folder(folder);
}

std::string hash_text(const Path& file) { return fmt::format("{:016x}", content_hash(MappedFile(file).bytes())); }

constexpr std::pair<CheckpointPurpose, const char*> kPurposeNames[] = {{CheckpointPurpose::kStop, "stop"},
                                                                       {CheckpointPurpose::kBest, "best"}};

void write_manifest(const Path& folder, CheckpointPurpose purpose) {
  nlohmann::json files = nlohmann::json::object();
  for (const auto& item : std::filesystem::recursive_directory_iterator(folder)) {
    if (!item.is_regular_file()) continue;
    files[item.path().lexically_relative(folder).string()] = {{"bytes", item.file_size()},
                                                              {"xxh3", hash_text(item.path())}};
  }
  nlohmann::json manifest = {{"version", kManifestVersion}, {"files", files}};
  for (const auto& [each, name] : kPurposeNames) {
    if (each == purpose) manifest["purpose"] = name;
  }
  write_file_atomically(folder / kManifestFile, manifest.dump(2) + "\n");
}

/// Puts `source` in the place of `target`; what was there before ends up at `source`.
void exchange_folders(const Path& source, const Path& target) {
  if (::renameat2(AT_FDCWD, source.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return;
  const Path aside = source.string() + "-old";
  if (::rename(target.c_str(), aside.c_str()) != 0 || ::rename(source.c_str(), target.c_str()) != 0 ||
      ::rename(aside.c_str(), source.c_str()) != 0) {
    throw io_error("cannot replace '{}': {}", target.string(), std::strerror(errno));
  }
}

Path renamed_for_removal(const Path& path, int64_t step) {
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    Path aside = path.parent_path() / fmt::format(".checkpoint-{}.tmp-{}-removed-{}", step, ::getpid(), attempt);
    if (::rename(path.c_str(), aside.c_str()) == 0) return aside;
    if (errno == ENOTEMPTY || errno == EEXIST) continue;
    throw io_error("cannot remove '{}': {}", path.string(), std::strerror(errno));
  }
  throw io_error("cannot remove '{}': {} temporary names are taken", path.string(), kMostAttempts);
}

/// Out of the listed names first, so that an interrupted removal never leaves a checkpoint with files missing.
void remove_folder(const Path& path, int64_t step) {
  const Path aside = renamed_for_removal(path, step);
  std::error_code failure;
  std::filesystem::remove_all(aside, failure);
  if (failure) throw io_error("cannot remove '{}': {}", aside.string(), failure.message());
}

std::optional<int64_t> step_of(const std::string& name) {
  constexpr std::string_view kPrefix = "checkpoint-";
  if (!name.starts_with(kPrefix)) return {};
  int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stop, failure] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (failure != std::errc() || stop != end || step < 0) return {};
  return step;
}

bool is_temporary_name(const std::string& name) {
  constexpr std::string_view kMark = ".tmp-";
  const size_t mark = name.rfind(kMark);
  if (mark == std::string::npos) return false;
  if (name.starts_with(".checkpoint-")) return true;
  const std::string_view target = std::string_view(name).substr(0, mark);
  const bool ours = target.ends_with(".safetensors") || target.ends_with(".json");
  return ours && name.size() == mark + kMark.size() + 6;  // mkostemp's six characters, see AtomicFile.
}

}  // namespace

CheckpointWriter::CheckpointWriter(const std::filesystem::path& output_dir, int64_t step, uint64_t needed_bytes,
                                   CheckpointPurpose purpose)
    : output_dir_(output_dir), final_path_(output_dir / fmt::format("checkpoint-{}", step)), purpose_(purpose) {
  if (step < 0) throw invalid_argument("checkpoint step {}: expected >= 0", step);
  require_disk_space(output_dir, needed_bytes, final_path_.filename().string());
  make_folders(output_dir);
  folder_ = make_temporary_folder(output_dir, step);
  lock_ = open_and_lock(folder_);
}

CheckpointWriter::~CheckpointWriter() {
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

std::filesystem::path CheckpointWriter::commit() {
  if (folder_.empty()) throw failed_precondition("{} is already committed", final_path_.string());
  try {
    write_manifest(folder_, purpose_);
    flush_tree(folder_);
  } catch (const std::filesystem::filesystem_error& error) {
    throw io_error("cannot complete '{}': {}", final_path_.string(), error.what());
  }
  if (::rename(folder_.c_str(), final_path_.c_str()) == 0) {
    folder_.clear();
  } else if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) {
    exchange_folders(folder_, final_path_);
    std::error_code ignored;
    std::filesystem::remove_all(std::exchange(folder_, {}), ignored);
  } else {
    throw io_error("cannot rename '{}' to '{}': {}", folder_.string(), final_path_.string(), std::strerror(errno));
  }
  sync_folder(output_dir_);
  ::close(std::exchange(lock_, -1));
  return final_path_;
}

std::vector<Checkpoint> list_checkpoints(const std::filesystem::path& output_dir) {
  std::vector<Checkpoint> checkpoints;
  std::error_code failure;
  for (const auto& item : std::filesystem::directory_iterator(output_dir, failure)) {
    const std::optional<int64_t> step = step_of(item.path().filename().string());
    if (step && item.is_directory()) checkpoints.push_back({*step, item.path()});
  }
  if (failure && failure != std::errc::no_such_file_or_directory) {
    throw io_error("cannot list '{}': {}", output_dir.string(), failure.message());
  }
  std::sort(checkpoints.begin(), checkpoints.end(), [](const Checkpoint& a, const Checkpoint& b) {
    return std::tie(a.step, a.path) < std::tie(b.step, b.path);
  });
  return checkpoints;
}

std::string incomplete_reason(const std::filesystem::path& checkpoint) {
  const Path manifest_file = checkpoint / kManifestFile;
  std::error_code failure;
  if (!std::filesystem::is_regular_file(manifest_file, failure)) return fmt::format("{} is missing", kManifestFile);
  nlohmann::json manifest;
  try {
    manifest = read_json_file(manifest_file);
  } catch (const Error& error) {
    return error.what();
  }
  const auto files = manifest.is_object() ? manifest.find("files") : manifest.end();
  if (!manifest.is_object() || files == manifest.end() || !files->is_object()) {
    return fmt::format("{} has no 'files'", kManifestFile);
  }
  // Sizes of all files first: they cost nothing and name what is cut or missing.
  for (const auto& [name, entry] : files->items()) {
    const uintmax_t actual = std::filesystem::file_size(checkpoint / name, failure);
    if (failure) return fmt::format("'{}' is missing", name);
    const auto bytes = entry.is_object() ? entry.find("bytes") : entry.end();
    if (!entry.is_object() || bytes == entry.end() || !bytes->is_number_unsigned() || !entry.contains("xxh3")) {
      return fmt::format("{}: '{}': expected {{\"bytes\": size, \"xxh3\": hash}}", kManifestFile, name);
    }
    if (actual != bytes->get<uint64_t>()) {
      return fmt::format("'{}' has {} bytes, expected {}", name, actual, bytes->get<uint64_t>());
    }
  }
  for (const auto& [name, entry] : files->items()) {
    if (entry.at("xxh3") != hash_text(checkpoint / name)) {
      return fmt::format("the content of '{}' is not what was written", name);
    }
  }
  return {};
}

bool is_complete(const std::filesystem::path& checkpoint) { return incomplete_reason(checkpoint).empty(); }

std::optional<Checkpoint> newest_complete_checkpoint(const std::filesystem::path& output_dir) {
  const std::vector<Checkpoint> checkpoints = list_checkpoints(output_dir);
  for (auto each = checkpoints.rbegin(); each != checkpoints.rend(); ++each) {
    if (is_complete(each->path)) return *each;
  }
  return {};
}

std::vector<std::filesystem::path> enforce_save_total_limit(const std::filesystem::path& output_dir, int64_t limit,
                                                            const std::optional<std::filesystem::path>& best) {
  std::vector<Path> removed;
  if (limit <= 0) return removed;
  std::vector<Checkpoint> order = list_checkpoints(output_dir);
  size_t keep = static_cast<size_t>(limit);
  if (best) {
    const Path best_name = best->has_filename() ? best->filename() : best->parent_path().filename();
    const auto found = std::find_if(order.begin(), order.end(),
                                    [&](const Checkpoint& each) { return each.path.filename() == best_name; });
    if (found != order.end() && found + 1 != order.end()) {
      std::rotate(found, found + 1, order.end() - 1);  // The best one is removed last but one.
      keep = std::max<size_t>(keep, 2);
    }
  }
  for (size_t i = 0; i + keep < order.size(); ++i) {
    remove_folder(order[i].path, order[i].step);
    removed.push_back(order[i].path);
  }
  return removed;
}

CheckpointPurpose purpose_of(const std::filesystem::path& checkpoint) {
  try {
    const nlohmann::json manifest = read_json_file(checkpoint / kManifestFile);
    const std::string written = manifest.value("purpose", "");
    for (const auto& [purpose, name] : kPurposeNames) {
      if (written == name) return purpose;
    }
  } catch (const Error&) {
  } catch (const nlohmann::json::exception&) {
  }
  return CheckpointPurpose::kPeriodic;
}

void remove_checkpoint(const Checkpoint& checkpoint) { remove_folder(checkpoint.path, checkpoint.step); }

std::filesystem::path set_aside(const Checkpoint& checkpoint, std::string_view reason) {
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    const std::string suffix = attempt == 0 ? fmt::format(".{}", reason) : fmt::format(".{}-{}", reason, attempt);
    const Path aside = checkpoint.path.string() + suffix;
    if (std::filesystem::exists(aside)) continue;
    if (::rename(checkpoint.path.c_str(), aside.c_str()) == 0) return aside;
    throw io_error("cannot rename '{}' to '{}': {}", checkpoint.path.string(), aside.string(), std::strerror(errno));
  }
  throw io_error("cannot rename '{}': {} names are taken", checkpoint.path.string(), kMostAttempts);
}

std::vector<std::filesystem::path> remove_leftover_temporaries(const std::filesystem::path& output_dir) {
  std::vector<Path> removed;
  std::error_code failure;
  for (const auto& item : std::filesystem::directory_iterator(output_dir, failure)) {
    if (is_temporary_name(item.path().filename().string()) && !is_owner_alive(item.path())) {
      removed.push_back(item.path());
    }
  }
  for (const Path& path : removed) {
    std::filesystem::remove_all(path, failure);
    if (failure) throw io_error("cannot remove '{}' of an earlier run: {}", path.string(), failure.message());
  }
  std::sort(removed.begin(), removed.end());
  return removed;
}

}  // namespace ftrun
