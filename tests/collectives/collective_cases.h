// Every collective on made-up data, with what must come out by a scalar left fold: for any transport and device.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/collectives/communicator.h"
#include "tests/collectives/rank_team.h"

namespace ftrun::test {

/// Which device the collective's tensors are on.
enum class Placement { kDevice, kHost, kMixed };  ///< kMixed: the slice (or output) on the host, the rest on the device

struct CaseOptions {
  ftrun_dtype dtype = FTRUN_F32;
  int64_t part = 1;  ///< elements per rank; all_reduce and broadcast take odd multiples of it
  Placement placement = Placement::kDevice;
  CollectiveStart start = CollectiveStart::kSoon;
};

/// Element `i` of rank `rank`'s data in the dtype's precision: mixed magnitudes and signs, so that the order of a sum
/// shows in its bits.
float made_up(ftrun_dtype dtype, int32_t rank, int64_t i);
/// The left fold over `ranks` in f32, rounded once to the dtype.
float folded(ftrun_dtype dtype, const std::vector<int32_t>& ranks, int64_t i);

/// Runs every tensor collective among `group`, compares each result with the scalar one bit by bit (as test
/// expectations) and returns all results' bytes.
std::vector<std::byte> run_collectives(TeamRank& rank, CommunicatorGroup& group, const CaseOptions& options);

/// run_collectives over a spread of dtypes, lengths and placements: what every transport must agree on.
std::vector<std::vector<std::byte>> all_bits(TeamRank& rank);

/// A tensor of made_up values of this rank.
Tensor made_up_tensor(TeamRank& rank, ftrun_dtype dtype, int64_t elements, ftrun_placement placement);
std::vector<float> values_of(TeamRank& rank, const Tensor& tensor);

}  // namespace ftrun::test
