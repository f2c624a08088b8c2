// A range of addresses that blocks are cut from, best fit first, with neighbours merged when freed. Pages come from the
// system in chunks and are counted. Leaves out: budgets, categories and locks (host_heap.h, cpu.cpp).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace ftrun::devices {

/// Sizes and offsets are in bytes. One thread at a time.
class PageArena {
 public:
  /// Pages are taken and given back in this unit.
  static constexpr uint64_t kChunkBytes = uint64_t{64} << 10;

  /// Reserves addresses, no memory. Where the system refuses that many, fewer; blocks past them are then refused.
  /// Asks for huge pages, where the system has them.
  explicit PageArena(uint64_t capacity_bytes);
  ~PageArena();
  PageArena(const PageArena&) = delete;
  PageArena& operator=(const PageArena&) = delete;

  /// Where a block would go, and how much more memory that takes from the system.
  struct Place {
    uint64_t offset = 0;
    uint64_t new_bytes = 0;
  };
  /// The smallest free block that holds `bytes` (the lowest of equals), else the end of what is in use. `bytes` is a
  /// multiple of a page.
  Place find(uint64_t bytes) const;
  /// Makes the block. With `touch` its new pages are resident at once, else when first written. `usable` <= bytes is
  /// what may be accessed. nullptr: the system refused.
  void* take(const Place& place, uint64_t bytes, uint64_t usable, bool touch);
  /// `data` is from take.
  void give(void* data);
  bool owns(const void* data) const;
  /// Returns the pages of free blocks to the system.
  void trim();

  /// Chunks taken from the system and not given back.
  uint64_t backed_bytes() const { return backed_chunks_ * kChunkBytes; }

 private:
  struct Block {
    uint64_t bytes;
    bool free;
  };
  using Blocks = std::map<uint64_t, Block>;

  bool commit(uint64_t end);
  void back(uint64_t begin, uint64_t end, bool touch);
  uint64_t unbacked_bytes(uint64_t begin, uint64_t end) const;
  void add_free(uint64_t offset, uint64_t bytes);
  void drop_free(Blocks::iterator block);

  char* reserved_ = nullptr;  ///< what was mapped
  uint64_t reserved_bytes_ = 0;
  char* base_ = nullptr;  ///< its first huge page boundary
  uint64_t capacity_ = 0;
  uint64_t committed_ = 0;                        ///< below it pages may be used
  uint64_t end_ = 0;                              ///< blocks cover [0, end_)
  Blocks blocks_;                                 ///< by offset
  std::set<std::pair<uint64_t, uint64_t>> free_;  ///< bytes and offset
  std::vector<bool> backed_;                      ///< by chunk below end_
  uint64_t backed_chunks_ = 0;
};

}  // namespace ftrun::devices
