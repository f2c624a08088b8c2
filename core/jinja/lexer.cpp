// Counterpart of jinja2.lexer for chat templates' settings; no line statements.
#include "core/jinja/lexer.h"

#include <algorithm>
#include <array>

#include "core/jinja/literal.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

// Line ends become "\n", and one at the very end is dropped.
std::string normalized(std::string_view source) {
  std::string text;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text += source[i];
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

// Size in bytes of the white space at the front.
size_t space_size(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    if (static_cast<unsigned char>(text[size]) < 0x80) {
      if (!is_space(static_cast<char32_t>(text[size]))) break;
      ++size;
      continue;
    }
    const std::u32string points = code_points(text.substr(size, 4));
    if (points.empty() || !is_space(points[0])) break;
    size += to_utf8(points[0]).size();
  }
  return size;
}

size_t name_size(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    const auto byte = static_cast<unsigned char>(text[size]);
    if (byte < 0x80) {
      if (!std::isalnum(byte) && byte != '_') break;
      ++size;
      continue;
    }
    const std::u32string points = code_points(text.substr(size, 4));
    if (points.empty() || !continues_name(points[0])) break;
    size += to_utf8(points[0]).size();
  }
  return size;
}

std::string without_trailing_space(std::string_view text) {
  std::u32string points = code_points(text);
  while (!points.empty() && is_space(points.back())) points.pop_back();
  return to_utf8(points);
}

// Longest first.
constexpr std::array<std::string_view, 27> kOperators = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                         "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                         ">",  "<",  "=",  ".",  ":",  "|",  ",", ";", ""};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : text_(normalized(source)) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) read_data();
    add(Token::Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(text_).substr(at_); }
  bool follows(std::string_view wanted) const { return rest().starts_with(wanted); }

  void add(Token::Kind kind, std::string text, Value number = {}) {
    tokens_.push_back({kind, std::move(text), std::move(number), line_});
  }

  void advance(size_t size) {
    line_ += static_cast<int>(std::ranges::count(rest().substr(0, size), '\n'));
    at_ += size;
  }

  // Text up to the next tag, then the tag.
  void read_data() {
    size_t open = at_;
    while ((open = text_.find('{', open)) != text_.npos) {
      const char kind = open + 1 < text_.size() ? text_[open + 1] : '\0';
      if (kind == '{' || kind == '%' || kind == '#') break;
      ++open;
    }
    if (open == text_.npos) {
      add(Token::Kind::kData, std::string(rest()));
      advance(rest().size());
      return;
    }
    const std::string_view data = rest().substr(0, open - at_);
    const char kind = text_[open + 1];
    const char sign = open + 2 < text_.size() ? text_[open + 2] : '\0';
    add_data(before_tag(data, sign, kind != '{'));
    advance(data.size() + 2 + (sign == '-' || sign == '+' ? 1 : 0));
    if (kind == '#') {
      skip_comment();
    } else if (kind == '{') {
      add(Token::Kind::kVariableBegin, "{{");
      read_tag(Token::Kind::kVariableEnd, "}}");
    } else if (!read_raw()) {
      add(Token::Kind::kBlockBegin, "{%");
      read_tag(Token::Kind::kBlockEnd, "%}");
    }
    line_begins_ = at_ > 0 && text_[at_ - 1] == '\n';
  }

  void add_data(std::string data) {
    if (!data.empty()) add(Token::Kind::kData, std::move(data));
  }

  // White space before a tag: "-" takes all of it; a block or comment alone on its line takes its indentation.
  std::string before_tag(std::string_view data, char sign, bool is_stripped) const {
    if (sign == '-') return without_trailing_space(data);
    if (sign == '+' || !is_stripped) return std::string(data);
    const size_t line_start = data.rfind('\n') + 1;
    if (line_start == 0 && !line_begins_) return std::string(data);
    const std::string_view indentation = data.substr(line_start);
    return std::string(space_size(indentation) == indentation.size() ? data.substr(0, line_start) : data);
  }

  // After the end of a block or comment: "-" takes all white space, else one line break goes.
  void skip_after(bool takes_all) {
    if (takes_all) {
      advance(space_size(rest()));
    } else if (follows("\n")) {
      advance(1);
    }
  }

  void skip_comment() {
    const size_t end = text_.find("#}", at_);
    if (end == text_.npos) throw syntax_error(line_, "Missing end of comment tag");
    const char sign = end > at_ ? text_[end - 1] : '\0';
    advance(end + 2 - at_);
    if (sign != '+') skip_after(sign == '-');
  }

  // {% raw %} ... {% endraw %}; false when this is another block.
  bool read_raw() {
    const size_t start = at_;
    const std::string_view inside = rest().substr(space_size(rest()));
    if (!inside.starts_with("raw")) return false;
    std::string_view end = inside.substr(3);
    end = end.substr(space_size(end));
    const bool takes_all = end.starts_with("-%}");
    if (!takes_all && !end.starts_with("%}")) return false;
    advance(static_cast<size_t>(end.data() - text_.data()) + (takes_all ? 3 : 2) - start);
    if (takes_all) advance(space_size(rest()));
    line_begins_ = text_[at_ - 1] == '\n';
    for (size_t open = at_; (open = text_.find("{%", open)) != text_.npos; open += 2)
      if (end_raw(open)) return true;
    throw syntax_error(line_, "Missing end of raw directive");
  }

  bool end_raw(size_t open) {
    std::string_view tag = std::string_view(text_).substr(open + 2);
    const char sign = tag.empty() ? '\0' : tag[0];
    if (sign == '-' || sign == '+') tag.remove_prefix(1);
    tag.remove_prefix(space_size(tag));
    if (!tag.starts_with("endraw")) return false;
    tag.remove_prefix(6);
    tag.remove_prefix(space_size(tag));
    const char end_sign = tag.empty() ? '\0' : tag[0];
    if (end_sign == '-' || end_sign == '+') tag.remove_prefix(1);
    if (!tag.starts_with("%}")) return false;
    add_data(before_tag(rest().substr(0, open - at_), sign, true));
    advance(static_cast<size_t>(tag.data() - text_.data()) + 2 - at_);
    if (end_sign != '+') skip_after(end_sign == '-');
    return true;
  }

  void read_tag(Token::Kind end_kind, std::string_view end) {
    while (true) {
      advance(space_size(rest()));
      if (at_ == text_.size()) return;
      if (brackets_.empty() && ends_tag(end_kind, end)) return;
      read_token();
    }
  }

  bool ends_tag(Token::Kind kind, std::string_view end) {
    const char sign = text_[at_];
    const bool is_block = kind == Token::Kind::kBlockEnd;
    const bool has_sign = (sign == '-' || (sign == '+' && is_block)) && rest().substr(1).starts_with(end);
    if (!has_sign && !follows(end)) return false;
    add(kind, std::string(end));
    advance(end.size() + (has_sign ? 1 : 0));
    if (has_sign && sign == '-') {
      advance(space_size(rest()));
    } else if (is_block && !has_sign && follows("\n")) {
      advance(1);
    }
    return true;
  }

  void read_token() {
    const char c = text_[at_];
    const bool after_dot = at_ > 0 && text_[at_ - 1] == '.';
    if (NumberLiteral number = number_at_front(rest(), after_dot, line_); number.size > 0) {
      add(number.is_float ? Token::Kind::kFloat : Token::Kind::kInteger, std::string(rest().substr(0, number.size)),
          number.value);
      advance(number.size);
    } else if (const size_t name = name_size(rest()); name > 0) {
      add(Token::Kind::kName, std::string(rest().substr(0, name)));
      advance(name);
    } else if (c == '\'' || c == '"') {
      read_string(c);
    } else {
      read_operator();
    }
  }

  void read_string(char quote) {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) throw unexpected();
    add(Token::Kind::kString, unescaped(std::string_view(text_).substr(at_ + 1, end - at_ - 1), line_));
    advance(end + 1 - at_);
  }

  void read_operator() {
    const auto found = std::ranges::find_if(kOperators, [&](std::string_view sign) { return follows(sign); });
    if (found->empty()) throw unexpected();
    balance(*found);
    add(Token::Kind::kOperator, std::string(*found));
    advance(found->size());
  }

  void balance(std::string_view sign) {
    if (sign == "{" || sign == "(" || sign == "[") brackets_ += sign == "{" ? '}' : sign == "(" ? ')' : ']';
    if (sign != "}" && sign != ")" && sign != "]") return;
    if (brackets_.empty()) throw syntax_error(line_, "unexpected '{}'", sign);
    if (brackets_.back() != sign[0])
      throw syntax_error(line_, "unexpected '{}', expected '{}'", sign, brackets_.back());
    brackets_.pop_back();
  }

  Failure unexpected() const {
    const std::string_view before = std::string_view(text_).substr(0, at_);
    return syntax_error(line_, "unexpected char '{}' at {}", to_utf8(code_points(rest().substr(0, 4))[0]),
                        length(before));
  }

  std::string text_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_begins_ = true;
  std::string brackets_;  // the closing ones that are awaited
  std::vector<Token> tokens_;
};

}  // namespace

std::string Token::description() const {
  switch (kind) {
    case Kind::kData:
      return "template data / text";
    case Kind::kVariableBegin:
      return "begin of print statement";
    case Kind::kVariableEnd:
      return "end of print statement";
    case Kind::kBlockBegin:
      return "begin of statement block";
    case Kind::kBlockEnd:
      return "end of statement block";
    case Kind::kEnd:
      return "end of template";
    default:
      return text;
  }
}

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace ftrun::jinja
