// Best fit over a reserved range; pages by mprotect and madvise.
#include "plugins/devices/cpu/page_arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <iterator>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14; absent from glibc 2.36's headers on some machines
#endif

namespace ftrun::devices {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

uint64_t round_up(uint64_t bytes, uint64_t unit) { return (bytes + unit - 1) / unit * unit; }

/// What no live block holds is out of bounds for the address sanitizer, as it would be with malloc.
void forbid([[maybe_unused]] const char* data, [[maybe_unused]] uint64_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_poison_memory_region(data, bytes);
#endif
}
void allow([[maybe_unused]] const char* data, [[maybe_unused]] uint64_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(data, bytes);
#endif
}

/// Makes pages without content resident.
__attribute__((no_sanitize_address)) void touch_pages(char* data, uint64_t bytes) {
  if (::madvise(data, bytes, MADV_POPULATE_WRITE) == 0) return;
  for (uint64_t at = 0; at < bytes; at += kPageBytes) *static_cast<volatile char*>(data + at) = 0;
}

}  // namespace

PageArena::PageArena(uint64_t capacity_bytes) {
  for (uint64_t bytes = round_up(capacity_bytes, kHugePageBytes); bytes >= kHugePageBytes; bytes /= 2) {
    const uint64_t mapped = round_up(bytes, kHugePageBytes) + kHugePageBytes;
    void* data = ::mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) continue;
    reserved_ = static_cast<char*>(data);
    reserved_bytes_ = mapped;
    capacity_ = mapped - kHugePageBytes;
    const uint64_t misaligned = reinterpret_cast<uintptr_t>(data) % kHugePageBytes;
    base_ = reserved_ + (misaligned == 0 ? 0 : kHugePageBytes - misaligned);
    ::madvise(reserved_, reserved_bytes_, MADV_HUGEPAGE);
    return;
  }
}

PageArena::~PageArena() {
  if (reserved_ == nullptr) return;
  allow(base_, committed_);
  ::munmap(reserved_, reserved_bytes_);
}

bool PageArena::owns(const void* data) const {
  const char* address = static_cast<const char*>(data);
  return address >= base_ && address < base_ + end_;
}

PageArena::Place PageArena::find(uint64_t bytes) const {
  Place place;
  const auto fitting = free_.lower_bound({bytes, 0});
  if (fitting != free_.end()) {
    place.offset = fitting->second;
  } else {
    place.offset = end_;
    // A free block at the end grows.
    if (!blocks_.empty() && blocks_.rbegin()->second.free) place.offset = blocks_.rbegin()->first;
  }
  place.new_bytes = unbacked_bytes(place.offset, place.offset + bytes);
  return place;
}

uint64_t PageArena::unbacked_bytes(uint64_t begin, uint64_t end) const {
  uint64_t chunks = 0;
  // In a steady state nothing is missing, and nothing is searched.
  const bool complete = backed_chunks_ == backed_.size();
  const uint64_t known = complete ? 0 : std::min<uint64_t>(backed_.size(), round_up(end, kChunkBytes) / kChunkBytes);
  for (uint64_t chunk = begin / kChunkBytes; chunk < known; ++chunk) chunks += backed_[chunk] ? 0 : 1;
  const uint64_t from = std::max<uint64_t>(begin / kChunkBytes, backed_.size());
  const uint64_t to = round_up(end, kChunkBytes) / kChunkBytes;
  return (chunks + (to > from ? to - from : 0)) * kChunkBytes;
}

bool PageArena::commit(uint64_t end) {
  if (end <= committed_) return true;
  if (end > capacity_) return false;
  const uint64_t wanted = round_up(end, kHugePageBytes);
  if (::mprotect(base_ + committed_, wanted - committed_, PROT_READ | PROT_WRITE) != 0) return false;
  forbid(base_ + committed_, wanted - committed_);
  committed_ = wanted;
  return true;
}

void PageArena::back(uint64_t begin, uint64_t end, bool touch) {
  if (unbacked_bytes(begin, end) == 0) return;
  const uint64_t to = round_up(end, kChunkBytes) / kChunkBytes;
  if (backed_.size() < to) backed_.resize(to, false);
  for (uint64_t chunk = begin / kChunkBytes; chunk < to;) {
    if (backed_[chunk]) {
      ++chunk;
      continue;
    }
    const uint64_t first = chunk;
    for (; chunk < to && !backed_[chunk]; ++chunk) backed_[chunk] = true;
    backed_chunks_ += chunk - first;
    if (touch) touch_pages(base_ + first * kChunkBytes, (chunk - first) * kChunkBytes);
  }
}

void PageArena::add_free(uint64_t offset, uint64_t bytes) {
  blocks_[offset] = {bytes, true};
  free_.insert({bytes, offset});
}

void PageArena::drop_free(Blocks::iterator block) {
  free_.erase({block->second.bytes, block->first});
  blocks_.erase(block);
}

void* PageArena::take(const Place& place, uint64_t bytes, uint64_t usable, bool touch) {
  const uint64_t stop = place.offset + bytes;
  if (stop < bytes || !commit(stop)) return nullptr;
  const auto found = blocks_.find(place.offset);
  if (found != blocks_.end()) {
    const uint64_t had = found->second.bytes;
    drop_free(found);
    if (had > bytes) add_free(stop, had - bytes);
  }
  blocks_[place.offset] = {bytes, false};
  end_ = std::max(end_, stop);
  back(place.offset, stop, touch);
  char* data = base_ + place.offset;
  allow(data, usable);
  return data;
}

void PageArena::give(void* data) {
  auto block = blocks_.find(static_cast<uint64_t>(static_cast<char*>(data) - base_));
  uint64_t offset = block->first, bytes = block->second.bytes;
  forbid(base_ + offset, bytes);
  const auto next = std::next(block);
  if (next != blocks_.end() && next->second.free) {
    bytes += next->second.bytes;
    drop_free(next);
  }
  if (block != blocks_.begin() && std::prev(block)->second.free) {
    const auto previous = std::prev(block);
    offset = previous->first;
    bytes += previous->second.bytes;
    drop_free(previous);
  }
  blocks_.erase(block);
  add_free(offset, bytes);
}

void PageArena::trim() {
  for (const auto& [offset, block] : blocks_) {
    if (!block.free) continue;
    // Chunks shared with a live neighbour stay.
    const uint64_t begin = round_up(offset, kChunkBytes) / kChunkBytes;
    const bool is_last = offset + block.bytes == end_;
    const uint64_t end = is_last ? backed_.size() : (offset + block.bytes) / kChunkBytes;
    for (uint64_t chunk = begin; chunk < end; ++chunk) {
      if (!backed_[chunk]) continue;
      ::madvise(base_ + chunk * kChunkBytes, kChunkBytes, MADV_DONTNEED);
      backed_[chunk] = false;
      --backed_chunks_;
    }
  }
}

}  // namespace ftrun::devices
