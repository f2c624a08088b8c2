// POSIX file access with messages that name the path and the system's reason.
#include "core/base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/base/printable_text.h"

namespace ftrun {
namespace {

Error system_error(const char* verb, const std::filesystem::path& path, int reason) {
  const std::string message = fmt::format("cannot {} '{}': {}", verb, path.string(), std::strerror(reason));
  if (reason == ENOENT || reason == ENOTDIR) return {FTRUN_NOT_FOUND, message};
  if (reason == EACCES || reason == EPERM || reason == EROFS) return {FTRUN_PERMISSION_DENIED, message};
  return {FTRUN_DATA_LOSS, message};
}

// What the system is asked for ends at the first zero byte of a path, which would then be another file's.
const char* whole_path(const std::filesystem::path& path) {
  if (path.native().find('\0') == std::string::npos) return path.c_str();
  throw invalid_argument("'{}': a path with a zero byte", printable_text(path.string()));
}

// A write that stores nothing and does not fail would be repeated for ever.
size_t stored_bytes(ssize_t count, const char* verb, const std::filesystem::path& path) {
  if (count < 0 && errno == EINTR) return 0;
  if (count <= 0) throw system_error(verb, path, count < 0 ? errno : EIO);
  return static_cast<size_t>(count);
}

// O_NONBLOCK: opening a pipe must not wait for its other end; regular files ignore it.
class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags)
      : fd_(::open(whole_path(path), flags | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0) throw system_error("open", path, errno);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(fd_); }
  int get() const { return fd_; }

 private:
  int fd_;
};

size_t regular_file_size(int descriptor, const std::filesystem::path& path) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) throw system_error("stat", path, errno);
  if (!S_ISREG(status.st_mode)) throw invalid_argument("'{}' is not a regular file", path.string());
  return static_cast<size_t>(status.st_size);
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY);
  std::string content(regular_file_size(file.get(), path), '\0');
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = ::read(file.get(), content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw system_error("read", path, errno);
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  content.resize(done);
  return content;
}

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  const Descriptor file(path, O_RDONLY);
  size_ = regular_file_size(file.get(), path);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) throw system_error("map", path, errno);
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release(std::span<const std::byte> part) const noexcept {
  static const auto page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  if (part.empty()) return;
  const size_t begin = static_cast<size_t>(part.data() - data_) / page_bytes * page_bytes;
  const auto end = static_cast<size_t>(part.data() - data_) + part.size();
  ::madvise(const_cast<std::byte*>(data_ + begin), end - begin, MADV_DONTNEED);
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  std::string pattern = std::string(whole_path(path_)) + ".tmp-XXXXXX";
  descriptor_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (descriptor_ < 0) throw system_error("create", path_, errno);
  temporary_path_ = pattern;
  // Tells a clean-up in another process that the owner is alive (io/checkpoint.cpp); refused locks only lose that.
  ::flock(descriptor_, LOCK_EX | LOCK_NB);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(descriptor_, 0666 & ~mask);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_path_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    bytes = bytes.subspan(stored_bytes(count, "write", path_));
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    const size_t stored = stored_bytes(count, "write", path_);
    bytes = bytes.subspan(stored);
    offset += stored;
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) throw system_error("flush", path_, errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) {
    const int reason = errno;
    ::unlink(temporary_path_.c_str());
    throw system_error("close", path_, reason);
  }
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary_path_.c_str());
    throw system_error("rename to", path_, reason);
  }
  sync_folder(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor handle(folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(handle.get()) != 0 && errno != EINVAL) throw system_error("flush", folder, errno);
}

uint64_t content_hash(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t content_hash(std::string_view text, uint64_t seed) {
  return content_hash(std::as_bytes(std::span(text)), seed);
}

}  // namespace ftrun
