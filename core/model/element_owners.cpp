// Every rank says what it holds; what lower ranks have taken is cut out of a rank's claims.
#include "core/model/element_owners.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/collectives/communicator.h"

namespace ftrun {
namespace {

/// Adds the parts of [begin, end) that nobody has yet; `taken` stays ascending and disjoint.
void add_free_parts(std::vector<OwnedSegment>& taken, int64_t begin, int64_t end, int32_t rank) {
  std::vector<OwnedSegment> fresh;
  int64_t from = begin;
  for (const OwnedSegment& segment : taken) {
    if (segment.end <= from) continue;
    if (segment.begin >= end) break;
    if (from < segment.begin) fresh.push_back({from, segment.begin, rank});
    from = segment.end;
  }
  if (from < end) fresh.push_back({from, end, rank});
  taken.insert(taken.end(), fresh.begin(), fresh.end());
  std::ranges::sort(taken, {}, &OwnedSegment::begin);
}

}  // namespace

void ElementOwners::add_slices(const Rank& rank, int32_t role, std::vector<Claim>& claims) {
  for (const auto& slice : rank.optimizer_slices()) {
    if (slice->role == role) claims.push_back({slice->unit, FTRUN_PART_TRAINED, slice->begin, slice->end});
  }
}

ElementOwners ElementOwners::of_weights(Rank& rank, int32_t role) {
  std::vector<Claim> claims;
  const bool masters = rank.arguments().precision.master_weights && !rank.optimizer_slices().empty();
  if (masters) add_slices(rank, role, claims);
  const StrategyHooks& hooks = rank.hooks();
  for (int32_t unit = 0; unit < rank.role(role).layout().unit_count(); ++unit) {
    for (const ftrun_part part : {FTRUN_PART_TRAINED, FTRUN_PART_FROZEN}) {
      if (masters && part == FTRUN_PART_TRAINED) continue;
      Claim claim = {unit, part, 0, 0};
      check_status(
          hooks.table().owned_range(hooks.instance(), &rank.context(), role, unit, part, &claim.begin, &claim.end),
          "strategy: owned_range");
      if (claim.begin < claim.end) claims.push_back(claim);
    }
  }
  return {rank, role, claims};
}

ElementOwners ElementOwners::of_optimizer(Rank& rank, int32_t role) {
  std::vector<Claim> claims;
  add_slices(rank, role, claims);
  return {rank, role, claims};
}

ElementOwners::ElementOwners(Rank& rank, int32_t role, const std::vector<Claim>& mine)
    : segments_(2 * static_cast<size_t>(rank.role(role).layout().unit_count())) {
  const auto all = rank.communicator().all_gather_host(std::as_bytes(std::span(mine)));
  for (size_t of_rank = 0; of_rank < all.size(); ++of_rank) {
    std::vector<Claim> claims(all[of_rank].size() / sizeof(Claim));
    if (!claims.empty()) std::memcpy(claims.data(), all[of_rank].data(), claims.size() * sizeof(Claim));
    for (const Claim& claim : claims) {
      add_free_parts(segments_.at(2 * static_cast<size_t>(claim.unit) + static_cast<size_t>(claim.part)), claim.begin,
                     claim.end, static_cast<int32_t>(of_rank));
    }
  }
}

const std::vector<OwnedSegment>& ElementOwners::all(int32_t unit, ftrun_part part) const {
  return segments_.at(2 * static_cast<size_t>(unit) + static_cast<size_t>(part));
}

std::vector<OwnedSegment> ElementOwners::segments(int32_t unit, ftrun_part part, int64_t begin, int64_t end) const {
  std::vector<OwnedSegment> found;
  int64_t covered = begin;
  for (const OwnedSegment& segment : all(unit, part)) {
    const int64_t from = std::max(begin, segment.begin);
    const int64_t to = std::min(end, segment.end);
    if (from >= to) continue;
    if (from != covered) break;
    found.push_back({from, to, segment.rank});
    covered = to;
  }
  if (covered < end) {
    throw failed_precondition("elements [{}, {}) of unit {} are on no rank", covered, end, unit);
  }
  return found;
}

}  // namespace ftrun
