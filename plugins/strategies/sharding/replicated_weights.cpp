// Whole weights: bound once, made equal again after an update.
#include "sharding/replicated_weights.h"

namespace ftrun::sharding {

ReplicatedWeights::ReplicatedWeights(const sdk::ShardCalls& calls, const UnitPlace& place, const RankGrid& grid,
                                     bool updates_slice)
    : place_(place), grid_(grid), updates_slice_(updates_slice) {
  for (const ftrun_part part : {FTRUN_PART_TRAINED, FTRUN_PART_FROZEN}) {
    const int64_t elements = place.elements[part];
    if (elements == 0) continue;
    whole_[part] = calls.empty(place.dtype, {elements}, FTRUN_MEMORY_WEIGHTS);
    calls.load_slice(place.role, place.unit, part, 0, elements, whole_[part]);
    calls.bind_compute(place.role, place.unit, part, whole_[part]);
  }
}

void ReplicatedWeights::fetch(const sdk::ShardCalls& calls) {
  if (!stale_) return;
  arriving_.wait();
  const sdk::Tensor& whole = whole_[FTRUN_PART_TRAINED];
  const Region slice = grid_.slice(place_.elements[FTRUN_PART_TRAINED]);
  arriving_ = calls.all_gather(grid_.shard_group, calls.slice(whole, 0, slice.begin, slice.end), whole);
  stale_ = false;
}

void ReplicatedWeights::complete(const sdk::ShardCalls& calls) {
  fetch(calls);
  arriving_.wait();
}

void ReplicatedWeights::release(const sdk::ShardCalls&) {}

sdk::Tensor ReplicatedWeights::updated(const sdk::ShardCalls& calls) {
  arriving_.wait();
  if (!updates_slice_) return whole_[FTRUN_PART_TRAINED];
  const Region slice = grid_.slice(place_.elements[FTRUN_PART_TRAINED]);
  return calls.slice(whole_[FTRUN_PART_TRAINED], 0, slice.begin, slice.end);
}

void ReplicatedWeights::publish(const sdk::ShardCalls& calls) {
  overwritten(calls);
  fetch(calls);
}

Region ReplicatedWeights::owned(ftrun_part part) const {
  const int64_t elements = place_.elements[part];
  return part == FTRUN_PART_TRAINED && updates_slice_ ? grid_.slice(elements) : Region{0, elements};
}

sdk::Tensor ReplicatedWeights::held(const sdk::ShardCalls& calls, ftrun_part part, Region region) {
  arriving_.wait();
  return calls.slice(whole_[part], 0, region.begin, region.end);
}

void ReplicatedWeights::overwritten(const sdk::ShardCalls&) {
  stale_ = updates_slice_ && place_.elements[FTRUN_PART_TRAINED] > 0;
}

}  // namespace ftrun::sharding
