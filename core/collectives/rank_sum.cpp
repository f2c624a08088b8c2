// sum_ranks by handle, because the device's names are the rank thread's.
#include "core/collectives/rank_sum.h"

#include <vector>

namespace ftrun {

void RankSum::reserve(uint64_t part_bytes) {
  slot_bytes_ = 0;  // should memory run out
  slots_.reserve(lane_, static_cast<uint64_t>(world_) * slot_bytes(part_bytes));
  slot_bytes_ = slot_bytes(part_bytes);
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
