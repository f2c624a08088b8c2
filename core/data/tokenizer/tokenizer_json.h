// Reads tokenizer.json: the large tables straight into their final form, everything else as JSON.
// Leaves out: what the other parts mean (tokenizer_parts.h).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/tokenizer/token_table.h"

namespace ftrun {

/// The two tokens of each merge in file order, stored back to back.
class MergeList {
 public:
  void add(std::string_view left, std::string_view right);
  size_t size() const { return ends_.size() / 2; }
  std::string_view left(size_t merge) const { return part(2 * merge); }
  std::string_view right(size_t merge) const { return part(2 * merge + 1); }
  /// Both tokens joined: the token that the merge makes.
  std::string_view joined(size_t merge) const;

 private:
  std::string_view part(size_t index) const;
  std::string text_;
  std::vector<size_t> ends_;
};

struct TokenizerJson {
  nlohmann::json rest;  ///< the document without model.vocab and model.merges
  TokenTable vocabulary;
  MergeList merges;
};

/// Parses the text of a tokenizer.json. Throws INVALID_ARGUMENT naming `file` and line and column (malformed JSON) or
/// key path (no object model with vocab and merges, wrong types, repeated keys, tokens or ids).
TokenizerJson read_tokenizer_json(std::string_view text, const std::string& file);

}  // namespace ftrun
