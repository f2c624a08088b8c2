// Strict JSON (RFC 8259): the first place where a text departs from it, and why, so that the host and every plugin
// refuse the same texts in the same words. The library that reads values afterwards stops at a zero byte, takes numbers
// that overflow for an internal failure, keeps the last of two equal keys and words its errors for programmers.
// Leaves out: values (a text without a fault is read by any JSON library).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun::sdk {
inline namespace v1 {

/// The encoding that the mark at the beginning of `text` names: "UTF-16" or "UTF-32", "" where it is neither.
inline std::string_view other_encoding_of(std::string_view text) {
  using namespace std::string_view_literals;
  const auto begins = [text](std::string_view mark) { return text.substr(0, mark.size()) == mark; };
  // UTF-32's mark begins as UTF-16's does.
  if (begins("\xFF\xFE\0\0"sv) || begins("\0\0\xFE\xFF"sv)) return "UTF-32";
  return begins("\xFF\xFE"sv) || begins("\xFE\xFF"sv) ? "UTF-16"sv : ""sv;
}

/// 1-based; columns count bytes.
struct TextPosition {
  std::size_t line;
  std::size_t column;
};

inline TextPosition position_in(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto lines = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t line_break = before.rfind('\n');
  return {1 + lines, line_break == std::string_view::npos ? before.size() + 1 : before.size() - line_break};
}

struct JsonFault {
  enum class Kind {
    kSyntax,
    kEnd,          ///< the text ends too early
    kRepeatedKey,  ///< one object has a key twice: JSON all the same, and nobody can tell which value is meant
  };
  Kind kind = Kind::kSyntax;
  std::size_t offset = 0;  ///< of the first byte that does not fit
  std::string reason;      ///< one line of printable text, without a place

  /// "LINE:COLUMN: not valid JSON: REASON", of a repeated key "LINE: not valid: REASON".
  std::string message(std::string_view text, std::size_t first_line = 1) const {
    const TextPosition at = position_in(text, offset);
    const std::string line = std::to_string(first_line - 1 + at.line) + ':';
    if (kind == Kind::kRepeatedKey) return line + " not valid: " + reason;
    return line + std::to_string(at.column) + ": not valid JSON: " + reason;
  }
};

enum class JsonKeys { kUnique, kMayRepeat };

/// Lists and objects may be nested so deep: whoever walks them recursively stays within a small stack.
constexpr int kMaxJsonDepth = 256;

/// The walk behind find_json_fault.
class JsonSyntax {
 public:
  JsonSyntax(std::string_view text, JsonKeys keys) : text_(text), keys_(keys) {}

  std::optional<JsonFault> run() {
    if (const std::string_view encoding = other_encoding_of(text_); !encoding.empty())
      return JsonFault{JsonFault::Kind::kSyntax, 0, "the text is " + std::string(encoding) + ": save it as UTF-8"};
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") at_ = 3;
    skip_space();
    if (value(0)) {
      skip_space();
      if (at_ < text_.size()) fail_at("there is more after the end of the value");
    }
    return fault_;
  }

 private:
  bool fail(JsonFault::Kind kind, std::size_t offset, std::string reason) {
    fault_ = JsonFault{kind, offset, std::move(reason)};
    return false;
  }
  bool fail(std::string reason) { return fail(JsonFault::Kind::kSyntax, at_, std::move(reason)); }

  /// The byte at hand does not fit: says what is particular about it, or `otherwise`.
  bool fail_at(const std::string& otherwise) {
    if (at_ >= text_.size()) return fail(JsonFault::Kind::kEnd, at_, "the text ends here: " + otherwise);
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte == 0) return fail("a zero byte: is this a text in UTF-8?");
    if (byte < 0x20 || byte == 0x7F) return fail("the control character " + hex(byte) + ": " + otherwise);
    if (byte >= 0x80 && character_size() == 0) return fail_utf8();
    if (byte == '\'') return fail("a single quote: strings stand in double quotes");
    if (byte == '/' || byte == '#') return fail("comments are not JSON: remove it");
    return fail(otherwise);
  }
  bool fail_utf8() {
    return fail("the byte " + hex(static_cast<unsigned char>(text_[at_])) + " is not UTF-8: save the text as UTF-8");
  }
  static std::string hex(unsigned char byte) {
    constexpr const char* kDigits = "0123456789ABCDEF";
    return std::string("0x") + kDigits[byte >> 4] + kDigits[byte & 15];
  }

  bool ends() const { return at_ >= text_.size(); }
  bool next_is(char wanted) const { return at_ < text_.size() && text_[at_] == wanted; }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }

  bool value(int depth) {
    if (ends()) return fail_at("expected a value");
    if (depth >= kMaxJsonDepth && (next_is('{') || next_is('[')))
      return fail("lists and objects are nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
    const char c = text_[at_];
    if (c == '{') return object(depth + 1);
    if (c == '[') return array(depth + 1);
    if (c == '"') return string();
    if (c == '-' || (c >= '0' && c <= '9')) return number();
    return literal();
  }

  bool object(int depth) {
    std::vector<std::string_view> short_keys;
    std::set<std::string, std::less<>> keys;
    ++at_;
    skip_space();
    if (next_is('}')) return ++at_, true;
    while (true) {
      if (!next_is('"')) return fail_at("expected a key in double quotes");
      const std::size_t begin = at_;
      if (!string()) return false;
      if (keys_ == JsonKeys::kUnique && !is_new(text_.substr(begin + 1, at_ - begin - 2), short_keys, keys, begin))
        return false;
      skip_space();
      if (!next_is(':')) return fail_at("expected ':' after a key");
      ++at_;
      skip_space();
      if (!value(depth)) return false;
      skip_space();
      if (next_is('}')) return ++at_, true;
      if (!next_is(',')) return fail_at("expected ',' or '}' after a value");
      ++at_;
      skip_space();
      if (next_is('}')) return fail("a comma before '}'");
    }
  }

  bool array(int depth) {
    ++at_;
    skip_space();
    if (next_is(']')) return ++at_, true;
    while (true) {
      if (!value(depth)) return false;
      skip_space();
      if (next_is(']')) return ++at_, true;
      if (!next_is(',')) return fail_at("expected ',' or ']' after a value");
      ++at_;
      skip_space();
      if (next_is(']')) return fail("a comma before ']'");
    }
  }

  /// A few keys are compared one by one: most objects have few, and rows by the million are read.
  bool is_new(std::string_view raw, std::vector<std::string_view>& few, std::set<std::string, std::less<>>& many,
              std::size_t begin) {
    constexpr std::size_t kFew = 16;
    bool repeats = false;
    std::string key;
    if (many.empty() && few.size() < kFew && raw.find('\\') == std::string_view::npos) {
      repeats = std::find(few.begin(), few.end(), raw) != few.end();
      few.push_back(raw);
    } else {
      many.insert(few.begin(), few.end());
      repeats = !many.insert(unescaped(raw)).second;
    }
    if (!repeats) return true;
    key = unescaped(raw);
    if (std::any_of(key.begin(), key.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; })) key = raw;
    return fail(JsonFault::Kind::kRepeatedKey, begin, "key '" + key + "' appears twice in one object");
  }

  bool string() {
    ++at_;
    while (at_ < text_.size()) {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte == '"') return ++at_, true;
      if (byte == '\\') {
        if (!escape()) return false;
      } else if (byte < 0x20) {
        return fail_control(byte);
      } else if (byte < 0x80) {
        ++at_;
      } else {
        const std::size_t size = character_size();
        if (size == 0) return fail_utf8();
        at_ += size;
      }
    }
    return fail(JsonFault::Kind::kEnd, at_, "the text ends inside a string");
  }
  bool fail_control(unsigned char byte) {
    if (byte == 0) return fail("a zero byte inside a string: write \\u0000, if it is meant");
    if (byte == '\n' || byte == '\r') return fail("a line break inside a string: close it, or write \\n");
    if (byte == '\t') return fail("a tab inside a string: write \\t");
    return fail("the control character " + hex(byte) + " inside a string: write \\u00" + hex(byte).substr(2));
  }

  bool escape() {
    const char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (kind == 'u') return unicode_escape();
    if (kind == '\0' || std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos) {
      if (at_ + 1 >= text_.size()) return fail(JsonFault::Kind::kEnd, at_, "the text ends inside a string");
      return fail("a backslash that begins no escape: a backslash itself is written \\\\");
    }
    at_ += 2;
    return true;
  }
  bool unicode_escape() {
    const std::int32_t unit = hex_digits(at_ + 2);
    if (unit < 0) return fail("\\u needs four hexadecimal digits");
    const std::int32_t next = text_.substr(at_ + 6, 2) == "\\u" ? hex_digits(at_ + 8) : -1;
    const bool is_pair = is_high(unit) && is_low(next);
    if (!is_pair && (is_high(unit) || is_low(unit)))
      return fail("half of a surrogate pair, " + std::string(text_.substr(at_, 6)) + ", is no character");
    at_ += is_pair ? 12 : 6;
    return true;
  }
  static bool is_high(std::int32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
  static bool is_low(std::int32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }
  /// The four digits at `at`, or -1.
  std::int32_t hex_digits(std::size_t at) const {
    if (at + 4 > text_.size()) return -1;
    std::int32_t number = 0;
    for (const char c : text_.substr(at, 4)) {
      const std::int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                                 : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                 : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                        : -1;
      if (digit < 0) return -1;
      number = number * 16 + digit;
    }
    return number;
  }

  bool digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > begin;
  }
  bool number() {
    const std::size_t begin = at_;
    if (next_is('-')) ++at_;
    const bool begins_with_zero = next_is('0');
    if (!digits()) return at_ = begin, literal();
    if (begins_with_zero && at_ - begin > (text_[begin] == '-' ? 2u : 1u))
      return at_ = begin, fail("a number may not begin with 0");
    if (next_is('.') && (++at_, !digits())) return fail_at("expected digits after the decimal point");
    if (next_is('e') || next_is('E')) {
      ++at_;
      if (next_is('+') || next_is('-')) ++at_;
      if (!digits()) return fail_at("expected digits after the exponent's e");
    }
    const std::string written(text_.substr(begin, at_ - begin));
    if (std::isfinite(std::strtod(written.c_str(), nullptr))) return true;
    at_ = begin;
    return fail("the number " + shortened(written) + " is beyond a 64-bit float");
  }

  bool literal() {
    const auto belongs = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
             c == '+' || c == '.';
    };
    std::size_t end = at_;
    while (end < text_.size() && belongs(text_[end])) ++end;
    const std::string word(text_.substr(at_, end - at_));
    if (word == "true" || word == "false" || word == "null") return at_ = end, true;
    if (word.empty()) return fail_at("expected a value");
    const char* hint = word == "True" || word == "False" || word == "None"
                           ? ": JSON writes true, false and null"
                           : ": expected an object, a list, a string in double quotes, a number, true, false or null";
    return fail("'" + shortened(word) + "' is no JSON value" + hint);
  }
  static std::string shortened(const std::string& word) {
    return word.size() <= 40 ? word : word.substr(0, 37) + "...";
  }

  /// Bytes of the UTF-8 character at hand, or 0 (RFC 3629, section 4).
  std::size_t character_size() const {
    const auto byte = [this](std::size_t k) {
      return at_ + k < text_.size() ? static_cast<unsigned char>(text_[at_ + k]) : 0u;
    };
    const unsigned lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    const std::size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (byte(1) < low || byte(1) > high) return 0;
    for (std::size_t k = 2; k < size; ++k) {
      if ((byte(k) & 0xC0) != 0x80) return 0;
    }
    return size;
  }

  /// A key's text; `raw` has passed string().
  static std::string unescaped(std::string_view raw) {
    std::string out;
    const JsonSyntax digits(raw, JsonKeys::kMayRepeat);
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\') {
        out.push_back(raw[i]);
        continue;
      }
      const char kind = raw[++i];
      if (kind != 'u') {
        constexpr std::string_view kNames = "bfnrt";
        const std::size_t at = kNames.find(kind);
        out.push_back(at == std::string_view::npos ? kind : "\b\f\n\r\t"[at]);
        continue;
      }
      auto code = static_cast<std::uint32_t>(digits.hex_digits(i + 1));
      i += 4;
      if (is_high(static_cast<std::int32_t>(code))) {
        code = 0x10000 + ((code - 0xD800) << 10) + static_cast<std::uint32_t>(digits.hex_digits(i + 3)) - 0xDC00;
        i += 6;
      }
      append_utf8(code, out);
    }
    return out;
  }
  static void append_utf8(std::uint32_t code, std::string& out) {
    const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) return put(code);
    if (code >= 0x10000) put(0xF0 | code >> 18);
    if (code >= 0x10000) put(0x80 | (code >> 12 & 0x3F));
    if (code >= 0x800 && code < 0x10000) put(0xE0 | code >> 12);
    put(code < 0x800 ? 0xC0 | code >> 6 : 0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }

  std::string_view text_;
  JsonKeys keys_;
  std::size_t at_ = 0;
  std::optional<JsonFault> fault_;
};

/// What keeps `text` (UTF-8, with or without a byte order mark) from being one JSON value, or nothing. Numbers must fit
/// a 64-bit float. With kMayRepeat equal keys of one object are no fault.
inline std::optional<JsonFault> find_json_fault(std::string_view text, JsonKeys keys = JsonKeys::kUnique) {
  return JsonSyntax(text, keys).run();
}

}  // namespace v1
}  // namespace ftrun::sdk
