// Sums of 64-bit words, which the compiler vectorises: far cheaper than the reads.
#include "core/bench/memory_bandwidth.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "core/ops/layout.h"
#include "core/parallel/thread_pool.h"

namespace ftrun {
namespace {

constexpr int64_t kWords = (int64_t{512} << 20) / 8;
constexpr int64_t kPieceWords = (int64_t{1} << 20) / 8;
constexpr int kPasses = 8;

struct Job {
  const uint64_t* words;
  std::vector<uint64_t> sums;
};

void sum_piece(void* argument, int64_t piece) {
  Job& job = *static_cast<Job*>(argument);
  const uint64_t* data = job.words + piece * kPieceWords;
  uint64_t sums[8] = {};
  for (int64_t i = 0; i < kPieceWords; i += 8) {
    for (int lane = 0; lane < 8; ++lane) sums[lane] += data[i + lane];
  }
  for (const uint64_t sum : sums) job.sums[static_cast<size_t>(piece)] += sum;
}

}  // namespace

double read_bandwidth(ExecutionContext& ctx) {
  const Tensor words = empty(ctx, FTRUN_F32, {2 * kWords}, FTRUN_MEMORY_WORKSPACE);
  ops::fill(ctx, words, 0.0);
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    Job job{static_cast<const uint64_t*>(words.address()), std::vector<uint64_t>(kWords / kPieceWords)};
    const auto begin = std::chrono::steady_clock::now();
    parallel_for(kWords / kPieceWords, sum_piece, &job);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    // The sums are used, so that they are computed.
    const bool are_zero = std::ranges::all_of(job.sums, [](uint64_t sum) { return sum == 0; });
    if (are_zero) best = std::max(best, static_cast<double>(kWords) * 8 / seconds.count());
  }
  return best;
}

}  // namespace ftrun
