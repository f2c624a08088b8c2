// Tags are found in a table by name.
#include "core/jinja/statement_parser.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/jinja/globals.h"
#include "core/jinja/lexer.h"
#include "core/jinja/statement_nodes.h"

namespace ftrun::jinja {
namespace {

using Kind = Token::Kind;

bool is_unsupported_tag(std::string_view name) {
  static const std::set<std::string_view> kNames = {"block", "extends", "include", "import", "from", "autoescape"};
  return kNames.contains(name);
}

// Names that a template reads and never sets, of globals that are not here.
void refuse_unsupported_globals(const Body& body) {
  std::set<std::string> set_names, read_names;
  body.visit_names([&](const std::string& name, bool is_load) { (is_load ? read_names : set_names).insert(name); });
  for (const std::string& name : read_names)
    if (is_unsupported_global(name) && !set_names.contains(name))
      throw syntax_error(1, "the global '{}' is not supported here", name);
}

}  // namespace

Template parse_template(std::string_view source) {
  TokenStream stream(tokenize(source));
  StatementParser parser(stream);
  Template result;
  result.body = parser.whole();
  result.has_generation_marks = parser.has_generation_marks();
  refuse_unsupported_globals(result.body);
  Symbols symbols(nullptr);
  result.body.declare(symbols);
  result.layout = symbols.layout();
  result.body.bind(symbols);
  return result;
}

StatementParser::Tag StatementParser::find_tag(std::string_view name) {
  static const std::map<std::string_view, Tag> table = {{"for", &StatementParser::for_tag},
                                                        {"if", &StatementParser::if_tag},
                                                        {"set", &StatementParser::set_tag},
                                                        {"macro", &StatementParser::macro_tag},
                                                        {"call", &StatementParser::call_tag},
                                                        {"filter", &StatementParser::filter_tag},
                                                        {"with", &StatementParser::with_tag},
                                                        {"print", &StatementParser::print_tag},
                                                        {"break", &StatementParser::break_tag},
                                                        {"continue", &StatementParser::continue_tag},
                                                        {"generation", &StatementParser::generation_tag}};
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

Body StatementParser::whole() { return until({}); }

Body StatementParser::until(Names ends) {
  Body body;
  while (!stream_.is(Kind::kEnd)) {
    const Token token = stream_.next();
    if (token.kind == Kind::kData) {
      body.statements.push_back(std::make_unique<Data>(token.line, token.text));
    } else if (token.kind == Kind::kVariableBegin) {
      const int line = stream_.current().line;
      body.statements.push_back(std::make_unique<Print>(line, expressions_.tuple()));
      stream_.expect(Kind::kVariableEnd, "end of print statement");
    } else {
      if (stream_.is(Kind::kName) && std::ranges::find(ends, stream_.current().text) != ends.end()) return body;
      body.statements.push_back(statement());
      stream_.expect(Kind::kBlockEnd, "end of statement block");
    }
  }
  if (ends.size() == 0) return body;
  std::string wanted;
  for (const std::string_view end : ends) wanted += (wanted.empty() ? "'" : " or '") + std::string(end) + "'";
  throw syntax_error(stream_.current().line,
                     "Unexpected end of template. Jinja was looking for the following tags: {}.", wanted);
}

Body StatementParser::tag_body(Names ends, bool drop_end) {
  const TokenStream::Nesting nesting(stream_);
  stream_.skip_operator(":");
  stream_.expect(Kind::kBlockEnd, "end of statement block");
  Body body = until(ends);
  if (drop_end) stream_.next();
  return body;
}

std::unique_ptr<Statement> StatementParser::statement() {
  if (!stream_.is(Kind::kName)) throw syntax_error(stream_.current().line, "tag name expected");
  const Token name = stream_.next();
  if (const Tag tag = find_tag(name.text)) return (this->*tag)(name.line);
  if (is_unsupported_tag(name.text)) throw syntax_error(name.line, "the tag '{}' is not supported here", name.text);
  throw syntax_error(name.line, "Encountered unknown tag '{}'.", name.text);
}

std::unique_ptr<Statement> StatementParser::for_tag(int line) {
  For::Parts parts;
  ++loops_;
  ++all_loops_;
  parts.target = target(false, "in");
  stream_.expect_name("in");
  parts.iterable = expressions_.tuple(false, "recursive");
  if (stream_.skip_name("if")) parts.test = expressions_.expression();
  if (stream_.is_name("recursive")) throw syntax_error(line, "a recursive for loop is not supported here");
  parts.body = tag_body({"endfor", "else"}, false);
  --loops_;
  if (stream_.next().text == "else") parts.otherwise = tag_body({"endfor"}, true);
  --all_loops_;
  return std::make_unique<For>(line, std::move(parts));
}

std::unique_ptr<Statement> StatementParser::if_tag(int line) {
  std::vector<If::Branch> branches;
  Body otherwise;
  while (true) {
    ExpressionPtr condition = expressions_.tuple(false);
    Body body = tag_body({"elif", "else", "endif"}, false);
    branches.push_back({std::move(condition), std::move(body)});
    const std::string end = stream_.next().text;
    if (end == "elif") continue;
    if (end == "else") otherwise = tag_body({"endif"}, true);
    return std::make_unique<If>(line, std::move(branches), std::move(otherwise));
  }
}

std::unique_ptr<Statement> StatementParser::set_tag(int line) {
  Target its_target = target(true, {});
  if (stream_.skip_operator("=")) return std::make_unique<Set>(line, std::move(its_target), expressions_.tuple());
  ExpressionPtr filter;
  if (stream_.is_operator("|")) filter = expressions_.filters(std::make_unique<BlockText>(line));
  Body body = tag_body({"endset"}, true);
  return std::make_unique<TextBlock>(line, std::move(its_target), std::move(filter), std::move(body));
}

std::unique_ptr<Statement> StatementParser::filter_tag(int line) {
  ExpressionPtr filter = expressions_.filters(std::make_unique<BlockText>(line), true);
  Body body = tag_body({"endfilter"}, true);
  return std::make_unique<TextBlock>(line, std::nullopt, std::move(filter), std::move(body));
}

std::unique_ptr<Statement> StatementParser::with_tag(int line) {
  With::Assignments assignments;
  while (!stream_.is(Kind::kBlockEnd)) {
    if (!assignments.empty()) stream_.expect_operator(",");
    Target its_target = target(false, {});
    stream_.expect_operator("=");
    assignments.emplace_back(std::move(its_target), expressions_.expression());
  }
  Body body = tag_body({"endwith"}, true);
  return std::make_unique<With>(line, std::move(assignments), std::move(body));
}

std::unique_ptr<Statement> StatementParser::print_tag(int line) {
  std::vector<ExpressionPtr> parts;
  parts.push_back(expressions_.expression());
  while (stream_.skip_operator(",")) parts.push_back(expressions_.expression());
  return std::make_unique<Print>(line, std::make_unique<Concatenation>(line, std::move(parts)));
}

// The body of a function of its own: break and continue do not reach out of it.
Body StatementParser::function_body(std::string_view end) {
  const int loops_around = std::exchange(loops_, 0);
  Body body = tag_body({end}, true);
  loops_ = loops_around;
  return body;
}

std::unique_ptr<Statement> StatementParser::macro_tag(int line) {
  const std::string name = assigned_name();
  MacroBody::Parameters its_parameters = parameters();
  return std::make_unique<Macro>(line, name, MacroBody(line, std::move(its_parameters), function_body("endmacro")));
}

std::unique_ptr<Statement> StatementParser::call_tag(int line) {
  MacroBody::Parameters its_parameters;
  if (stream_.is_operator("(")) its_parameters = parameters();
  auto its_call = expressions_.call_expression(line);
  return std::make_unique<CallBlock>(line, std::move(its_call),
                                     MacroBody(line, std::move(its_parameters), function_body("endcall")));
}

std::unique_ptr<Statement> StatementParser::generation_tag(int line) {
  has_generation_marks_ = true;
  return std::make_unique<Generation>(line, function_body("endgeneration"));
}

void StatementParser::require_loop(int line, std::string_view tag) const {
  if (loops_ == 0) throw syntax_error(line, "'{}' outside loop", tag);
}

std::unique_ptr<Statement> StatementParser::break_tag(int line) {
  require_loop(line, "break");
  return std::make_unique<LoopControl>(line, Flow::kBreak);
}

std::unique_ptr<Statement> StatementParser::continue_tag(int line) {
  require_loop(line, "continue");
  return std::make_unique<LoopControl>(line, Flow::kContinue);
}

MacroBody::Parameters StatementParser::parameters() {
  MacroBody::Parameters result;
  stream_.expect_operator("(");
  while (!stream_.is_operator(")")) {
    if (!result.names.empty()) stream_.expect_operator(",");
    const int line = stream_.current().line;
    const std::string name = assigned_name();
    if (std::ranges::find(result.names, name) != result.names.end())
      throw syntax_error(line, "duplicate argument '{}' in function definition", name);
    result.names.push_back(name);
    if (stream_.skip_operator("=")) {
      result.defaults.push_back(expressions_.expression());
    } else if (!result.defaults.empty()) {
      throw syntax_error(line, "non-default argument follows default argument");
    }
  }
  stream_.expect_operator(")");
  return result;
}

std::string StatementParser::assigned_name() {
  static const std::set<std::string_view> kConstants = {"true", "false", "none", "True", "False", "None"};
  const Token token = stream_.expect(Kind::kName, "name");
  if (kConstants.contains(token.text)) throw syntax_error(token.line, "can't assign to 'const'");
  return token.text;
}

Target StatementParser::one_target(bool with_namespace) {
  const TokenStream::Nesting nesting(stream_);
  if (stream_.skip_operator("(")) {
    Target inside = target(false, {});
    stream_.expect_operator(")");
    return inside;
  }
  if (!stream_.is(Kind::kName))
    throw syntax_error(stream_.current().line, "can't assign to '{}'", stream_.current().description());
  const int line = stream_.current().line;
  Target result;
  result.name = assigned_name();
  if (with_namespace && stream_.skip_operator(".")) {
    result.kind = Target::Kind::kNamespace;
    result.attribute = stream_.expect(Kind::kName, "name").text;
  } else if (result.name == "loop" && all_loops_ > 0) {
    throw syntax_error(line, "Can't assign to special loop variable in for-loop target");
  }
  return result;
}

Target StatementParser::target(bool with_namespace, std::string_view end_name) {
  Target result;
  result.kind = Target::Kind::kTuple;
  bool is_tuple = false;
  const auto ends = [&] {
    return stream_.is(Kind::kBlockEnd) || stream_.is_operator(")") || (!end_name.empty() && stream_.is_name(end_name));
  };
  while (true) {
    if (!result.parts.empty()) stream_.expect_operator(",");
    if (ends()) break;
    result.parts.push_back(one_target(with_namespace));
    if (!stream_.is_operator(",")) break;
    is_tuple = true;
  }
  if (result.parts.empty())
    throw syntax_error(stream_.current().line, "Expected an expression, got '{}'", stream_.current().description());
  return is_tuple ? result : Target(std::move(result.parts.front()));
}

}  // namespace ftrun::jinja
