// Packing, launching and unpacking buckets.
#include "sharding/bucket_reducer.h"

#include <algorithm>
#include <utility>

namespace ftrun::sharding {
namespace {

/// One bucket travels while the next one is filled.
constexpr size_t kMaxInFlight = 2;
/// Every rank's share of a unit is a multiple of this many elements, and its share of a bucket stays so.
constexpr int64_t kGranularity = 16;

}  // namespace

int64_t BucketReducer::bucket_columns() const noexcept {
  const int64_t granularity = kGranularity * grid_.world / parts();
  return std::max(bucket_elements_ / parts() / granularity * granularity, granularity);
}

void BucketReducer::add(const sdk::ShardCalls& calls, const sdk::Tensor& flat, int64_t elements, ftrun_dtype dtype,
                        ftrun_dtype wire) {
  if (!open_.pieces.empty() && wire != wire_) launch(calls);
  wire_ = wire;
  const int64_t row = elements / parts();
  const bool in_place = dtype == wire && row >= bucket_columns();
  if (in_place) {
    launch(calls);
    open_.pieces.push_back({flat, row, 0, row, dtype});
    open_.columns = row;
    return launch(calls);
  }
  for (int64_t begin = 0; begin < row;) {
    const int64_t end = std::min(row, begin + bucket_columns() - open_.columns);
    open_.pieces.push_back({flat, row, begin, end, dtype});
    open_.columns += end - begin;
    begin = end;
    if (open_.columns == bucket_columns()) launch(calls);
  }
}

void BucketReducer::launch(const sdk::ShardCalls& calls) {
  if (open_.pieces.empty()) return;
  while (in_flight_.size() >= kMaxInFlight) retire(calls);
  Bucket bucket = std::exchange(open_, Bucket());
  const Piece& first = bucket.pieces.front();
  const int64_t elements = parts() * bucket.columns;
  const bool in_place = bucket.pieces.size() == 1 && first.is_whole() && first.dtype == wire_;
  if (!in_place) {
    bucket.buffer = calls.empty(wire_, {elements}, FTRUN_MEMORY_COMMUNICATION);
    pack(calls, bucket);
  }
  bucket.work = start(calls, in_place ? first.flat : bucket.buffer, elements);
  in_flight_.push_back(std::move(bucket));
}

sdk::Work BucketReducer::start(const sdk::ShardCalls& calls, const sdk::Tensor& data, int64_t elements) const {
  if (!scatter_) return calls.all_reduce(nullptr, data);
  const Region slice = grid_.slice(elements);
  return calls.reduce_scatter(nullptr, data, calls.slice(data, 0, slice.begin, slice.end));
}

void BucketReducer::pack(const sdk::ShardCalls& calls, const Bucket& bucket) const {
  for (int64_t row = 0; row < parts(); ++row) {
    int64_t to = row * bucket.columns;
    for (const Piece& piece : bucket.pieces) {
      const int64_t from = row * piece.row_elements;
      const int64_t count = piece.end - piece.begin;
      calls.copy(calls.slice(piece.flat, 0, from + piece.begin, from + piece.end),
                 calls.slice(bucket.buffer, 0, to, to + count));
      to += count;
    }
  }
}

void BucketReducer::unpack(const sdk::ShardCalls& calls, const Bucket& bucket) const {
  if (!bucket.buffer) return;
  const int64_t row = scatter_ ? grid_.shard : 0;
  int64_t from = row * bucket.columns;
  for (const Piece& piece : bucket.pieces) {
    const int64_t to = row * piece.row_elements;
    const int64_t count = piece.end - piece.begin;
    calls.copy(calls.slice(bucket.buffer, 0, from, from + count),
               calls.slice(piece.flat, 0, to + piece.begin, to + piece.end));
    from += count;
  }
}

void BucketReducer::retire(const sdk::ShardCalls& calls) {
  in_flight_.front().work.wait();
  unpack(calls, in_flight_.front());
  in_flight_.pop_front();
}

void BucketReducer::finish(const sdk::ShardCalls& calls) {
  launch(calls);
  while (!in_flight_.empty()) retire(calls);
}

void BucketReducer::drop() noexcept {
  in_flight_.clear();
  open_ = Bucket();
}

}  // namespace ftrun::sharding
