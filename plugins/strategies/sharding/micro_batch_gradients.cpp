// Transient gradients, reduced and added.
#include "sharding/micro_batch_gradients.h"

#include <utility>

namespace ftrun::sharding {

Region MicroBatchGradients::kept(size_t index) const {
  const int64_t elements = units()[index].elements;
  return keeps_slice_ ? grid().slice(elements) : Region{0, elements};
}

void MicroBatchGradients::prepare(const sdk::ShardCalls& calls, size_t index) {
  if (transient_[index]) return;
  const TrainedUnit& unit = units()[index];
  transient_[index] = calls.empty(unit.dtypes.stored, {unit.elements}, FTRUN_MEMORY_COMMUNICATION);
  calls.zero_gradient(unit.role, unit.unit);
  calls.bind_gradient(unit.role, unit.unit, transient_[index]);
}

void MicroBatchGradients::reduce(const sdk::ShardCalls& calls, size_t index, bool is_last) {
  const TrainedUnit& unit = units()[index];
  calls.bind_gradient(unit.role, unit.unit, sdk::Tensor());
  Reduction reduction;
  reduction.index = index;
  reduction.is_last = is_last;
  reduction.data = std::exchange(transient_[index], sdk::Tensor());
  if (unit.dtypes.wire != unit.dtypes.stored) {
    sdk::Tensor narrowed = calls.empty(unit.dtypes.wire, {unit.elements}, FTRUN_MEMORY_COMMUNICATION);
    calls.copy(reduction.data, narrowed);
    reduction.data = std::move(narrowed);
  }
  start(calls, reduction);
  in_flight_.push_back(std::move(reduction));
  while (in_flight_.size() > 1) retire(calls);
}

void MicroBatchGradients::start(const sdk::ShardCalls& calls, Reduction& reduction) {
  if (!keeps_slice_) {
    reduction.work = calls.all_reduce(nullptr, reduction.data);
    return;
  }
  const Region region = kept(reduction.index);
  const sdk::Tensor slice = calls.slice(reduction.data, 0, region.begin, region.end);
  reduction.work = calls.reduce_scatter(grid().shard_group, reduction.data, slice);
  // Queued behind the first level, which it continues.
  if (grid().replicas > 1) reduction.replicas_work = calls.all_reduce(grid().replica_group, slice);
}

void MicroBatchGradients::retire(const sdk::ShardCalls& calls) {
  Reduction reduction = std::move(in_flight_.front());
  in_flight_.pop_front();
  reduction.work.wait();
  reduction.replicas_work.wait();
  const Region region = kept(reduction.index);
  const sdk::Tensor slice = calls.slice(reduction.data, 0, region.begin, region.end);
  sdk::Tensor& sum = sums_[reduction.index];
  if (sum) {
    calls.accumulate(slice, sum);
  } else {
    sum = calls.empty(units()[reduction.index].dtypes.kept, {region.size()}, FTRUN_MEMORY_GRADIENTS, placement_);
    calls.copy(slice, sum);
  }
  if (reduction.is_last) calls.gradient_final(sum);
}

void MicroBatchGradients::finish(const sdk::ShardCalls& calls) {
  while (!in_flight_.empty()) retire(calls);
}

sdk::Tensor MicroBatchGradients::reduced(const sdk::ShardCalls& calls, size_t index, Region region) {
  if (!sums_[index]) return {};
  const int64_t first = kept(index).begin;
  return calls.slice(sums_[index], 0, region.begin - first, region.end - first);
}

void MicroBatchGradients::release(const sdk::ShardCalls& calls) {
  in_flight_.clear();
  for (size_t index = 0; index < units().size(); ++index) {
    calls.zero_gradient(units()[index].role, units()[index].unit);
    calls.bind_gradient(units()[index].role, units()[index].unit, sdk::Tensor());
    transient_[index] = sdk::Tensor();
    sums_[index] = sdk::Tensor();
  }
}

}  // namespace ftrun::sharding
