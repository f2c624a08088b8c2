// The layout law: where each parameter lies in its unit's flat trained or frozen buffer, and which rank owns what.
// Leaves out: the buffers (role.h). Law: DESIGN.md section 3 "Layout and reduction order", ftrun/shard.h.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/model/network_model.h"
#include "ftrun/shard.h"

namespace ftrun {

/// Elements [begin, end) of a unit's part are the whole parameter `id`.
struct ParameterRange {
  int32_t id = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

/// One flat buffer of a unit. padded_elements is a multiple of 16 N, 0 when there are none.
struct PartLayout {
  std::vector<ParameterRange> parameters;
  int64_t elements = 0;
  int64_t padded_elements = 0;
};

/// Where a parameter lies.
struct ParameterPlace {
  int32_t unit = 0;
  ftrun_part part = FTRUN_PART_TRAINED;
  int64_t begin = 0;
};

/// A piece of a parameter inside a range of a unit's part: elements [begin, end) of parameter `id` stand at `offset` of
/// the range.
struct ParameterPiece {
  int32_t id = 0;
  int64_t begin = 0;
  int64_t end = 0;
  int64_t offset = 0;
};

/// Layout of one role for N ranks. Immutable.
class ParameterLayout {
 public:
  /// `is_trained` decides for each parameter.
  ParameterLayout(const NetworkModel& model, int32_t world, const std::function<bool(int32_t id)>& is_trained);

  int32_t world() const noexcept { return world_; }
  int32_t unit_count() const noexcept { return static_cast<int32_t>(parts_.size() / 2); }
  const PartLayout& part(int32_t unit, ftrun_part part) const { return parts_.at(2 * unit + part); }
  const ParameterPlace& place(int32_t id) const { return places_.at(id); }
  bool is_trained(int32_t id) const { return places_.at(id).part == FTRUN_PART_TRAINED; }
  /// A unit with a trained parameter of its own.
  bool has_trained(int32_t unit) const { return part(unit, FTRUN_PART_TRAINED).padded_elements > 0; }
  /// The slice of `rank`: [first, second) in the padded part.
  std::pair<int64_t, int64_t> slice(int32_t unit, ftrun_part part, int32_t rank) const;
  /// Parameters that overlap [begin, end) of a unit's part, in order. What no piece covers is padding.
  std::vector<ParameterPiece> pieces(int32_t unit, ftrun_part part, int64_t begin, int64_t end) const;
  int64_t largest_tensor_elements(int32_t unit) const;

 private:
  int32_t world_;
  std::vector<PartLayout> parts_;
  std::vector<ParameterPlace> places_;
};

}  // namespace ftrun
