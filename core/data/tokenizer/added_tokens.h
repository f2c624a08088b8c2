// Added tokens: finding them in text with their stripping and whole-word rules.
// Leaves out: reading them from JSON (tokenizer_json.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = false;
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = false;
};

/// A piece of text: either an added token or text between them (`id` absent).
struct TextPart {
  std::optional<int32_t> id;
  size_t begin;
  size_t end;
};

/// Finds leftmost-longest occurrences of a set of texts. Immutable after building; split() is [any-thread].
class AddedTokenMatcher {
 public:
  /// Adds a token that is recognised by `text` (its content, or that normalized). Of equal texts the first wins;
  /// an empty text is ignored.
  void add(std::string_view text, const AddedToken& token);

  bool empty() const { return tokens_.empty(); }

  /// Appends the parts of well-formed `text` that starts at `offset` of a larger one.
  void split(std::string_view text, size_t offset, std::vector<TextPart>& parts) const;

 private:
  struct Edge {
    unsigned char byte;
    uint32_t node;
  };
  struct Node {
    std::vector<Edge> edges;  // sorted by byte
    int32_t token = -1;
  };
  struct Match {
    size_t begin;
    size_t end;
    int32_t token;
  };
  uint32_t child(uint32_t node, unsigned char byte) const;
  std::optional<Match> find(std::string_view text, size_t start) const;

  std::vector<Node> nodes_{1};
  std::vector<AddedToken> tokens_;
  bool starts_[256] = {};
  char only_start_ = '\0';
  int start_count_ = 0;
};

}  // namespace ftrun
