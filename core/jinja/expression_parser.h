// Tokens to expressions. Precedence and grammar are jinja2.parser's.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "core/jinja/expression_nodes.h"
#include "core/jinja/token_stream.h"

namespace ftrun::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& stream) : stream_(stream) {}

  /// One expression; without `with_condition`, no `a if b else c` at its top.
  ExpressionPtr expression(bool with_condition = true);
  /// An expression, or several with commas, which make a tuple. Ends before `end_name` as well.
  ExpressionPtr tuple(bool with_condition = true, std::string_view end_name = {}, bool is_parenthesized = false);
  /// `| filter(arguments)` ... over `input`; with `is_begun` the first filter's name comes without "|".
  ExpressionPtr filters(ExpressionPtr input, bool is_begun = false);
  /// `macro(arguments)` of a call block.
  std::unique_ptr<const Call> call_expression(int line);

 private:
  using Operand = ExpressionPtr (ExpressionParser::*)();

  ExpressionPtr condition();
  ExpressionPtr either();
  ExpressionPtr both();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filters);
  ExpressionPtr unary_with_filters() { return unary(true); }
  ExpressionPtr primary();
  ExpressionPtr named_primary();
  ExpressionPtr postfix(ExpressionPtr node);
  ExpressionPtr filters_and_tests(ExpressionPtr node);
  ExpressionPtr test(ExpressionPtr node);
  ExpressionPtr subscript(ExpressionPtr node);
  ExpressionPtr bracket_subscript(ExpressionPtr node, int line);
  ExpressionPtr list();
  ExpressionPtr mapping();
  std::unique_ptr<const Call> call(ExpressionPtr callee);
  ArgumentList arguments();
  void argument(ArgumentList& list, int line);
  bool ends_tuple(std::string_view end_name) const;
  std::optional<std::string> comparison_sign();
  /// operand (SIGN operand)...: left-associative operators of one precedence.
  ExpressionPtr chain(Operand operand, std::initializer_list<std::string_view> signs);

  TokenStream& stream_;
};

}  // namespace ftrun::jinja
