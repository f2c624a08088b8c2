// Translates a regular expression from Oniguruma's dialect to PCRE2's.
// Why at all: \s, \p{..} and scripts differ (Unicode 16 here, 14 in PCRE2; U+180E), \h and ^ mean other things.
#include "core/data/tokenizer/oniguruma_pattern.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/base/error.h"
#include "core/base/utf8_text.h"
#include "core/data/tokenizer/unicode_tables.h"

namespace ftrun {
namespace {

constexpr std::string_view kSpaceMembers =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kLongNames = {{{"Letter", "L"},
                                                                                      {"Mark", "M"},
                                                                                      {"Number", "N"},
                                                                                      {"Punctuation", "P"},
                                                                                      {"Symbol", "S"},
                                                                                      {"Separator", "Z"},
                                                                                      {"Any", "Any"}}};

// Not Mn (U+1171E left it after Unicode 14), not C and Cn (they lose code points with every version).
constexpr std::array kCategories = {"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mc", "Me", "N",  "Nd", "Nl",
                                    "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S",  "Sm", "Sc",
                                    "Sk", "So", "Z",  "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Any"};
constexpr std::array kScripts = {"Han",   "Hiragana", "Katakana", "Hangul", "Latin",     "Cyrillic",
                                 "Greek", "Arabic",   "Hebrew",   "Thai",   "Devanagari"};

std::string newer_ranges(std::string_view name, bool is_script) {
  std::vector<CodePointRange> found;
  for (const NewerProperty& property : newer_properties()) {
    const std::string_view other = property.name;
    if (is_script ? other == name : other.size() == 2 && other.starts_with(name)) found.push_back(property.range);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  for (size_t k = 0; k < found.size(); ++k) {
    CodePointRange range = found[k];
    while (k + 1 < found.size() && found[k + 1].first == range.last + 1) range.last = found[++k].last;
    out += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", range.first, range.last);
  }
  return out;
}

/// Members of a character class, to be put between brackets.
struct Member {
  std::string members;
  bool negated = false;
};

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  std::string run() {
    while (!at_end()) element();
    if (!case_flags_.empty()) fail("'(' without ')'");
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw invalid_argument("regular expression, byte {}: {}", at_, what);
  }

  bool at_end() const { return at_ >= in_.size(); }
  char peek(size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  bool follows(std::string_view text) const { return in_.substr(at_).starts_with(text); }
  bool accept(std::string_view text) {
    if (!follows(text)) return false;
    at_ += text.size();
    return true;
  }
  bool ignores_case() const { return case_flags_.empty() ? top_ignores_case_ : case_flags_.back(); }

  uint32_t take_code_point() {
    const CodePoint point = code_point_at(in_, at_);
    at_ += point.size_bytes;
    return point.value;
  }

  void element() {
    const char c = peek();
    if (c != '\\' && c != '[' && std::string_view("()|*+?{^$.").find(c) == std::string_view::npos) {
      literal(take_code_point());
      return;
    }
    if (c == '\\') return escape();
    previous_literal_ = 0;
    switch (c) {
      case '[':
        return char_class();
      case '(':
        return open_group();
      case ')':
        if (case_flags_.empty()) fail("')' without '('");
        case_flags_.pop_back();
        break;
      case '*':
      case '+':
      case '?':
        return quantifier();
      case '{':
        return interval();
      default:
        break;
    }
    out_.push_back(c);
    ++at_;
  }

  void literal(uint32_t value) {
    if (ignores_case()) check_folding(value);
    previous_literal_ = value;
    out_ += fmt::format("\\x{{{:x}}}", value);
  }

  /// Oniguruma folds one character to several and back under (?i); PCRE2 does not.
  void check_folding(uint32_t value) const {
    if (value >= 0x80) fail("(?i) with a character outside ASCII is not supported");
    const auto lower = [](uint32_t c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
    const uint32_t first = lower(previous_literal_);
    const uint32_t second = lower(value);
    const bool folds = (first == 's' && (second == 's' || second == 't')) ||
                       (first == 'f' && (second == 'f' || second == 'i' || second == 'l'));
    if (folds) fail("(?i) with ss, st, ff, fi or fl is not supported");
  }

  void escape() {
    if (at_ + 1 >= in_.size()) fail("ends with '\\'");
    if (accept("\\A") || accept("\\z")) {
      out_ += in_[at_ - 1] == 'A' ? "\\A" : "\\z";
      previous_literal_ = 0;
      return;
    }
    if (is_set_escape()) {
      const Member member = set_escape();
      out_ += fmt::format("[{}{}]", member.negated ? "^" : "", member.members);
      previous_literal_ = 0;
      return;
    }
    literal(escaped_literal());
  }

  bool is_set_escape() const { return std::string_view("sSdDpP").find(peek(1)) != std::string_view::npos; }

  Member set_escape() {
    const char kind = peek(1);
    at_ += 2;
    if (kind == 's' || kind == 'S') return {std::string(kSpaceMembers), kind == 'S'};
    if (ignores_case()) fail("a character property inside (?i) is not supported");
    if (kind == 'd' || kind == 'D') return {"\\p{Nd}" + newer_ranges("Nd", false), kind == 'D'};
    if (!accept("{")) fail("\\p needs a name in braces");
    const bool caret = accept("^");
    const size_t close = in_.find('}', at_);
    if (close == std::string_view::npos) fail("\\p{ without '}'");
    const std::string_view name = in_.substr(at_, close - at_);
    Member member{property(name), caret != (kind == 'P')};
    at_ = close + 1;
    return member;
  }

  std::string property(std::string_view name) const {
    for (const auto& [long_name, short_name] : kLongNames) {
      if (name == long_name) name = short_name;
    }
    if (std::find(kCategories.begin(), kCategories.end(), name) != kCategories.end()) {
      return fmt::format("\\p{{{}}}", name) + newer_ranges(name, false);
    }
    if (std::find(kScripts.begin(), kScripts.end(), name) != kScripts.end()) {
      return fmt::format("\\p{{sc:{}}}", name) + newer_ranges(name, true);
    }
    fail(fmt::format("character property '{}' is not supported", name));
  }

  uint32_t hexadecimal(size_t digits) {
    uint32_t value = 0;
    for (size_t k = 0; k < digits; ++k, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail("expected a hexadecimal digit");
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) fail("not a Unicode code point");
    return value;
  }

  uint32_t escaped_literal() {
    ++at_;
    constexpr std::string_view names = "tnrfvae";
    constexpr std::string_view values = "\t\n\r\f\v\a\x1B";
    const char c = peek();
    if (const size_t k = names.find(c); k != std::string_view::npos) {
      ++at_;
      return static_cast<unsigned char>(values[k]);
    }
    if (accept("u")) return hexadecimal(4);
    if (accept("x{")) {
      const size_t close = in_.find('}', at_);
      if (close == std::string_view::npos || close == at_ || close - at_ > 8) fail("malformed \\x{...}");
      const uint32_t value = hexadecimal(close - at_);
      ++at_;
      return value;
    }
    if (accept("x")) {
      const uint32_t value = hexadecimal(2);
      if (value >= 0x80) fail("\\x with a byte above 7f is not supported; write \\x{...}");
      return value;
    }
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (alphanumeric) fail(fmt::format("'\\{}' is not supported", c));
    return take_code_point();
  }

  void char_class() {
    const bool negated = (++at_, accept("^"));
    std::string positive;
    std::vector<std::string> negative;
    if (peek() == ']') fail("an empty character class, or ']' as its first member, is not supported");
    while (!accept("]")) {
      if (at_end()) fail("'[' without ']'");
      if (follows("&&")) fail("'&&' in a character class is not supported");
      if (peek() == '[') fail("'[' inside a character class must be written as '\\['");
      if (peek() == '\\' && is_set_escape()) {
        Member member = set_escape();
        if (member.negated)
          negative.push_back(std::move(member.members));
        else
          positive += member.members;
        if (peek() == '-' && peek(1) != ']') fail("a range that starts with a set is not supported");
        continue;
      }
      positive += class_range();
    }
    write_class(negated, positive, negative);
  }

  uint32_t class_literal() {
    if (at_end()) fail("'[' without ']'");
    const uint32_t value = peek() == '\\' ? escaped_literal() : take_code_point();
    if (ignores_case() && value >= 0x80) fail("(?i) with a character outside ASCII is not supported");
    return value;
  }

  std::string class_range() {
    const uint32_t first = class_literal();
    if (peek() != '-' || peek(1) == ']') return fmt::format("\\x{{{:x}}}", first);
    ++at_;
    if (peek() == '[' || (peek() == '\\' && is_set_escape())) fail("a range that ends with a set is not supported");
    const uint32_t last = class_literal();
    if (last < first) fail("empty range in a character class");
    return fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", first, last);
  }

  void write_class(bool negated, const std::string& positive, const std::vector<std::string>& negative) {
    if (negative.empty()) {
      out_ += fmt::format("[{}{}]", negated ? "^" : "", positive);
      return;
    }
    out_ += "(?:";
    for (const std::string& members : negative) {
      out_ += negated ? fmt::format("(?=[{}])", members) : fmt::format("[^{}]|", members);
    }
    if (negated)
      out_ += positive.empty() ? "(?s:.)" : fmt::format("[^{}]", positive);
    else if (positive.empty())
      out_.pop_back();
    else
      out_ += fmt::format("[{}]", positive);
    out_ += ")";
  }

  void open_group() {
    bool ignore = ignores_case();
    if (!follows("(?")) {
      out_ += "(?:";  // no back references are supported, so a capture is a group
      ++at_;
    } else {
      group_kind(ignore);
      if (in_[at_ - 1] == ')') return;  // (?i) and (?-i) hold to the end of the enclosing group
    }
    case_flags_.push_back(ignore);
    group_begin_ = at_;
  }

  void group_kind(bool& ignore) {
    for (const char* kind : {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"}) {
      if (accept(kind)) {
        out_ += kind;
        return;
      }
    }
    for (const char* flag : {"(?i", "(?-i"}) {
      if (!follows(std::string(flag) + ":") && !follows(std::string(flag) + ")")) continue;
      // Elsewhere Oniguruma also groups what follows, alternatives included; PCRE2 does not.
      if (follows(std::string(flag) + ")") && at_ != group_begin_) {
        fail("(?i) is supported only at the start of a group; write (?i:...)");
      }
      ignore = flag[2] == 'i';
      at_ += std::string_view(flag).size() + 1;
      out_ += flag;
      out_.push_back(in_[at_ - 1]);
      if (in_[at_ - 1] == ')') {
        if (case_flags_.empty())
          top_ignores_case_ = ignore;
        else
          case_flags_.back() = ignore;
      }
      return;
    }
    fail(fmt::format("group '{}' is not supported", in_.substr(at_, 4)));
  }

  void quantifier() {
    out_.push_back(in_[at_++]);
    if (peek() == '+' || peek() == '?') out_.push_back(in_[at_++]);
    const bool stacked = !at_end() && std::string_view("*+?{").find(peek()) != std::string_view::npos;
    if (stacked) fail("a quantifier on a quantifier is not supported");
  }

  void interval() {
    const size_t close = in_.find('}', at_);
    const std::string_view body = close == std::string_view::npos ? "" : in_.substr(at_ + 1, close - at_ - 1);
    const size_t comma = body.find(',');
    const auto is_count = [](std::string_view text) {
      return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string_view::npos;
    };
    const std::string_view upper = comma == std::string_view::npos ? "" : body.substr(comma + 1);
    if (!is_count(body.substr(0, comma)) || (!upper.empty() && !is_count(upper))) {
      fail("'{' must start {n}, {n,} or {n,m}, or be written as '\\{'");
    }
    out_ += in_.substr(at_, close + 1 - at_);
    at_ = close + 1;
    if (peek() == '?' && comma != std::string_view::npos) out_.push_back(in_[at_++]);
    const bool stacked = !at_end() && std::string_view("*+?{").find(peek()) != std::string_view::npos;
    if (stacked) fail("a quantifier on a quantifier is not supported");
  }

  std::string_view in_;
  size_t at_ = 0;
  std::string out_;
  std::vector<bool> case_flags_;  // one per open group
  bool top_ignores_case_ = false;
  size_t group_begin_ = 0;  // where the contents of the innermost group opened last begin
  uint32_t previous_literal_ = 0;
};

}  // namespace

std::string translate_oniguruma(std::string_view pattern) {
  if (well_formed_prefix(pattern) != pattern.size()) throw invalid_argument("regular expression: not valid UTF-8");
  return Translator(pattern).run();
}

}  // namespace ftrun
