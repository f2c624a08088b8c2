// Whole gradients, reduced once.
#include "sharding/update_gradients.h"

namespace ftrun::sharding {

void UpdateGradients::prepare(const sdk::ShardCalls& calls, size_t index) {
  sdk::Tensor& whole = whole_[index];
  if (whole) return;
  const TrainedUnit& unit = units()[index];
  whole = calls.empty(unit.dtypes.kept, {unit.elements}, FTRUN_MEMORY_GRADIENTS);
  calls.bind_gradient(unit.role, unit.unit, whole);
}

void UpdateGradients::reduce(const sdk::ShardCalls& calls, size_t index, bool is_last) {
  if (!is_last) return;
  const TrainedUnit& unit = units()[index];
  reducer_.use(grid());
  reducer_.add(calls, whole_[index], unit.elements, unit.dtypes.kept, unit.dtypes.wire);
}

void UpdateGradients::finish(const sdk::ShardCalls& calls) { reducer_.finish(calls); }

sdk::Tensor UpdateGradients::reduced(const sdk::ShardCalls& calls, size_t index, Region region) {
  return whole_[index] ? calls.slice(whole_[index], 0, region.begin, region.end) : sdk::Tensor();
}

void UpdateGradients::release(const sdk::ShardCalls& calls) {
  reducer_.drop();
  for (size_t index = 0; index < units().size(); ++index) {
    calls.zero_gradient(units()[index].role, units()[index].unit);
    calls.bind_gradient(units()[index].role, units()[index].unit, sdk::Tensor());
    whole_[index] = sdk::Tensor();
  }
}

}  // namespace ftrun::sharding
