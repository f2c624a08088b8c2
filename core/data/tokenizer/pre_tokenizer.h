// Cuts a piece of text into the words that BPE works on: Split and Digits steps, then ByteLevel.
// Leaves out: the byte alphabet itself (the BPE model works on raw bytes), other pre-tokenizers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/tokenizer/regex.h"
#include "core/data/tokenizer/word_scanner.h"

namespace ftrun {

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// A stretch of text with whether it is a match of the pattern.
struct Stretch {
  TextRange range;
  bool is_match;
};

/// One cutting step. Exactly one of `regex`, `literal` and `digits` says what matches.
struct SplitStep {
  std::optional<Regex> regex;
  WordScanner scanner = nullptr;  ///< set when it does the same as regex + kIsolated
  std::string literal;
  bool digits = false;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;
};

/// Working memory; one per thread of use.
struct PreTokenizerScratch {
  RegexScratch regex;
  std::vector<TextRange> matches;
  std::vector<Stretch> stretches;
  std::vector<TextRange> pieces;
  std::vector<TextRange> next_pieces;
  std::string prefixed;
};

/// Immutable; [any-thread] with one scratch per thread.
class PreTokenizer {
 public:
  /// `use_regex` adds the ByteLevel expression as last step, after the prefix space.
  PreTokenizer(std::vector<SplitStep> steps, bool add_prefix_space, bool use_regex);

  /// Calls `word(std::string_view, TextRange)` for each word of well-formed `text` in order, with the bytes of `text`
  /// that it stands for: all of it but a space put before it. Views are valid during the call.
  template <typename Word>
  void for_each_word(std::string_view text, PreTokenizerScratch& scratch, Word&& word) const {
    cut(text, scratch);
    if (!add_prefix_space_) {
      for (const TextRange& piece : scratch.pieces) word(text.substr(piece.begin, piece.end - piece.begin), piece);
      return;
    }
    for (const TextRange& piece : scratch.pieces) {
      const std::string_view prefixed =
          with_prefix(text.substr(piece.begin, piece.end - piece.begin), scratch.prefixed);
      scratch.next_pieces.clear();
      apply_last(prefixed, scratch);
      const size_t added = prefixed.size() - (piece.end - piece.begin);
      const auto source = [&](size_t at) { return piece.begin + (at > added ? at - added : 0); };
      for (const TextRange& part : scratch.next_pieces)
        word(prefixed.substr(part.begin, part.end - part.begin), TextRange{source(part.begin), source(part.end)});
    }
  }

 private:
  void cut(std::string_view text, PreTokenizerScratch& scratch) const;
  void apply_last(std::string_view text, PreTokenizerScratch& scratch) const;
  static std::string_view with_prefix(std::string_view piece, std::string& storage);

  std::vector<SplitStep> steps_;
  bool add_prefix_space_;
  bool use_regex_;
  WordScanner byte_level_scanner_;
};

/// Appends the non-empty pieces of `text` after `step`, shifted by `offset`. Exposed for tests.
void apply_split_step(const SplitStep& step, std::string_view text, size_t offset, PreTokenizerScratch& scratch,
                      std::vector<TextRange>& out);

}  // namespace ftrun
