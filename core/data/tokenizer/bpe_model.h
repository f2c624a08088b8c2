// The BPE model on raw bytes: merges by rank, whole-word lookup, unknown bytes.
// Leaves out: cutting text into words, the word cache (word_cache.h), training (bpe_trainer.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/tokenizer/token_table.h"

namespace ftrun {

/// What a pair of ids becomes, and when (lower rank first).
struct Merge {
  uint32_t rank;
  int32_t id;
};

/// (left id, right id) -> Merge; open addressing.
class MergeTable {
 public:
  void reserve(size_t merges);
  /// A pair that is already there gets the new merge, as in `tokenizers`.
  void set(int32_t left, int32_t right, Merge merge);

  /// Null when the pair does not merge. [any-thread]
  const Merge* find(int32_t left, int32_t right) const {
    const uint64_t key = key_of(left, right);
    for (size_t slot = slot_of(key); slots_[slot].key != kFree; slot = (slot + 1) & mask_) {
      if (slots_[slot].key == key) return &slots_[slot].merge;
    }
    return nullptr;
  }

 private:
  struct Slot {
    uint64_t key;
    Merge merge;
  };
  static constexpr uint64_t kFree = ~uint64_t{0};
  static uint64_t key_of(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t slot_of(uint64_t key) const { return static_cast<size_t>(key * 0x9E3779B97F4A7C15u >> shift_); }

  std::vector<Slot> slots_{Slot{kFree, {}}, Slot{kFree, {}}};
  size_t mask_ = 1;
  unsigned shift_ = 63;
  size_t used_ = 0;
};

/// Working memory; one per thread of use.
struct BpeScratch {
  struct Candidate {
    uint64_t rank_and_position;
    bool operator>(const Candidate& other) const { return rank_and_position > other.rank_and_position; }
  };
  std::vector<int32_t> ids;
  std::vector<uint32_t> ranks;
  std::vector<uint32_t> next;
  std::vector<uint32_t> previous;
  std::vector<Candidate> heap;
};

/// Immutable after building; encode_word is [any-thread] with one scratch per thread.
class BpeModel {
 public:
  struct Options {
    bool ignore_merges = false;
    std::optional<int32_t> unknown_id;
    bool fuse_unknown = false;
  };

  /// Takes a complete vocabulary (texts in the byte alphabet) and its merges.
  BpeModel(TokenTable vocabulary, MergeTable merges, Options options);

  const TokenTable& vocabulary() const { return vocabulary_; }

  /// Appends the ids of a word given as raw bytes (at most 2^31 of them).
  void encode_word(std::string_view word, BpeScratch& scratch, std::vector<int32_t>& ids) const;

 private:
  void split_into_symbols(std::string_view word, std::vector<int32_t>& symbols) const;
  void merge_short(BpeScratch& scratch) const;
  void merge_long(BpeScratch& scratch) const;
  uint32_t rank_of(int32_t left, int32_t right) const;

  TokenTable vocabulary_;
  MergeTable merges_;
  Options options_;
  std::array<int32_t, 256> id_of_byte_;  // -1: not in the vocabulary
  TokenTable words_;                     // raw bytes -> id, filled when ignore_merges
};

}  // namespace ftrun
