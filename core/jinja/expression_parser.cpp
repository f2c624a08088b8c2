// One function per precedence, lowest first.
#include "core/jinja/expression_parser.h"

#include <algorithm>

#include "core/base/nearest_name.h"

namespace ftrun::jinja {
namespace {

using Kind = Token::Kind;

Failure unknown(int line, std::string_view what, const std::string& name, const std::vector<std::string>& known) {
  return syntax_error(line, "No {} named '{}'.{}", what, name, did_you_mean(name, known));
}

Filter require_filter(const std::string& name, int line) {
  if (const Filter filter = find_filter(name)) return filter;
  if (is_unsupported_filter(name)) throw syntax_error(line, "the filter '{}' is not supported here", name);
  throw unknown(line, "filter", name, filter_names());
}

Test require_test(const std::string& name, int line) {
  if (const Test test = find_test(name)) return test;
  throw unknown(line, "test", name, test_names());
}

}  // namespace

ExpressionPtr ExpressionParser::expression(bool with_condition) {
  const TokenStream::Nesting nesting(stream_);
  return with_condition ? condition() : either();
}

ExpressionPtr ExpressionParser::condition() {
  int line = stream_.current().line;
  ExpressionPtr value = either();
  for (int count = 1; stream_.skip_name("if"); ++count) {
    stream_.check_chain(count);
    ExpressionPtr test = either();
    ExpressionPtr otherwise;
    if (stream_.skip_name("else")) {
      const TokenStream::Nesting nesting(stream_);
      otherwise = condition();
    }
    value = std::make_unique<Conditional>(line, std::move(test), std::move(value), std::move(otherwise));
    line = stream_.current().line;
  }
  return value;
}

ExpressionPtr ExpressionParser::chain(Operand operand, std::initializer_list<std::string_view> signs) {
  int line = stream_.current().line;
  ExpressionPtr left = (this->*operand)();
  for (int count = 1;; ++count) {
    const Token& token = stream_.current();
    const bool is_sign = token.kind == Kind::kOperator || token.kind == Kind::kName;
    if (!is_sign || std::ranges::find(signs, token.text) == signs.end()) return left;
    stream_.check_chain(count);
    const std::string sign = stream_.next().text;
    left = std::make_unique<Binary>(line, sign, std::move(left), (this->*operand)());
    line = stream_.current().line;
  }
}

ExpressionPtr ExpressionParser::either() { return chain(&ExpressionParser::both, {"or"}); }
ExpressionPtr ExpressionParser::both() { return chain(&ExpressionParser::negation, {"and"}); }
ExpressionPtr ExpressionParser::sum() { return chain(&ExpressionParser::concatenation, {"+", "-"}); }
ExpressionPtr ExpressionParser::product() { return chain(&ExpressionParser::power, {"*", "/", "//", "%"}); }
ExpressionPtr ExpressionParser::power() { return chain(&ExpressionParser::unary_with_filters, {"**"}); }

ExpressionPtr ExpressionParser::negation() {
  if (!stream_.is_name("not")) return comparison();
  const TokenStream::Nesting nesting(stream_);
  const int line = stream_.next().line;
  return std::make_unique<Unary>(line, Unary::kNot, negation());
}

std::optional<std::string> ExpressionParser::comparison_sign() {
  static constexpr std::string_view kSigns[] = {"==", "!=", "<", "<=", ">", ">="};
  const Token& token = stream_.current();
  if (token.kind == Kind::kOperator && std::ranges::find(kSigns, token.text) != std::end(kSigns))
    return stream_.next().text;
  if (stream_.skip_name("in")) return "in";
  if (!stream_.is_name("not") || !stream_.look_ahead().is_name("in")) return std::nullopt;
  stream_.next();
  stream_.next();
  return "not in";
}

ExpressionPtr ExpressionParser::comparison() {
  const int line = stream_.current().line;
  ExpressionPtr first = sum();
  Comparison::Operands operands;
  while (auto sign = comparison_sign()) {
    stream_.check_chain(static_cast<int>(operands.size()));
    operands.emplace_back(std::move(*sign), sum());
  }
  if (operands.empty()) return first;
  return std::make_unique<Comparison>(line, std::move(first), std::move(operands));
}

ExpressionPtr ExpressionParser::concatenation() {
  const int line = stream_.current().line;
  std::vector<ExpressionPtr> parts;
  parts.push_back(product());
  while (stream_.skip_operator("~")) parts.push_back(product());
  if (parts.size() == 1) return std::move(parts.front());
  return std::make_unique<Concatenation>(line, std::move(parts));
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  const int line = stream_.current().line;
  ExpressionPtr node;
  if (stream_.is_operator("-") || stream_.is_operator("+")) {
    const TokenStream::Nesting nesting(stream_);
    const char sign = stream_.next().text[0];
    node = std::make_unique<Unary>(line, sign, unary(false));
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  return with_filters ? filters_and_tests(std::move(node)) : std::move(node);
}

ExpressionPtr ExpressionParser::named_primary() {
  const Token token = stream_.next();
  if (token.text == "true" || token.text == "True") return std::make_unique<Literal>(token.line, Value::boolean(true));
  if (token.text == "false" || token.text == "False")
    return std::make_unique<Literal>(token.line, Value::boolean(false));
  if (token.text == "none" || token.text == "None") return std::make_unique<Literal>(token.line, Value());
  return std::make_unique<Name>(token.line, token.text);
}

ExpressionPtr ExpressionParser::primary() {
  const Token token = stream_.current();
  if (token.kind == Kind::kName) return named_primary();
  if (token.kind == Kind::kString) {
    std::string text;
    while (stream_.is(Kind::kString)) text += stream_.next().text;
    return std::make_unique<Literal>(token.line, Value::text(std::move(text)));
  }
  if (token.kind == Kind::kInteger || token.kind == Kind::kFloat)
    return std::make_unique<Literal>(token.line, stream_.next().number);
  if (stream_.skip_operator("(")) {
    ExpressionPtr inside = tuple(true, {}, true);
    stream_.expect_operator(")");
    return inside;
  }
  if (stream_.is_operator("[")) return list();
  if (stream_.is_operator("{")) return mapping();
  throw syntax_error(token.line, "unexpected '{}'", token.description());
}

bool ExpressionParser::ends_tuple(std::string_view end_name) const {
  return stream_.is(Kind::kVariableEnd) || stream_.is(Kind::kBlockEnd) || stream_.is_operator(")") ||
         (!end_name.empty() && stream_.is_name(end_name));
}

ExpressionPtr ExpressionParser::tuple(bool with_condition, std::string_view end_name, bool is_parenthesized) {
  const int line = stream_.current().line;
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) stream_.expect_operator(",");
    if (ends_tuple(end_name)) break;
    items.push_back(expression(with_condition));
    if (!stream_.is_operator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !items.empty()) return std::move(items.front());
  if (!is_tuple && !is_parenthesized)
    throw syntax_error(stream_.current().line, "Expected an expression, got '{}'", stream_.current().description());
  return std::make_unique<Sequence>(line, std::move(items), true);
}

ExpressionPtr ExpressionParser::list() {
  const int line = stream_.next().line;
  std::vector<ExpressionPtr> items;
  while (!stream_.is_operator("]")) {
    if (!items.empty()) stream_.expect_operator(",");
    if (stream_.is_operator("]")) break;
    items.push_back(expression());
  }
  stream_.expect_operator("]");
  return std::make_unique<Sequence>(line, std::move(items), false);
}

ExpressionPtr ExpressionParser::mapping() {
  const int line = stream_.next().line;
  Mapping::Entries entries;
  while (!stream_.is_operator("}")) {
    if (!entries.empty()) stream_.expect_operator(",");
    if (stream_.is_operator("}")) break;
    ExpressionPtr key = expression();
    stream_.expect_operator(":");
    entries.emplace_back(std::move(key), expression());
  }
  stream_.expect_operator("}");
  return std::make_unique<Mapping>(line, std::move(entries));
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr node) {
  for (int count = 1;; ++count) {
    stream_.check_chain(count);
    if (stream_.is_operator(".") || stream_.is_operator("[")) {
      node = subscript(std::move(node));
    } else if (stream_.is_operator("(")) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr node) {
  for (int count = 1;; ++count) {
    stream_.check_chain(count);
    if (stream_.is_operator("|")) {
      node = filters(std::move(node));
    } else if (stream_.is_name("is")) {
      node = test(std::move(node));
    } else if (stream_.is_operator("(")) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr input, bool is_begun) {
  for (int count = 1; is_begun || stream_.is_operator("|"); ++count) {
    stream_.check_chain(count);
    if (!is_begun) stream_.next();
    is_begun = false;
    const Token name = stream_.expect(Kind::kName, "name");
    if (stream_.is_operator(".")) throw syntax_error(name.line, "a filter name with a dot is not supported here");
    const Filter filter = require_filter(name.text, name.line);
    ArgumentList given;
    if (stream_.is_operator("(")) given = arguments();
    input = std::make_unique<Filtered>(name.line, std::move(input), filter, std::move(given));
  }
  return input;
}

ExpressionPtr ExpressionParser::test(ExpressionPtr node) {
  stream_.next();
  const bool is_negated = stream_.skip_name("not");
  const Token name = stream_.expect(Kind::kName, "name");
  const Test its_test = require_test(name.text, name.line);
  ArgumentList given;
  const Token& token = stream_.current();
  const bool begins_value = token.kind == Kind::kName || token.kind == Kind::kString || token.kind == Kind::kInteger ||
                            token.kind == Kind::kFloat || stream_.is_operator("[") || stream_.is_operator("{");
  if (stream_.is_operator("(")) {
    given = arguments();
  } else if (begins_value && !stream_.is_name("else") && !stream_.is_name("or") && !stream_.is_name("and")) {
    if (stream_.is_name("is")) throw syntax_error(token.line, "You cannot chain multiple tests with is");
    given.positional.push_back(postfix(primary()));
  }
  ExpressionPtr result = std::make_unique<Tested>(name.line, std::move(node), its_test, std::move(given));
  if (is_negated) result = std::make_unique<Unary>(name.line, Unary::kNot, std::move(result));
  return result;
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr node) {
  const Token token = stream_.next();
  if (token.text == "[") return bracket_subscript(std::move(node), token.line);
  const Token name = stream_.next();
  if (name.kind == Kind::kName) return std::make_unique<Attribute>(token.line, std::move(node), name.text);
  if (name.kind != Kind::kInteger) throw syntax_error(name.line, "expected name or number");
  return std::make_unique<Item>(token.line, std::move(node), std::make_unique<Literal>(name.line, name.number));
}

ExpressionPtr ExpressionParser::bracket_subscript(ExpressionPtr node, int line) {
  std::vector<ExpressionPtr> parts;  // of one subscript
  std::vector<ExpressionPtr> keys;
  bool is_slice = false;
  const auto ends_part = [&] { return stream_.is_operator("]") || stream_.is_operator(","); };
  while (!stream_.is_operator("]")) {
    if (!keys.empty()) stream_.expect_operator(",");
    ExpressionPtr first = stream_.is_operator(":") ? nullptr : expression();
    if (!stream_.skip_operator(":")) {
      keys.push_back(std::move(first));
      continue;
    }
    is_slice = true;
    parts.push_back(std::move(first));
    parts.push_back(stream_.is_operator(":") || ends_part() ? nullptr : expression());
    parts.push_back(stream_.skip_operator(":") && !ends_part() ? expression() : nullptr);
    if (!stream_.is_operator("]") || !keys.empty())
      throw syntax_error(line, "a slice among several subscripts is not supported here");
  }
  stream_.expect_operator("]");
  if (is_slice)
    return std::make_unique<Slice>(line, std::move(node), std::move(parts[0]), std::move(parts[1]),
                                   std::move(parts[2]));
  ExpressionPtr key = keys.size() == 1 ? std::move(keys[0]) : std::make_unique<Sequence>(line, std::move(keys), true);
  return std::make_unique<Item>(line, std::move(node), std::move(key));
}

void ExpressionParser::argument(ArgumentList& list, int line) {
  const auto ensure = [&](bool holds) {
    if (!holds) throw syntax_error(line, "invalid syntax for function call expression");
  };
  if (stream_.skip_operator("*")) {
    ensure(list.all_positional == nullptr && list.all_keywords == nullptr);
    list.all_positional = expression();
  } else if (stream_.skip_operator("**")) {
    ensure(list.all_keywords == nullptr);
    list.all_keywords = expression();
  } else if (stream_.is(Kind::kName) && stream_.look_ahead().is_operator("=")) {
    ensure(list.all_keywords == nullptr);
    const std::string name = stream_.next().text;
    stream_.next();
    for (const auto& [known, value] : list.keywords)
      if (known == name) throw syntax_error(line, "keyword argument repeated: {}", name);
    list.keywords.emplace_back(name, expression());
  } else {
    ensure(list.all_positional == nullptr && list.all_keywords == nullptr && list.keywords.empty());
    list.positional.push_back(expression());
  }
}

ArgumentList ExpressionParser::arguments() {
  const TokenStream::Nesting nesting(stream_);
  const int line = stream_.current().line;
  stream_.expect_operator("(");
  ArgumentList list;
  bool is_first = true;
  while (!stream_.is_operator(")")) {
    if (!is_first) {
      stream_.expect_operator(",");
      if (stream_.is_operator(")")) break;
    }
    argument(list, line);
    is_first = false;
  }
  stream_.expect_operator(")");
  return list;
}

std::unique_ptr<const Call> ExpressionParser::call(ExpressionPtr callee) {
  const int line = stream_.current().line;
  return std::make_unique<const Call>(line, std::move(callee), arguments());
}

std::unique_ptr<const Call> ExpressionParser::call_expression(int line) {
  ExpressionPtr node = expression();
  auto* as_call = dynamic_cast<const Call*>(node.get());
  if (as_call == nullptr) throw syntax_error(line, "expected call");
  (void)node.release();
  return std::unique_ptr<const Call>(as_call);
}

}  // namespace ftrun::jinja
