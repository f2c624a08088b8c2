// The global gradient norm: fixed blocks of every rank's slices, folded in the order of the layout.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/model/rank.h"
#include "core/ops/reductions.h"

namespace ftrun {
namespace {

/// One rank's block sums per slice, as bytes for the others: how many slices, each one's blocks, then all sums.
class SliceBlocks {
 public:
  void add(size_t blocks_so_far) { ends_.push_back(blocks_so_far); }
  size_t slices() const noexcept { return ends_.size(); }
  std::span<const double> blocks_of(size_t slice) const {
    const size_t begin = slice == 0 ? 0 : ends_[slice - 1];
    return std::span(blocks).subspan(begin, ends_[slice] - begin);
  }

  std::vector<std::byte> pack() const {
    const uint64_t count = ends_.size();
    std::vector<std::byte> bytes(sizeof(count) + count * sizeof(uint64_t) + blocks.size() * sizeof(double));
    std::memcpy(bytes.data(), &count, sizeof(count));
    if (count == 0) return bytes;
    std::memcpy(bytes.data() + sizeof(count), ends_.data(), count * sizeof(uint64_t));
    if (blocks.empty()) return bytes;
    std::memcpy(bytes.data() + (1 + count) * sizeof(uint64_t), blocks.data(), blocks.size() * sizeof(double));
    return bytes;
  }

  static SliceBlocks unpack(std::span<const std::byte> bytes) {
    SliceBlocks result;
    uint64_t count = 0;
    std::memcpy(&count, bytes.data(), sizeof(count));
    result.ends_.resize(count);
    if (count == 0) return result;
    std::memcpy(result.ends_.data(), bytes.data() + sizeof(count), count * sizeof(uint64_t));
    result.blocks.resize(result.ends_.back());
    if (result.blocks.empty()) return result;
    std::memcpy(result.blocks.data(), bytes.data() + (1 + count) * sizeof(uint64_t),
                result.blocks.size() * sizeof(double));
    return result;
  }

  std::vector<double> blocks;

 private:
  std::vector<uint64_t> ends_;  ///< of each slice in `blocks`
};

}  // namespace

void Rank::gradient_final(const Tensor& slice) {
  final_gradients_.push_back({slice, ops::sum_squares(context_, slice)});
}

double Rank::grad_norm(std::span<const Tensor> slices) {
  SliceBlocks own;
  const std::vector<FinalGradient> summed = std::exchange(final_gradients_, {});
  for (const Tensor& slice : slices) {
    const auto same = [&](const FinalGradient& known) {
      return known.slice.address() == slice.address() && known.slice.element_count() == slice.element_count();
    };
    const auto found = std::ranges::find_if(summed, same);
    ops::append_block_sums(context_, found == summed.end() ? ops::sum_squares(context_, slice) : found->block_sums,
                           own.blocks);
    own.add(own.blocks.size());
  }
  std::vector<SliceBlocks> ranks;
  for (const std::vector<std::byte>& packed : communicator().all_gather_host(own.pack())) {
    ranks.push_back(SliceBlocks::unpack(packed));
    if (ranks.back().slices() == slices.size()) continue;
    throw invalid_argument("grad_norm: rank {} gave {} slices, rank {} gave {}", communicator().rank(), slices.size(),
                           ranks.size() - 1, ranks.back().slices());
  }
  double sum = 0;
  for (size_t slice = 0; slice < slices.size(); ++slice) {
    for (const SliceBlocks& rank : ranks) {
      for (const double block : rank.blocks_of(slice)) sum += block;
    }
  }
  return static_cast<double>(static_cast<float>(std::sqrt(sum)));
}

}  // namespace ftrun
