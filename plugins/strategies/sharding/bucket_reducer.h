// Whole gradient buffers reduced in buckets while backward goes on.
// Leaves out: where the buffers come from (update_gradients.h).
#pragma once

#include <deque>
#include <vector>

#include "sharding/rank_grid.h"

namespace ftrun::sharding {

/// Reduces flat buffers in the order they are added, over the world. A bucket that is one whole buffer in the wire's
/// dtype is reduced in place; others go through a buffer of bucket_elements (16 per rank at least), in which small
/// units meet and large ones pass piece by piece. The values do not depend on buckets.
class BucketReducer {
 public:
  /// `scatter`: after the reduction only this rank's slice of a buffer holds the sum.
  BucketReducer(bool scatter, int64_t bucket_elements) : scatter_(scatter), bucket_elements_(bucket_elements) {}
  void use(const RankGrid& grid) { grid_ = grid; }

  void add(const sdk::ShardCalls& calls, const sdk::Tensor& flat, int64_t elements, ftrun_dtype dtype,
           ftrun_dtype wire);
  /// Every buffer added holds its sum.
  void finish(const sdk::ShardCalls& calls);
  /// Waits and forgets.
  void drop() noexcept;

 private:
  /// Columns [begin, end) of a buffer seen as `parts` rows.
  struct Piece {
    sdk::Tensor flat;
    int64_t row_elements = 0;
    int64_t begin = 0;
    int64_t end = 0;
    ftrun_dtype dtype = FTRUN_F32;
    bool is_whole() const noexcept { return begin == 0 && end == row_elements; }
  };
  struct Bucket {
    std::vector<Piece> pieces;
    int64_t columns = 0;
    sdk::Tensor buffer;  ///< [parts][columns], empty when reduced in place
    sdk::Work work;
  };

  /// Rows of a buffer: one per rank where ranks get slices.
  int64_t parts() const noexcept { return scatter_ ? grid_.world : 1; }
  int64_t bucket_columns() const noexcept;
  void launch(const sdk::ShardCalls& calls);
  void pack(const sdk::ShardCalls& calls, const Bucket& bucket) const;
  void unpack(const sdk::ShardCalls& calls, const Bucket& bucket) const;
  void retire(const sdk::ShardCalls& calls);
  sdk::Work start(const sdk::ShardCalls& calls, const sdk::Tensor& data, int64_t elements) const;

  bool scatter_;
  int64_t bucket_elements_;
  RankGrid grid_;
  ftrun_dtype wire_ = FTRUN_F32;
  Bucket open_;
  std::deque<Bucket> in_flight_;
};

}  // namespace ftrun::sharding
