// Three ways to lay out rows.
#include "core/data/row_plan.h"

#include <algorithm>

#include "core/data/packing.h"

namespace ftrun {

RowPlan plan_whole(std::span<const int64_t> members, std::span<const int32_t> lengths, int64_t per_row) {
  RowPlan plan;
  for (size_t i = 0; i < members.size(); ++i) {
    plan.pieces.push_back({members[i], 0, lengths[i]});
    if (static_cast<int64_t>(i + 1) % per_row == 0) plan.end_row();
  }
  return plan;
}

RowPlan plan_packed(std::span<const int64_t> members, std::span<const int32_t> lengths, int64_t capacity) {
  RowPlan plan;
  for (const auto& row : pack_documents(lengths, capacity)) {
    for (const int64_t index : row) {
      const auto i = static_cast<size_t>(index);
      plan.pieces.push_back({members[i], 0, lengths[i]});
    }
    plan.end_row();
  }
  return plan;
}

RowPlan plan_stream(std::span<const int64_t> members, std::span<const int32_t> lengths, int64_t capacity) {
  RowPlan plan;
  int64_t room = capacity;
  for (size_t i = 0; i < members.size(); ++i) {
    for (int32_t begin = 0; begin < lengths[i];) {
      const auto taken = static_cast<int32_t>(std::min<int64_t>(room, lengths[i] - begin));
      plan.pieces.push_back({members[i], begin, begin + taken});
      begin += taken;
      room -= taken;
      if (room > 0) continue;
      plan.end_row();
      room = capacity;
    }
  }
  if (room == capacity) return plan;
  if (room + 1 == capacity) {
    plan.pieces.pop_back();
  } else {
    plan.end_row();
  }
  return plan;
}

}  // namespace ftrun
