// sum_ranks by handle, because the device's names are the rank thread's.
#include "core/collectives/rank_sum.h"

#include <vector>

namespace ftrun {

OpHandle RankSum::prepare(ftrun_dtype dtype) {
  slots_.reserve(lane_, static_cast<uint64_t>(world_) * piece_bytes_);
  return lane_.device().require_op(FTRUN_OP_SUM_RANKS, dtype);
}

void RankSum::sum(OpHandle op, std::span<const Place> inputs, const Place& out, int64_t elements,
                  ftrun_dtype dtype) const {
  const int64_t stride = 1;
  const ftrun_device_properties& properties = lane_.device().properties();
  const auto view = [&](const Place& place) {
    return ftrun_view{place.address, properties.type, properties.ordinal, 1, dtype, &elements, &stride, 0};
  };
  std::vector<ftrun_view> views;
  for (const Place& input : inputs) views.push_back(view(input));
  const ftrun_view output = view(out);
  lane_.device().execute(op, FTRUN_OP_SUM_RANKS, lane_.staging(), views, {&output, 1}, nullptr);
}

}  // namespace ftrun
