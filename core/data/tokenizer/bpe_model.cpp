// The BPE model on raw bytes: merges by rank, whole-word lookup, unknown bytes.
#include "core/data/tokenizer/bpe_model.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "core/data/tokenizer/byte_alphabet.h"

namespace ftrun {
namespace {

constexpr uint32_t kNoMerge = UINT32_MAX;
constexpr uint32_t kNoPosition = UINT32_MAX;
// Above this, scanning for the lowest rank after each merge costs more than a heap.
constexpr size_t kShortWordSymbols = 64;

}  // namespace

void MergeTable::reserve(size_t merges) {
  const size_t slots = std::bit_ceil(std::max<size_t>(2, merges * 2));
  if (slots <= slots_.size()) return;
  std::vector<Slot> old(slots, Slot{kFree, {}});
  old.swap(slots_);
  mask_ = slots - 1;
  shift_ = static_cast<unsigned>(64 - std::countr_zero(slots));
  used_ = 0;
  for (const Slot& slot : old) {
    if (slot.key == kFree) continue;
    set(static_cast<int32_t>(slot.key >> 32), static_cast<int32_t>(slot.key & UINT32_MAX), slot.merge);
  }
}

void MergeTable::set(int32_t left, int32_t right, Merge merge) {
  if ((used_ + 1) * 2 > slots_.size()) reserve(slots_.size());
  const uint64_t key = key_of(left, right);
  size_t slot = slot_of(key);
  while (slots_[slot].key != kFree && slots_[slot].key != key) slot = (slot + 1) & mask_;
  if (slots_[slot].key == kFree) ++used_;
  slots_[slot] = {key, merge};
}

BpeModel::BpeModel(TokenTable vocabulary, MergeTable merges, Options options)
    : vocabulary_(std::move(vocabulary)), merges_(std::move(merges)), options_(options) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    id_of_byte_[byte] = vocabulary_.find(symbol_of_byte(static_cast<uint8_t>(byte))).value_or(-1);
  }
  if (!options_.ignore_merges) return;
  words_.reserve(vocabulary_.size());
  for (const TokenTable::Entry& entry : vocabulary_.entries()) {
    if (const auto bytes = symbols_to_bytes(entry.text)) words_.add(*bytes, entry.id);
  }
}

void BpeModel::split_into_symbols(std::string_view word, std::vector<int32_t>& symbols) const {
  symbols.clear();
  bool after_unknown = false;
  for (const char byte : word) {
    int32_t id = id_of_byte_[static_cast<unsigned char>(byte)];
    const bool unknown = id < 0;
    if (unknown) {
      if (!options_.unknown_id || (options_.fuse_unknown && after_unknown)) continue;
      id = *options_.unknown_id;
    }
    after_unknown = unknown;
    symbols.push_back(id);
  }
}

uint32_t BpeModel::rank_of(int32_t left, int32_t right) const {
  const Merge* merge = merges_.find(left, right);
  return merge == nullptr ? kNoMerge : merge->rank;
}

void BpeModel::merge_short(BpeScratch& scratch) const {
  std::vector<int32_t>& ids = scratch.ids;
  std::vector<uint32_t>& ranks = scratch.ranks;  // ranks[k] is that of (ids[k], ids[k + 1])
  ranks.clear();
  for (size_t k = 0; k + 1 < ids.size(); ++k) ranks.push_back(rank_of(ids[k], ids[k + 1]));
  while (!ranks.empty()) {
    const auto lowest = std::min_element(ranks.begin(), ranks.end());
    if (*lowest == kNoMerge) return;
    const auto k = static_cast<size_t>(lowest - ranks.begin());
    ids[k] = merges_.find(ids[k], ids[k + 1])->id;
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(k) + 1);
    ranks.erase(lowest);
    if (k > 0) ranks[k - 1] = rank_of(ids[k - 1], ids[k]);
    if (k < ranks.size()) ranks[k] = rank_of(ids[k], ids[k + 1]);
  }
}

/// Symbols form a list; a heap holds (rank, position) of every pair, lowest rank first, leftmost among equals. An entry
/// is stale when the pair at its position has another rank by now.
void BpeModel::merge_long(BpeScratch& scratch) const {
  std::vector<int32_t>& ids = scratch.ids;
  const auto count = static_cast<uint32_t>(ids.size());
  scratch.ranks.assign(count, kNoMerge);
  scratch.next.resize(count);
  scratch.previous.resize(count);
  scratch.heap.clear();
  const auto set_rank = [&](uint32_t position) {
    const uint32_t right = scratch.next[position];
    scratch.ranks[position] = right == kNoPosition ? kNoMerge : rank_of(ids[position], ids[right]);
    if (scratch.ranks[position] != kNoMerge) {
      scratch.heap.push_back({uint64_t{scratch.ranks[position]} << 32 | position});
    }
    return scratch.ranks[position] != kNoMerge;
  };
  for (uint32_t k = 0; k < count; ++k) {
    scratch.previous[k] = k == 0 ? kNoPosition : k - 1;
    scratch.next[k] = k + 1 == count ? kNoPosition : k + 1;
    set_rank(k);
  }
  const std::greater<> later;
  std::make_heap(scratch.heap.begin(), scratch.heap.end(), later);
  while (!scratch.heap.empty()) {
    std::pop_heap(scratch.heap.begin(), scratch.heap.end(), later);
    const uint64_t top = scratch.heap.back().rank_and_position;
    scratch.heap.pop_back();
    const auto left = static_cast<uint32_t>(top & UINT32_MAX);
    if (scratch.ranks[left] != top >> 32) continue;
    const uint32_t right = scratch.next[left];
    ids[left] = merges_.find(ids[left], ids[right])->id;
    ids[right] = -1;
    scratch.ranks[right] = kNoMerge;
    scratch.next[left] = scratch.next[right];
    if (scratch.next[left] != kNoPosition) scratch.previous[scratch.next[left]] = left;
    if (set_rank(left)) std::push_heap(scratch.heap.begin(), scratch.heap.end(), later);
    const uint32_t before = scratch.previous[left];
    if (before != kNoPosition && set_rank(before)) std::push_heap(scratch.heap.begin(), scratch.heap.end(), later);
  }
  std::erase(ids, -1);
}

void BpeModel::encode_word(std::string_view word, BpeScratch& scratch, std::vector<int32_t>& ids) const {
  if (options_.ignore_merges) {
    if (const auto id = words_.find(word)) {
      ids.push_back(*id);
      return;
    }
  }
  split_into_symbols(word, scratch.ids);
  if (scratch.ids.size() <= kShortWordSymbols)
    merge_short(scratch);
  else
    merge_long(scratch);
  ids.insert(ids.end(), scratch.ids.begin(), scratch.ids.end());
}

}  // namespace ftrun
