// The longest sequences decide, since any of them may be decoded side by side.
#include "core/generate/cache_size.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "core/base/error.h"
#include "core/generate/kv_cache.h"

namespace ftrun {
namespace {

// The walk's own activations and logits live in what the cache leaves free.
constexpr double kShareOfFreeMemory = 0.8;

uint64_t free_bytes(const Device& device) {
  const ftrun_memory_stats memory = device.memory_stats();
  return memory.total_bytes > memory.allocated_bytes ? memory.total_bytes - memory.allocated_bytes : 0;
}

double gib(double bytes) { return bytes / static_cast<double>(uint64_t{1} << 30); }

}  // namespace

uint64_t cache_block_bytes(Rank& rank, int32_t role) {
  const ftrun_network_info& info = rank.role(role).model().info();
  const auto row = static_cast<uint64_t>(info.n_kv_heads) * static_cast<uint64_t>(info.head_dim) *
                   FTRUN_DTYPE_BYTES(rank.arguments().precision.compute);
  return 2 * row * static_cast<uint64_t>(info.n_layers) * kCacheBlockRows;
}

int32_t cache_blocks(Rank& rank, int32_t role, const std::vector<int64_t>& tokens, int32_t max_sequences) {
  std::vector<int64_t> needs;
  for (const int64_t count : tokens) needs.push_back(cache_blocks_for(count));
  std::ranges::sort(needs, std::greater<>());
  needs.resize(std::min(needs.size(), static_cast<size_t>(max_sequences)));
  if (needs.empty()) return 0;
  const uint64_t block = cache_block_bytes(rank, role);
  const double room = kShareOfFreeMemory * static_cast<double>(free_bytes(*rank.context().device));
  const double longest = static_cast<double>(needs.front()) * static_cast<double>(block);
  if (longest > room) {
    throw Error(FTRUN_RESOURCE_EXHAUSTED,
                fmt::format("the KV cache of a sequence of {} tokens (prompt and max_new_tokens) needs {:.2f} GiB, and "
                            "device '{}' has room for {:.2f} GiB beside the model: reduce max_new_tokens or shorten "
                            "the prompt",
                            *std::ranges::max_element(tokens), gib(longest), rank.context().device->name(), gib(room)));
  }
  const int64_t wanted = std::accumulate(needs.begin(), needs.end(), int64_t{0});
  const double most = std::min(room / static_cast<double>(block), static_cast<double>(INT32_MAX));
  return static_cast<int32_t>(std::min(static_cast<double>(wanted), most));
}

}  // namespace ftrun
