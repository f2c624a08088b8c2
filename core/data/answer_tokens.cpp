// Characters decide; tokens only where two texts part inside what they have in common.
#include "core/data/answer_tokens.h"

#include <algorithm>

namespace ftrun {
namespace {

/// The first token that reaches beyond byte `at`.
size_t first_with(const TokenizedText& tokens, size_t at) {
  const auto found = std::partition_point(tokens.offsets.begin(), tokens.offsets.end(),
                                          [at](const TokenOffsets& token) { return token.end <= at; });
  return static_cast<size_t>(found - tokens.offsets.begin());
}

/// Beyond the last token that begins at or before byte `at`.
size_t after_last_with(const TokenizedText& tokens, size_t at) {
  const auto found = std::partition_point(tokens.offsets.begin(), tokens.offsets.end(),
                                          [at](const TokenOffsets& token) { return token.begin <= at; });
  return static_cast<size_t>(found - tokens.offsets.begin());
}

size_t common_tokens(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return static_cast<size_t>(end - a.begin());
}

std::optional<size_t> begin_of(std::string_view whole, const TokenizedText& tokens, const AnswerPrefixes& prefixes,
                               const Tokenizer& tokenizer) {
  if (whole.starts_with(prefixes.prompt)) return first_with(tokens, prefixes.prompt.size());
  if (!whole.starts_with(prefixes.asked)) return std::nullopt;
  size_t begin = common_tokens(tokenizer.encode(prefixes.prompt), tokens.ids);
  if (begin < first_with(tokens, prefixes.asked.size())) return std::nullopt;
  // An answer may begin as the thought does that the prompt opens.
  if (!prefixes.header.empty() && whole.starts_with(prefixes.header))
    begin = std::min(begin, first_with(tokens, prefixes.header.size()));
  return begin;
}

std::optional<size_t> end_of(std::string_view whole, const TokenizedText& tokens, const AnswerPrefixes& prefixes,
                             const Tokenizer& tokenizer) {
  const std::string& answered = prefixes.answered;
  if (whole.starts_with(answered)) return answered.empty() ? 0 : after_last_with(tokens, answered.size() - 1);
  const TokenizedText alone = tokenizer.encode_with_offsets(answered);
  const size_t common = common_tokens(alone.ids, tokens.ids);
  if (common == alone.ids.size() || common == 0) return std::nullopt;
  const std::string_view tail = std::string_view(answered).substr(alone.offsets[common].begin);
  return whole.ends_with(tail) ? std::optional(common) : std::nullopt;
}

}  // namespace

TokenRange marked_tokens(const TokenizedText& tokens, RenderedChat::Range bytes) {
  const size_t begin = first_with(tokens, bytes.begin);
  if (bytes.begin >= bytes.end) return {begin, begin};
  return {begin, std::max(begin, std::min(first_with(tokens, bytes.end - 1) + 1, tokens.ids.size()))};
}

std::optional<TokenRange> nested_tokens(std::string_view whole, const TokenizedText& tokens,
                                        const AnswerPrefixes& prefixes, const Tokenizer& tokenizer) {
  const auto begin = begin_of(whole, tokens, prefixes, tokenizer);
  const auto end = end_of(whole, tokens, prefixes, tokenizer);
  if (!begin || !end || *end < *begin) return std::nullopt;
  // An answer that parts from its own beginning at once is written otherwise in the whole.
  if (*end == *begin && !whole.starts_with(prefixes.answered)) return std::nullopt;
  return TokenRange{*begin, *end};
}

}  // namespace ftrun
