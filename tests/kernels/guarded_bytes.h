// Bytes that end exactly at a page without access: a kernel that reads or writes one byte too far faults at once.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <new>

namespace ftrun::test {

inline constexpr size_t kCanaryBytes = 64;
inline constexpr char kCanary = 0x5a;

/// Fills the kCanaryBytes before `data`.
inline void write_canary(char* data) { std::memset(data - kCanaryBytes, kCanary, kCanaryBytes); }

/// Whether they are still as write_canary left them.
inline bool has_canary(const char* data) {
  for (size_t i = 1; i <= kCanaryBytes; ++i) {
    if (data[-static_cast<ptrdiff_t>(i)] != kCanary) return false;
  }
  return true;
}

/// Owning buffer; copies are deep. A canary before the first byte is checked by intact().
class GuardedBytes {
 public:
  explicit GuardedBytes(size_t size) : size_(size) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    mapped_ = (size + kCanaryBytes + page - 1) / page * page + page;
    void* base = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<char*>(base);
    mprotect(base_ + mapped_ - page, page, PROT_NONE);
    data_ = base_ + mapped_ - page - size;
    write_canary(data_);
  }
  GuardedBytes(const GuardedBytes& other) : GuardedBytes(other.size_) { std::memcpy(data_, other.data_, size_); }
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() { munmap(base_, mapped_); }

  char* data() const { return data_; }
  bool intact() const { return has_canary(data_); }

 private:
  size_t size_, mapped_ = 0;
  char *base_ = nullptr, *data_ = nullptr;
};

/// The end of one guarded buffer, used anew for each of many operands: mapping pages takes longer than a small product.
class GuardedTail {
 public:
  explicit GuardedTail(size_t capacity) : buffer_(capacity), end_(buffer_.data() + capacity), data_(end_) {}

  /// `size` bytes that end where the buffer does, until the next call.
  char* take(size_t size) {
    data_ = end_ - size;
    write_canary(data_);
    return data_;
  }
  bool intact() const { return has_canary(data_); }

 private:
  GuardedBytes buffer_;
  char *end_, *data_;
};

}  // namespace ftrun::test
