// Slices by the layout's pieces.
#include "tests/strategies/weight_collector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "core/base/error.h"

namespace ftrun::test {

WeightCollector::WeightCollector(const NetworkModel& model) : model_(model) {
  for (const ModelParameter& parameter : model.parameters()) {
    const auto elements = static_cast<size_t>(parameter.elements);
    values_[parameter.name].resize(elements);
    seen_[parameter.name].resize(elements, false);
  }
}

void WeightCollector::add(Rank& rank) {
  for (int32_t unit = 0; unit < rank.role(0).layout().unit_count(); ++unit) {
    for (const ftrun_part part : {FTRUN_PART_TRAINED, FTRUN_PART_FROZEN}) add(rank, unit, part);
  }
}

void WeightCollector::add(Rank& rank, int32_t unit, ftrun_part part) {
  const PartLayout& layout = rank.role(0).layout().part(unit, part);
  if (layout.elements == 0) return;
  const StrategyHooks& hooks = rank.hooks();
  int64_t begin = 0;
  int64_t end = 0;
  check_status(hooks.table().owned_range(hooks.instance(), &rank.context(), 0, unit, part, &begin, &end), "owned");
  const Tensor copy = empty(rank.context(), rank.arguments().precision.compute, {end - begin});
  check_status(hooks.table().read_range(hooks.instance(), &rank.context(), 0, unit, part, begin, end, copy.get()),
               "read_range");
  const std::vector<float> found = read_floats(rank.context(), copy);
  const std::lock_guard lock(mutex_);
  for (const ParameterPiece& piece : rank.role(0).layout().pieces(unit, part, begin, end)) put(piece, found);
}

std::map<std::string, std::vector<float>> WeightCollector::take() {
  for (const auto& [name, seen] : seen_) {
    EXPECT_EQ(std::ranges::count(seen, false), 0) << name << ": elements that no rank owns";
  }
  return std::move(values_);
}

void WeightCollector::put(const ParameterPiece& piece, const std::vector<float>& found) {
  const std::string& name = model_.parameter(piece.id).name;
  for (int64_t i = piece.begin; i < piece.end; ++i) {
    const auto at = static_cast<size_t>(i);
    const float value = found[static_cast<size_t>(piece.offset + i - piece.begin)];
    if (seen_[name][at]) {
      ASSERT_EQ(std::memcmp(&values_[name][at], &value, sizeof(value)), 0) << name << "[" << i << "] on two ranks";
    }
    seen_[name][at] = true;
    values_[name][at] = value;
  }
}

}  // namespace ftrun::test
