// Where in the text each token stands: words know their place, and a token's own text tells how long it is.
#include <algorithm>
#include <span>

#include "core/base/utf8_text.h"
#include "core/data/tokenizer/tokenizer.h"
#include "core/data/tokenizer/tokenizer_state.h"

namespace ftrun {
namespace {

bool continues_character(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

/// Widened to whole characters of `text`.
TokenOffsets whole_characters(std::string_view text, TokenOffsets range) {
  if (range.begin == range.end) return range;
  while (continues_character(text, range.begin)) --range.begin;
  while (continues_character(text, range.end)) ++range.end;
  return range;
}

/// Bytes that a token of the byte alphabet stands for: one for each of its characters.
size_t bytes_of(std::string_view token) {
  return static_cast<size_t>(
      std::count_if(token.begin(), token.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// From places in a normalized text to places in what it was made from.
class Alignment {
 public:
  /// The texts are the same text.
  Alignment() = default;

  Alignment(const Normalizer& normalizer, std::string_view text) {
    std::string storage;
    size_t normalized = 0;
    for (size_t at = 0; at < text.size();) {
      const std::string_view piece = text.substr(at, normalizer.first_piece(text.substr(at)));
      const std::string_view changed = normalizer.normalize(piece, storage);
      pieces_.push_back({normalized, at, changed == piece});
      normalized += changed.size();
      at += piece.size();
    }
    pieces_.push_back({normalized, text.size(), true});
  }

  TokenOffsets original(TokenOffsets range) const {
    if (pieces_.empty()) return range;
    if (range.begin == range.end) return {begin_of(range.begin), begin_of(range.begin)};
    return {begin_of(range.begin), end_of(range.end)};
  }

 private:
  struct Piece {
    size_t normalized;  ///< where it begins in the normalized text
    size_t original;    ///< and in the original
    bool is_same;
  };

  size_t begin_of(size_t at) const {
    const auto piece = containing(at);
    return piece->is_same ? piece->original + (at - piece->normalized) : piece->original;
  }

  /// Of the byte before `at`, the end.
  size_t end_of(size_t at) const {
    const auto piece = containing(at - 1);
    return piece->is_same ? piece->original + (at - piece->normalized) : (piece + 1)->original;
  }

  std::vector<Piece>::const_iterator containing(size_t at) const {
    const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), at,
                                        [](size_t value, const Piece& piece) { return value < piece.normalized; });
    return after - 1;
  }

  std::vector<Piece> pieces_;
};

/// The tokens of one word of `word_bytes` bytes that stands at `place` of `text`; what it has more is an added space.
void append_word(std::span<const int32_t> ids, const TokenTable& vocabulary, size_t word_bytes, TextRange place,
                 std::string_view text, std::vector<TokenOffsets>& offsets) {
  size_t sum = 0;
  std::vector<size_t> lengths;
  for (const int32_t id : ids) {
    const std::string_view* token = vocabulary.text_of(id);
    lengths.push_back(token == nullptr ? 0 : bytes_of(*token));
    sum += lengths.back();
  }
  // Bytes without a token of their own: nobody can say which of them a token stands for.
  const bool is_exact = sum == word_bytes;
  const size_t added = word_bytes - (place.end - place.begin);
  const auto source = [&](size_t at) { return place.begin + (at > added ? at - added : 0); };
  size_t at = 0;
  for (const size_t length : lengths) {
    TokenOffsets range =
        is_exact ? TokenOffsets{source(at), source(at + length)} : TokenOffsets{place.begin, place.end};
    // As `tokenizers` says of a token that is nothing but an added space: it stands for the first character.
    if (range.begin == range.end && range.end < text.size()) ++range.end;
    offsets.push_back(whole_characters(text, range));
    at += length;
  }
}

}  // namespace

void Tokenizer::State::locate_text(std::string_view text, EncodeScratch& scratch, TokenizedText& tokens) const {
  pre_tokenizer.for_each_word(text, scratch.pre_tokenizer, [&](std::string_view word, TextRange place) {
    const size_t before = tokens.ids.size();
    encode_word(word, scratch, tokens.ids);
    append_word(std::span(tokens.ids).subspan(before), model.vocabulary(), word.size(), place, text, tokens.offsets);
  });
}

void Tokenizer::State::locate_part(std::string_view text, EncodeScratch& scratch, TokenizedText& tokens) const {
  const std::string_view normalized = normalizer.normalize(text, scratch.normalized);
  const Alignment alignment = normalized == text ? Alignment() : Alignment(normalizer, text);
  scratch.normalized_parts.clear();
  normalized_matcher.split(normalized, 0, scratch.normalized_parts);
  for (const TextPart& part : scratch.normalized_parts) {
    const size_t before = tokens.ids.size();
    if (part.id) {
      tokens.ids.push_back(*part.id);
      tokens.offsets.push_back({0, part.end - part.begin});
    } else {
      locate_text(normalized.substr(part.begin, part.end - part.begin), scratch, tokens);
    }
    for (size_t t = before; t < tokens.ids.size(); ++t) {
      const TokenOffsets inside = tokens.offsets[t];
      tokens.offsets[t] = alignment.original({part.begin + inside.begin, part.begin + inside.end});
    }
  }
}

TokenizedText Tokenizer::encode_with_offsets(std::string_view text) const {
  auto scratch = state_->take_scratch();
  if (well_formed_prefix(text) != text.size()) {
    scratch->repaired = replace_ill_formed(text);
    text = scratch->repaired;
  }
  TokenizedText tokens;
  scratch->parts.clear();
  state_->plain_matcher.split(text, 0, scratch->parts);
  for (const TextPart& part : scratch->parts) {
    if (part.id) {
      tokens.ids.push_back(*part.id);
      tokens.offsets.push_back({part.begin, part.end});
      continue;
    }
    const size_t before = tokens.ids.size();
    state_->locate_part(text.substr(part.begin, part.end - part.begin), *scratch, tokens);
    for (size_t t = before; t < tokens.ids.size(); ++t) {
      tokens.offsets[t].begin += part.begin;
      tokens.offsets[t].end += part.begin;
    }
  }
  state_->return_scratch(std::move(scratch));
  return tokens;
}

}  // namespace ftrun
