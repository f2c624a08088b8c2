// Slices that stay and wholes that come and go.
#include "sharding/sliced_weights.h"

namespace ftrun::sharding {

SlicedWeights::SlicedWeights(const sdk::ShardCalls& calls, const UnitPlace& place, const RankGrid& grid,
                             ftrun_placement placement)
    : place_(place), grid_(grid) {
  for (const ftrun_part part : {FTRUN_PART_TRAINED, FTRUN_PART_FROZEN}) {
    if (place.elements[part] == 0) continue;
    const Region region = owned(part);
    sdk::Tensor& slice = parts_[part].slice;
    slice = calls.empty(place.dtype, {region.size()}, FTRUN_MEMORY_WEIGHTS, placement);
    calls.load_slice(place.role, place.unit, part, region.begin, region.end, slice);
  }
}

void SlicedWeights::fetch(const sdk::ShardCalls& calls) {
  for (const ftrun_part index : {FTRUN_PART_TRAINED, FTRUN_PART_FROZEN}) {
    Part& part = parts_[index];
    if (!part.slice || part.whole) continue;
    part.whole = calls.empty(place_.dtype, {place_.elements[index]}, FTRUN_MEMORY_GATHER);
    part.arriving = calls.all_gather(grid_.shard_group, part.slice, part.whole);
  }
}

void SlicedWeights::complete(const sdk::ShardCalls& calls) {
  fetch(calls);
  for (const ftrun_part index : {FTRUN_PART_TRAINED, FTRUN_PART_FROZEN}) {
    Part& part = parts_[index];
    part.arriving.wait();
    if (!part.whole || part.is_bound) continue;
    calls.bind_compute(place_.role, place_.unit, index, part.whole);
    part.is_bound = true;
  }
}

void SlicedWeights::release(const sdk::ShardCalls& calls) {
  for (const ftrun_part index : {FTRUN_PART_TRAINED, FTRUN_PART_FROZEN}) {
    Part& part = parts_[index];
    part.arriving.wait();
    if (part.is_bound) calls.bind_compute(place_.role, place_.unit, index, sdk::Tensor());
    part.is_bound = false;
    part.whole = sdk::Tensor();
  }
}

sdk::Tensor SlicedWeights::updated(const sdk::ShardCalls& calls) {
  // A whole that was fetched ahead and not used holds the values before the update.
  release(calls);
  return parts_[FTRUN_PART_TRAINED].slice;
}

void SlicedWeights::publish(const sdk::ShardCalls&) {}

Region SlicedWeights::owned(ftrun_part part) const { return grid_.slice(place_.elements[part]); }

sdk::Tensor SlicedWeights::held(const sdk::ShardCalls& calls, ftrun_part part, Region region) {
  const int64_t first = owned(part).begin;
  return calls.slice(parts_[part].slice, 0, region.begin - first, region.end - first);
}

void SlicedWeights::overwritten(const sdk::ShardCalls& calls) { release(calls); }

}  // namespace ftrun::sharding
