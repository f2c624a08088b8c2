// Blocks within segments of device memory, as the vendor's caching allocator cuts them (shared/reference/ascend.md
// section 1.3). Leaves out: expandable segments, garbage collection, statistics by category.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

namespace ftrun::devices {

class CachingAllocator {
 public:
  static constexpr uint64_t kMinBlock = 512;
  static constexpr uint64_t kExtra = 32;                      ///< added to every request before rounding
  static constexpr uint64_t kSmallLimit = uint64_t{1} << 20;  ///< up to here: small pool
  static constexpr uint64_t kSmallSegment = uint64_t{2} << 20;
  static constexpr uint64_t kLargeSegment = uint64_t{20} << 20;
  static constexpr uint64_t kLargeLimit = uint64_t{10} << 20;  ///< from here: a segment of the request's size
  static constexpr uint64_t kLargeRounding = uint64_t{2} << 20;

  /// Takes segments with `reserve` (nullptr: no memory) and returns them with `give_back`.
  CachingAllocator(std::function<char*(uint64_t)> reserve, std::function<void(char*, uint64_t)> give_back)
      : reserve_(std::move(reserve)), give_back_(std::move(give_back)) {}
  ~CachingAllocator();
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  /// max(512, bytes + 32 rounded up to 512).
  static uint64_t rounded(uint64_t bytes);
  /// Size of the segment that a block of `rounded_bytes` is cut from.
  static uint64_t segment_bytes(uint64_t rounded_bytes);

  struct Block {
    char* data;
    uint64_t bytes;  ///< may exceed the rounded request when the rest was too small to split off
  };
  /// Smallest cached block of the stream that fits, else a new segment; when that fails, cached segments are returned
  /// and it is tried once more. {nullptr, 0} when out of memory.
  Block take(const void* stream, uint64_t bytes);
  /// Merges with free neighbours of the segment.
  void give(char* data);
  /// Returns every segment that is wholly free.
  void release_cached();
  uint64_t reserved_bytes() const { return reserved_bytes_; }

 private:
  struct Node {
    char* data;
    uint64_t bytes;
    const void* stream;
    bool small;
    bool free;
    Node *previous, *next;  ///< neighbours in the segment
  };
  struct BySize {
    bool operator()(const Node* a, const Node* b) const {
      return a->bytes != b->bytes ? a->bytes < b->bytes : a->data < b->data;
    }
  };
  using Pool = std::set<Node*, BySize>;

  Pool& pool_of(const Node& node) { return pools_[{node.stream, node.small}]; }
  Node* new_segment(const void* stream, uint64_t rounded_bytes);
  Node* find_cached(const void* stream, uint64_t rounded_bytes);
  void split(Node* node, uint64_t rounded_bytes);
  Node* merge(Node* left, Node* right);

  std::function<char*(uint64_t)> reserve_;
  std::function<void(char*, uint64_t)> give_back_;
  std::map<std::pair<const void*, bool>, Pool> pools_;
  std::unordered_map<char*, std::unique_ptr<Node>> nodes_;  ///< by address, free and in use
  uint64_t reserved_bytes_ = 0;
};

}  // namespace ftrun::devices
