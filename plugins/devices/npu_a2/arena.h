// Emulated HBM: one sparse memory file mapped twice, without access at the addresses the host sees and read-write for
// the kernels. Address space is wider than the capacity, as a device's virtual addresses are.
#pragma once

#include <cstdint>
#include <map>

namespace ftrun::devices {

class Arena {
 public:
  /// Throws sdk::Error(RESOURCE_EXHAUSTED) when the address space cannot be mapped. No memory is committed.
  explicit Arena(uint64_t capacity_bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Address range of `bytes` (a multiple of 2 MiB), first fit; nullptr when reserved + bytes > capacity.
  char* reserve(uint64_t bytes);
  /// Returns a range and its memory to the system.
  void give_back(char* data, uint64_t bytes);

  uint64_t capacity_bytes() const { return capacity_bytes_; }
  uint64_t reserved_bytes() const { return reserved_bytes_; }
  bool contains(const void* data) const;
  /// Where the kernels reach a device address that contains() is true for.
  void* alias(const void* data) const { return alias_ + (static_cast<const char*>(data) - base_); }
  /// The way back.
  void* device_address(const void* aliased) const { return base_ + (static_cast<const char*>(aliased) - alias_); }

 private:
  uint64_t capacity_bytes_, span_bytes_;
  uint64_t reserved_bytes_ = 0;
  int file_ = -1;
  char* base_ = nullptr;
  char* alias_ = nullptr;
  std::map<uint64_t, uint64_t> ranges_;  ///< offset -> bytes, reserved
};

}  // namespace ftrun::devices
