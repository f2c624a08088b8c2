// Documents wait in one queue per length.
#include "core/data/packing.h"

#include <map>

#include "core/base/error.h"

namespace ftrun {
namespace {

struct Queue {
  std::vector<int64_t> indices;
  size_t next = 0;
};

}  // namespace

std::vector<std::vector<int64_t>> pack_documents(std::span<const int32_t> lengths, int64_t capacity) {
  std::map<int64_t, Queue> waiting;
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] > capacity)
      throw internal_error("document {} has {} tokens and a row only {}", i, lengths[i], capacity);
    waiting[lengths[i]].indices.push_back(static_cast<int64_t>(i));
  }
  std::vector<std::vector<int64_t>> rows;
  while (!waiting.empty()) {
    std::vector<int64_t> row;
    int64_t room = capacity;
    for (auto fits = waiting.upper_bound(room); fits != waiting.begin(); fits = waiting.upper_bound(room)) {
      --fits;
      Queue& queue = fits->second;
      row.push_back(queue.indices[queue.next++]);
      room -= fits->first;
      if (queue.next == queue.indices.size()) waiting.erase(fits);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace ftrun
