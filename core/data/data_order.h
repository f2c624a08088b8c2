// Which item goes to which update, micro-batch and rank: a pure function of sizes and seed.
// Leaves out: what an item is. The law is DESIGN.md section 3 "Data order".
#pragma once

#include <cstdint>
#include <vector>

#include "core/data/permutation.h"

namespace ftrun {

struct BatchShape {
  int64_t ranks = 1;             ///< N
  int64_t per_device_batch = 1;  ///< B
  int64_t accumulation = 1;      ///< G
  int64_t window() const noexcept { return ranks * per_device_batch * accumulation; }
};

/// Immutable; any thread may use it.
class DataOrder {
 public:
  static constexpr int64_t kFiller = -1;  ///< a masked item that fills up the epoch's short last window

  struct Position {
    int64_t epoch = 0;
    int64_t update = 0;  ///< within the epoch
  };

  /// Throws INVALID_ARGUMENT when num_items < 1 or a size of the shape is < 1.
  DataOrder(int64_t num_items, uint64_t seed, bool shuffle, BatchShape shape);

  int64_t num_items() const noexcept { return num_items_; }
  const BatchShape& shape() const noexcept { return shape_; }
  /// ceil(num_items / (N G B)).
  int64_t updates_per_epoch() const noexcept;

  /// `update` counts from 0 over all epochs.
  Position position_of_update(int64_t update) const noexcept;
  /// Items of that micro-batch on that rank, [B], kFiller where the window is short.
  std::vector<int64_t> micro_batch(int64_t update, int64_t micro_batch, int64_t rank) const;
  /// All items of an update in window order, [N G B]: item i is in micro-batch i / (N B), on rank (i / B) mod N.
  std::vector<int64_t> window_items(int64_t update) const;

  /// Real items (no fillers) consumed before `update`: what a checkpoint stores.
  int64_t items_before(int64_t update) const noexcept;
  /// Inverse of items_before. Throws FAILED_PRECONDITION when `items` is not the start of an update with this shape.
  int64_t update_at(int64_t items) const;

 private:
  int64_t item_at(int64_t epoch, int64_t index) const noexcept;

  int64_t num_items_;
  uint64_t seed_;
  bool shuffle_;
  BatchShape shape_;
};

}  // namespace ftrun
