// memfd, two mappings, first-fit ranges, punched holes.
#include "plugins/devices/npu_a2/arena.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "ftrun/cpp/plugin.hpp"
#include "plugins/devices/kernels/memory_ledger.h"

namespace ftrun::devices {
namespace {

/// Address space per byte of capacity: fragmentation of addresses must not look like lack of memory.
constexpr uint64_t kSpanFactor = 4;
constexpr uint64_t kGranularity = uint64_t{2} << 20;

char* map_file(int file, uint64_t bytes, int protection) {
  void* data = mmap(nullptr, bytes, protection, MAP_SHARED | MAP_NORESERVE, file, 0);
  return data == MAP_FAILED ? nullptr : static_cast<char*>(data);
}

}  // namespace

Arena::Arena(uint64_t capacity_bytes)
    : capacity_bytes_(capacity_bytes),
      span_bytes_((capacity_bytes * kSpanFactor + 2 * kGranularity - 1) / kGranularity * kGranularity),
      file_(memfd_create("ftrun-hbm", MFD_CLOEXEC)) {
  const bool sized = file_ >= 0 && ftruncate(file_, static_cast<off_t>(span_bytes_)) == 0;
  if (sized) base_ = map_file(file_, span_bytes_, PROT_NONE);
  if (base_ != nullptr) alias_ = map_file(file_, span_bytes_, PROT_READ | PROT_WRITE);
  if (alias_ != nullptr) {
    // A core dump would hold the whole device.
    madvise(alias_, span_bytes_, MADV_DONTDUMP);
    return;
  }
  const std::string cause = std::strerror(errno);
  if (base_ != nullptr) munmap(base_, span_bytes_);
  if (file_ >= 0) close(file_);
  throw sdk::Error(FTRUN_RESOURCE_EXHAUSTED,
                   "cannot map " + format_bytes(capacity_bytes) + " of emulated device memory: " + cause);
}

Arena::~Arena() {
  munmap(base_, span_bytes_);
  munmap(alias_, span_bytes_);
  close(file_);
}

char* Arena::reserve(uint64_t bytes) {
  if (bytes > capacity_bytes_ || reserved_bytes_ > capacity_bytes_ - bytes) return nullptr;
  uint64_t offset = 0;
  for (const auto& [begin, size] : ranges_) {
    if (begin - offset >= bytes) break;
    offset = begin + size;
  }
  if (span_bytes_ - offset < bytes) return nullptr;
  ranges_[offset] = bytes;
  reserved_bytes_ += bytes;
  return base_ + offset;
}

void Arena::give_back(char* data, uint64_t bytes) {
  const uint64_t offset = static_cast<uint64_t>(data - base_);
  ranges_.erase(offset);
  reserved_bytes_ -= bytes;
  fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(bytes));
}

bool Arena::contains(const void* data) const {
  const char* address = static_cast<const char*>(data);
  return address >= base_ && address < base_ + span_bytes_;
}

}  // namespace ftrun::devices
