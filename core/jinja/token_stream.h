// Walks the tokens of a template, with the messages for what was not expected.
#pragma once

#include <string_view>
#include <vector>

#include "core/jinja/budget.h"
#include "core/jinja/token.h"

namespace ftrun::jinja {

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& look_ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token next() {
    Token token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }

  bool is(Token::Kind kind) const { return current().kind == kind; }
  bool is_operator(std::string_view sign) const { return current().is_operator(sign); }
  bool is_name(std::string_view name) const { return current().is_name(name); }
  bool skip_operator(std::string_view sign) { return is_operator(sign) && (next(), true); }
  bool skip_name(std::string_view name) { return is_name(name) && (next(), true); }

  /// The token, or a TemplateSyntaxError that names both.
  Token expect(Token::Kind kind, std::string_view description) {
    if (!is(kind)) throw expected(description);
    return next();
  }
  void expect_operator(std::string_view sign) {
    if (!is_operator(sign)) throw expected(sign);
    next();
  }
  void expect_name(std::string_view name) {
    if (!is_name(name)) throw expected(name);
    next();
  }

  Failure expected(std::string_view what) const {
    if (is(Token::Kind::kEnd)) return syntax_error(current().line, "unexpected end of template, expected '{}'.", what);
    return syntax_error(current().line, "expected token '{}', got '{}'", what, current().description());
  }

  /// Held while brackets or tags are open; so many at a time are refused.
  class Nesting {
   public:
    explicit Nesting(TokenStream& stream) : stream_(stream) {
      if (++stream_.nesting_ > kMaxNesting) {
        --stream_.nesting_;
        throw syntax_error(stream_.current().line, "more than {} brackets or tags inside each other are not supported",
                           kMaxNesting);
      }
    }
    ~Nesting() { --stream_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    TokenStream& stream_;
  };
  /// To be asked for every operator in a row.
  void check_chain(int count) const {
    if (count > kMaxChain)
      throw syntax_error(current().line, "more than {} operators in a row are not supported", kMaxChain);
  }

 private:
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace ftrun::jinja
