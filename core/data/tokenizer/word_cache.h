// Remembers the ids of recent short words; bounded, no effect on results.
// Leaves out: sharing between threads (each thread of use has its own).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace ftrun {

/// A direct-mapped cache of 64-byte entries (2 MiB once used). One thread at a time.
class WordCache {
 public:
  static constexpr size_t kMaxWordBytes = 24;
  static constexpr size_t kMaxIds = 9;

  /// A word's place in the cache; valid for the word it was made from.
  struct Key {
    uint64_t bytes[3];
    uint32_t slot;
    uint16_t size;
  };

  static bool fits(std::string_view word) { return !word.empty() && word.size() <= kMaxWordBytes; }

  static Key key_of(std::string_view word) {
    Key key{{0, 0, 0}, 0, static_cast<uint16_t>(word.size())};
    std::memcpy(key.bytes, word.data(), word.size());
    uint64_t hash = (key.bytes[0] ^ key.size) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ (hash >> 32) ^ key.bytes[1]) * 0xD6E8FEB86659FD93u;
    hash = (hash ^ (hash >> 32) ^ key.bytes[2]) * 0x9E3779B97F4A7C15u;
    key.slot = static_cast<uint32_t>(hash >> (64 - kSlotBits));
    return key;
  }

  /// The word's ids; empty when it is not there.
  std::span<const int32_t> find(const Key& key) const {
    if (entries_.empty()) return {};
    const Entry& entry = entries_[key.slot];
    if (entry.size != key.size || std::memcmp(entry.bytes, key.bytes, sizeof(key.bytes)) != 0) return {};
    return {entry.ids, entry.count};
  }

  /// Remembers 1..kMaxIds ids in place of whatever the slot held; other counts are not kept.
  void put(const Key& key, std::span<const int32_t> ids) {
    if (ids.empty() || ids.size() > kMaxIds) return;
    if (entries_.empty()) entries_.resize(size_t{1} << kSlotBits);
    Entry& entry = entries_[key.slot];
    std::memcpy(entry.bytes, key.bytes, sizeof(key.bytes));
    entry.size = key.size;
    entry.count = static_cast<uint16_t>(ids.size());
    std::memcpy(entry.ids, ids.data(), ids.size_bytes());
  }

 private:
  static constexpr unsigned kSlotBits = 15;
  struct Entry {
    uint64_t bytes[3] = {};
    int32_t ids[kMaxIds] = {};
    uint16_t size = 0;
    uint16_t count = 0;
  };
  static_assert(sizeof(Entry) == 64);
  std::vector<Entry> entries_;
};

}  // namespace ftrun
