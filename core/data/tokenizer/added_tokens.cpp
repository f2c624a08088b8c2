// Added tokens: finding them in text with their stripping and whole-word rules.
#include "core/data/tokenizer/added_tokens.h"

#include <algorithm>

#include "core/base/utf8_text.h"
#include "core/data/tokenizer/unicode_class.h"

namespace ftrun {
namespace {

bool has_class(std::string_view text, size_t position, uint8_t bit) {
  return (code_point_classes()[code_point_at(text, position).value] & bit) != 0;
}

bool ends_with_word(std::string_view text) {
  return !text.empty() && has_class(text, previous_code_point(text, text.size()), kWordClass);
}

bool starts_with_word(std::string_view text) { return !text.empty() && has_class(text, 0, kWordClass); }

size_t without_trailing_space(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    const size_t previous = previous_code_point(text, end);
    if (!has_class(text, previous, kSpaceClass)) break;
    end = previous;
  }
  return end;
}

size_t leading_space(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && has_class(text, end, kSpaceClass)) end += code_point_at(text, end).size_bytes;
  return end;
}

}  // namespace

uint32_t AddedTokenMatcher::child(uint32_t node, unsigned char byte) const {
  const auto& edges = nodes_[node].edges;
  const auto edge = std::lower_bound(edges.begin(), edges.end(), byte,
                                     [](const Edge& e, unsigned char value) { return e.byte < value; });
  return edge != edges.end() && edge->byte == byte ? edge->node : 0;
}

void AddedTokenMatcher::add(std::string_view text, const AddedToken& token) {
  if (text.empty()) return;
  uint32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<uint32_t>(nodes_.size());
      nodes_.emplace_back();
      auto& edges = nodes_[node].edges;
      edges.insert(std::find_if(edges.begin(), edges.end(), [&](const Edge& e) { return e.byte > byte; }),
                   {byte, next});
    }
    node = next;
  }
  if (nodes_[node].token >= 0) return;
  nodes_[node].token = static_cast<int32_t>(tokens_.size());
  tokens_.push_back(token);
  const auto first = static_cast<unsigned char>(text[0]);
  if (!starts_[first]) {
    ++start_count_;
    only_start_ = text[0];
  }
  starts_[first] = true;
}

std::optional<AddedTokenMatcher::Match> AddedTokenMatcher::find(std::string_view text, size_t start) const {
  for (size_t begin = start; begin < text.size(); ++begin) {
    if (start_count_ == 1) {
      begin = text.find(only_start_, begin);
      if (begin == std::string_view::npos) return std::nullopt;
    } else if (!starts_[static_cast<unsigned char>(text[begin])]) {
      continue;
    }
    uint32_t node = 0;
    Match longest{begin, begin, -1};
    for (size_t k = begin; k < text.size(); ++k) {
      node = child(node, static_cast<unsigned char>(text[k]));
      if (node == 0) break;
      if (nodes_[node].token >= 0) longest = {begin, k + 1, nodes_[node].token};
    }
    if (longest.token >= 0) return longest;
  }
  return std::nullopt;
}

void AddedTokenMatcher::split(std::string_view text, size_t offset, std::vector<TextPart>& parts) const {
  size_t done = 0;
  if (!tokens_.empty()) {
    for (auto match = find(text, 0); match; match = find(text, match->end)) {
      const AddedToken& token = tokens_[static_cast<size_t>(match->token)];
      size_t begin = match->begin;
      size_t end = match->end;
      if (token.single_word && (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end)))) continue;
      if (token.lstrip) begin = std::max(without_trailing_space(text.substr(0, begin)), done);
      if (token.rstrip) end += leading_space(text.substr(end));
      if (done < begin) parts.push_back({std::nullopt, offset + done, offset + begin});
      parts.push_back({token.id, offset + begin, offset + end});
      done = end;
    }
  }
  // A token that begins inside the white space its predecessor took leaves `done` where it is.
  if (done < text.size()) parts.push_back({std::nullopt, offset + done, offset + text.size()});
}

}  // namespace ftrun
