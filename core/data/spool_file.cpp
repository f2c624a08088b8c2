// mkostemp + unlink: nothing is left behind, however the process ends.
#include "core/data/spool_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/base/error.h"

namespace ftrun {
namespace {

constexpr size_t kBufferValues = 1 << 18;

}  // namespace

SpoolFile::SpoolFile(const std::filesystem::path& folder) : folder_(folder) {
  std::string pattern = (folder / "spool-XXXXXX").string();
  descriptor_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (descriptor_ < 0)
    throw io_error("cannot create a temporary file in '{}': {}", folder.string(), std::strerror(errno));
  ::unlink(pattern.c_str());
  buffer_.reserve(kBufferValues);
}

SpoolFile::~SpoolFile() {
  if (data_ != nullptr) ::munmap(const_cast<int32_t*>(data_), size_ * sizeof(int32_t));
  ::close(descriptor_);
}

uint64_t SpoolFile::append(std::span<const int32_t> values) {
  const uint64_t begin = size_;
  size_ += values.size();
  buffer_.insert(buffer_.end(), values.begin(), values.end());
  if (buffer_.size() >= kBufferValues) flush();
  return begin;
}

void SpoolFile::flush() {
  auto bytes = std::as_bytes(std::span(buffer_));
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      throw resource_exhausted("cannot write tokens to a temporary file in '{}': {}", folder_.string(),
                               std::strerror(count < 0 ? errno : EIO));
    }
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
  buffer_.clear();
}

void SpoolFile::map() {
  flush();
  buffer_ = {};
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_ * sizeof(int32_t), PROT_READ, MAP_SHARED, descriptor_, 0);
  if (address == MAP_FAILED)
    throw io_error("cannot map a temporary file in '{}': {}", folder_.string(), std::strerror(errno));
  data_ = static_cast<const int32_t*>(address);
}

std::span<const int32_t> SpoolFile::values(uint64_t begin, uint64_t count) const {
  return std::span(data_, size_).subspan(begin, count);
}

}  // namespace ftrun
