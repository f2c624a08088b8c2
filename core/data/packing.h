// Packs documents into rows of bounded length: greedy best fit, over the whole set, deterministic.
// Leaves out: attention (a packed row says whether it is block-diagonal).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ftrun {

/// Rows of document indices; the lengths in a row sum to at most `capacity`. Each row takes the longest document that
/// still fits until none does; equal lengths go in index order. Every index appears exactly once. O(n log capacity).
/// Throws INTERNAL when a length is above capacity. Source: LLaMA-Factory 0.9.5 greedy_knapsack, there per 1000 rows.
std::vector<std::vector<int64_t>> pack_documents(std::span<const int32_t> lengths, int64_t capacity);

}  // namespace ftrun
