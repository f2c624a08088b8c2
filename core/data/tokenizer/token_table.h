// Token texts and ids: hash lookup by text, direct lookup by id.
// Leaves out: merges (bpe_model.h) and added tokens (added_tokens.h).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun {

/// A vocabulary. Texts are unique; ids are non-negative, may have gaps. Const members are [any-thread].
class TokenTable {
 public:
  void reserve(size_t tokens);

  /// Adds a token; false when the text is already there (then nothing changes).
  bool add(std::string_view text, int32_t id);

  std::optional<int32_t> find(std::string_view text) const;

  /// Text of an id; null when no token has it.
  const std::string_view* text_of(int32_t id) const;

  size_t size() const { return entries_.size(); }
  int32_t end_id() const { return static_cast<int32_t>(by_id_.size()); }  ///< largest id + 1

  struct Entry {
    std::string_view text;
    uint64_t hash;
    int32_t id;
  };
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::string_view store(std::string_view text);
  void rehash(size_t slots);

  static constexpr size_t kBlockBytes = 1 << 18;
  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_;  // entry index + 1, 0 when free; size is a power of two
  std::vector<std::string_view> by_id_;
  std::deque<std::string> blocks_;  // token texts; a block never grows past its capacity, so views stay valid
};

}  // namespace ftrun
