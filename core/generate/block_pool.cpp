// A stack of free numbers.
#include "core/generate/block_pool.h"

#include "core/base/error.h"

namespace ftrun {

BlockPool::BlockPool(int32_t count) : count_(count) {
  for (int32_t block = count; block-- > 0;) free_.push_back(block);
}

int32_t BlockPool::take() {
  if (free_.empty()) throw internal_error("KV cache: all {} blocks are taken", count_);
  const int32_t block = free_.back();
  free_.pop_back();
  return block;
}

void BlockPool::give_back(int32_t block) { free_.push_back(block); }

}  // namespace ftrun
