// Best fit, splitting, merging and release of segments.
#include "plugins/devices/npu_a2/caching_allocator.h"

#include <algorithm>
#include <vector>

namespace ftrun::devices {

CachingAllocator::~CachingAllocator() { release_cached(); }

uint64_t CachingAllocator::rounded(uint64_t bytes) {
  return std::max(kMinBlock, (bytes + kExtra + kMinBlock - 1) / kMinBlock * kMinBlock);
}

uint64_t CachingAllocator::segment_bytes(uint64_t rounded_bytes) {
  if (rounded_bytes <= kSmallLimit) return kSmallSegment;
  if (rounded_bytes < kLargeLimit) return kLargeSegment;
  return (rounded_bytes + kLargeRounding - 1) / kLargeRounding * kLargeRounding;
}

CachingAllocator::Block CachingAllocator::take(const void* stream, uint64_t bytes) {
  if (bytes > (uint64_t{1} << 60)) return {nullptr, 0};
  const uint64_t size = rounded(bytes);
  Node* node = find_cached(stream, size);
  if (node == nullptr) node = new_segment(stream, size);
  if (node == nullptr) {
    release_cached();
    node = new_segment(stream, size);
  }
  if (node == nullptr) return {nullptr, 0};
  pool_of(*node).erase(node);
  split(node, size);
  node->free = false;
  return {node->data, node->bytes};
}

CachingAllocator::Node* CachingAllocator::find_cached(const void* stream, uint64_t rounded_bytes) {
  Node key{};
  key.bytes = rounded_bytes;
  Pool& pool = pools_[{stream, rounded_bytes <= kSmallLimit}];
  const auto found = pool.lower_bound(&key);
  return found == pool.end() ? nullptr : *found;
}

CachingAllocator::Node* CachingAllocator::new_segment(const void* stream, uint64_t rounded_bytes) {
  const uint64_t bytes = segment_bytes(rounded_bytes);
  char* data = reserve_(bytes);
  if (data == nullptr) return nullptr;
  reserved_bytes_ += bytes;
  auto node = std::make_unique<Node>(Node{data, bytes, stream, rounded_bytes <= kSmallLimit, true, nullptr, nullptr});
  Node* result = node.get();
  nodes_[data] = std::move(node);
  pool_of(*result).insert(result);
  return result;
}

void CachingAllocator::split(Node* node, uint64_t rounded_bytes) {
  const uint64_t rest = node->bytes - rounded_bytes;
  if (node->small ? rest < kMinBlock : rest <= kSmallLimit) return;
  auto tail =
      std::make_unique<Node>(Node{node->data + rounded_bytes, rest, node->stream, node->small, true, node, node->next});
  if (node->next != nullptr) node->next->previous = tail.get();
  node->next = tail.get();
  node->bytes = rounded_bytes;
  pool_of(*tail).insert(tail.get());
  nodes_[tail->data] = std::move(tail);
}

CachingAllocator::Node* CachingAllocator::merge(Node* left, Node* right) {
  left->bytes += right->bytes;
  left->next = right->next;
  if (right->next != nullptr) right->next->previous = left;
  nodes_.erase(right->data);
  return left;
}

void CachingAllocator::give(char* data) {
  Node* node = nodes_.at(data).get();
  node->free = true;
  if (node->next != nullptr && node->next->free) {
    pool_of(*node->next).erase(node->next);
    merge(node, node->next);
  }
  if (node->previous != nullptr && node->previous->free) {
    pool_of(*node->previous).erase(node->previous);
    node = merge(node->previous, node);
  }
  pool_of(*node).insert(node);
}

void CachingAllocator::release_cached() {
  for (auto& [key, pool] : pools_) {
    std::vector<Node*> whole;
    for (Node* node : pool) {
      if (node->previous == nullptr && node->next == nullptr) whole.push_back(node);
    }
    for (Node* node : whole) {
      pool.erase(node);
      reserved_bytes_ -= node->bytes;
      give_back_(node->data, node->bytes);
      nodes_.erase(node->data);
    }
  }
}

}  // namespace ftrun::devices
