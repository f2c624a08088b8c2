// Tokens to statements: a template's tree. Grammar of jinja2.parser with the tags that chat templates have.
#pragma once

#include <string_view>
#include <vector>

#include "core/jinja/expression_parser.h"
#include "core/jinja/macro.h"
#include "core/jinja/statement.h"

namespace ftrun::jinja {

/// A whole template, its scopes laid out.
struct Template {
  Body body;
  ScopeLayout layout;
  bool has_generation_marks = false;  ///< {% generation %} stands in it
};

/// Throws TemplateSyntaxError with its line, also for what is not supported here.
Template parse_template(std::string_view source);

class StatementParser {
 public:
  explicit StatementParser(TokenStream& stream) : stream_(stream), expressions_(stream) {}

  /// Up to the end of the template.
  Body whole();
  /// Whether what was read has a generation block.
  bool has_generation_marks() const { return has_generation_marks_; }

 private:
  using Names = std::initializer_list<std::string_view>;
  using Tag = std::unique_ptr<Statement> (StatementParser::*)(int line);
  static Tag find_tag(std::string_view name);

  /// Up to a tag with one of the names, which becomes the current token.
  Body until(Names ends);
  /// After the tag's end: its body up to one of `ends`. `drop_end` also reads that name.
  Body tag_body(Names ends, bool drop_end);
  std::unique_ptr<Statement> statement();

  std::unique_ptr<Statement> for_tag(int line);
  std::unique_ptr<Statement> if_tag(int line);
  std::unique_ptr<Statement> set_tag(int line);
  std::unique_ptr<Statement> macro_tag(int line);
  std::unique_ptr<Statement> call_tag(int line);
  std::unique_ptr<Statement> filter_tag(int line);
  std::unique_ptr<Statement> with_tag(int line);
  std::unique_ptr<Statement> print_tag(int line);
  std::unique_ptr<Statement> generation_tag(int line);
  std::unique_ptr<Statement> break_tag(int line);
  std::unique_ptr<Statement> continue_tag(int line);

  MacroBody::Parameters parameters();
  Body function_body(std::string_view end);
  void require_loop(int line, std::string_view tag) const;
  std::string assigned_name();
  Target target(bool with_namespace, std::string_view end_name);
  Target one_target(bool with_namespace);

  TokenStream& stream_;
  ExpressionParser expressions_;
  int loops_ = 0;      // around here, within the same function
  int all_loops_ = 0;  // around here
  bool has_generation_marks_ = false;
};

}  // namespace ftrun::jinja
