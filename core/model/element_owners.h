// Which rank writes which elements of a model when it is saved, known to all ranks.
// Leaves out: reading the values (model_values.h, optimizer_slice.h).
#pragma once

#include <cstdint>
#include <vector>

#include "core/model/rank.h"

namespace ftrun {

/// Elements [begin, end) of a unit's part that `rank` writes.
struct OwnedSegment {
  int64_t begin = 0;
  int64_t end = 0;
  int32_t rank = 0;
};

/// Immutable once made. Of several ranks that hold an element the lowest writes it.
class ElementOwners {
 public:
  /// Of the weights in the precision that is kept longest: master weights where there are any. Collective: all ranks.
  static ElementOwners of_weights(Rank& rank, int32_t role);
  /// Of the optimizer's states. Collective.
  static ElementOwners of_optimizer(Rank& rank, int32_t role);

  /// Ascending segments that cover [begin, end) of a unit's part. FAILED_PRECONDITION where no rank holds an element.
  std::vector<OwnedSegment> segments(int32_t unit, ftrun_part part, int64_t begin, int64_t end) const;
  /// All segments of a unit's part, ascending; gaps belong to nobody.
  const std::vector<OwnedSegment>& all(int32_t unit, ftrun_part part) const;

 private:
  struct Claim {
    int32_t unit = 0;
    ftrun_part part = FTRUN_PART_TRAINED;
    int64_t begin = 0;
    int64_t end = 0;
  };
  static void add_slices(const Rank& rank, int32_t role, std::vector<Claim>& claims);
  ElementOwners(Rank& rank, int32_t role, const std::vector<Claim>& mine);

  std::vector<std::vector<OwnedSegment>> segments_;  // by 2 * unit + part
};

}  // namespace ftrun
