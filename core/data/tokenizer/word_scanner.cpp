// Hand-written equivalents of the pre-tokenizer expressions that nearly all byte-level tokenizers use.
#include "core/data/tokenizer/word_scanner.h"

#include <array>

#include "core/base/utf8_text.h"
#include "core/data/tokenizer/unicode_class.h"

namespace ftrun {

const std::string_view kByteLevelExpression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

enum Kind : uint8_t { kOther = 0, kLetter = kLetterClass, kNumber = kNumberClass, kSpace = kSpaceClass };
constexpr uint8_t kKinds = kLetterClass | kNumberClass | kSpaceClass;

constexpr std::array<uint8_t, 128> ascii_kinds() {
  std::array<uint8_t, 128> kinds{};
  for (unsigned c = 0; c < 128; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool number = c >= '0' && c <= '9';
    const bool space = c == ' ' || (c >= 9 && c <= 13);
    kinds[c] = letter ? kLetter : number ? kNumber : space ? kSpace : kOther;
  }
  return kinds;
}
constexpr std::array<uint8_t, 128> kAsciiKinds = ascii_kinds();

/// A position in the text with the kind and size of the character there; `size` is 0 at the end.
class Cursor {
 public:
  Cursor(std::string_view text, const uint8_t* classes) : text_(text), classes_(classes) {}

  struct Character {
    uint8_t kind;
    uint8_t size;
  };

  Character at(size_t position) const {
    if (position >= text_.size()) return {kOther, 0};
    const auto lead = static_cast<unsigned char>(text_[position]);
    if (lead < 0x80) return {kAsciiKinds[lead], 1};
    const CodePoint point = code_point_at(text_, position);
    return {static_cast<uint8_t>(classes_[point.value] & kKinds), static_cast<uint8_t>(point.size_bytes)};
  }

  /// End of the run of characters of `kind` that starts at `position`; at most `limit` characters.
  size_t run(size_t position, uint8_t kind, size_t limit = SIZE_MAX) const {
    for (size_t count = 0; count < limit; ++count) {
      const Character next = at(position);
      if (next.size == 0 || next.kind != kind) break;
      position += next.size;
    }
    return position;
  }

  char byte(size_t position) const { return position < text_.size() ? text_[position] : '\0'; }
  bool is_break(size_t position) const {
    return position < text_.size() && (text_[position] == '\r' || text_[position] == '\n');
  }
  size_t size() const { return text_.size(); }
  size_t previous(size_t position) const { return previous_code_point(text_, position); }

 private:
  std::string_view text_;
  const uint8_t* classes_;
};

/// \s+(?!\S)|\s+ at a run of white space: all but its last character when a word follows and more than one is there.
size_t space_end(const Cursor& cursor, size_t begin, size_t run_end) {
  if (run_end == cursor.size()) return run_end;
  const size_t last = cursor.previous(run_end);
  return last > begin ? last : run_end;
}

/// 's|'t|'re|'ve|'m|'ll|'d after an apostrophe at `begin`; 0 when none follows.
template <bool kIgnoreCase>
size_t contraction_end(const Cursor& cursor, size_t begin) {
  const auto letter = [&](size_t position) {
    const char c = cursor.byte(position);
    return kIgnoreCase && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  const char first = letter(begin + 1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return begin + 2;
  const char second = letter(begin + 2);
  const bool two =
      (first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l');
  if (two) return begin + 3;
  // U+017F folds to s.
  if (kIgnoreCase && first == '\xC5' && second == '\xBF') return begin + 3;
  return 0;
}

size_t byte_level_word_end(const Cursor& cursor, size_t begin) {
  const Cursor::Character first = cursor.at(begin);
  if (cursor.byte(begin) == '\'') {
    if (const size_t end = contraction_end<false>(cursor, begin); end != 0) return end;
  }
  if (first.kind != kSpace) return cursor.run(begin + first.size, first.kind);
  if (cursor.byte(begin) == ' ') {
    const Cursor::Character second = cursor.at(begin + 1);
    if (second.size != 0 && second.kind != kSpace) return cursor.run(begin + 1 + second.size, second.kind);
  }
  return space_end(cursor, begin, cursor.run(begin, kSpace));
}

/// Punctuation with the line breaks after it.
size_t other_end(const Cursor& cursor, size_t begin) {
  size_t end = cursor.run(begin, kOther);
  while (cursor.is_break(end)) ++end;
  return end;
}

template <size_t kDigits>
size_t split_word_end(const Cursor& cursor, size_t begin) {
  const Cursor::Character first = cursor.at(begin);
  if (first.kind == kLetter) return cursor.run(begin + first.size, kLetter);
  if (first.kind == kNumber) return cursor.run(begin + first.size, kNumber, kDigits - 1);
  if (cursor.byte(begin) == '\'') {
    if (const size_t end = contraction_end<true>(cursor, begin); end != 0) return end;
  }
  const Cursor::Character second = cursor.at(begin + first.size);
  const bool second_is_letter = second.size != 0 && second.kind == kLetter;
  if (second_is_letter && !cursor.is_break(begin)) return cursor.run(begin + first.size + second.size, kLetter);
  if (first.kind == kOther) return other_end(cursor, begin);
  if (cursor.byte(begin) == ' ' && second.size != 0 && second.kind == kOther) return other_end(cursor, begin + 1);
  const size_t run_end = cursor.run(begin, kSpace);
  for (size_t k = run_end; k > begin; --k) {
    if (cursor.is_break(k - 1)) return k;
  }
  return space_end(cursor, begin, run_end);
}

template <size_t (*kWordEnd)(const Cursor&, size_t)>
void scan(std::string_view text, std::vector<TextRange>& words) {
  const Cursor cursor(text, code_point_classes());
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = kWordEnd(cursor, begin);
    words.push_back({begin, end});
    begin = end;
  }
}

constexpr std::string_view kSplitOneDigit = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                                            R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kSplitThreeDigits = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                                               R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

}  // namespace

WordScanner scanner_for(std::string_view oniguruma_pattern) {
  if (oniguruma_pattern == kByteLevelExpression) return scan<byte_level_word_end>;
  if (oniguruma_pattern == kSplitOneDigit) return scan<split_word_end<1>>;
  if (oniguruma_pattern == kSplitThreeDigits) return scan<split_word_end<3>>;
  return nullptr;
}

}  // namespace ftrun
