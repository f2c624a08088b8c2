// Python's rules, as Jinja's lexer applies them.
#include "core/jinja/literal.h"

#include <charconv>
#include <cstdlib>

#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

// Characters beyond ASCII as escapes, so that "\" before one of them is read as Jinja reads it.
std::string as_ascii(std::string_view utf8) {
  std::string result;
  for (const char32_t point : code_points(utf8)) {
    const auto code = static_cast<uint32_t>(point);
    if (code < 0x80) {
      result += static_cast<char>(code);
    } else {
      result += code < 0x100     ? fmt::format("\\x{:02x}", code)
                : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                                 : fmt::format("\\U{:08x}", code);
    }
  }
  return result;
}

char32_t hexadecimal(std::string_view text, size_t& at, size_t digits, int line) {
  uint32_t code = 0;
  const std::string_view part = text.substr(std::min(at, text.size()), digits);
  const auto [end, status] = std::from_chars(part.data(), part.data() + part.size(), code, 16);
  if (part.size() != digits || status != std::errc() || end != part.data() + digits || code > 0x10FFFF)
    throw syntax_error(line, "truncated or illegal escape in a string");
  if (code >= 0xD800 && code < 0xE000) throw syntax_error(line, "a surrogate in a string is not supported here");
  at += digits;
  return code;
}

char32_t octal(std::string_view text, size_t& at) {
  uint32_t code = 0;
  for (int i = 0; i < 3 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++i)
    code = code * 8 + static_cast<uint32_t>(text[at++] - '0');
  return code;
}

// Digits with single underscores between them.
size_t digits_size(std::string_view text, std::string_view digits) {
  size_t size = 0;
  while (size < text.size()) {
    const size_t skip = size > 0 && text[size] == '_' ? 1 : 0;
    if (size + skip >= text.size() || digits.find(text[size + skip]) == digits.npos) break;
    size += skip + 1;
  }
  return size;
}

constexpr std::string_view kDecimal = "0123456789";

size_t exponent_size(std::string_view text) {
  if (text.empty() || (text[0] | 0x20) != 'e') return 0;
  const size_t sign = text.size() > 1 && (text[1] == '+' || text[1] == '-') ? 1 : 0;
  const size_t digits = digits_size(text.substr(std::min(text.size(), 1 + sign)), kDecimal);
  return digits == 0 ? 0 : 1 + sign + digits;
}

size_t float_size(std::string_view text) {
  const size_t whole = digits_size(text, kDecimal);
  if (whole == 0) return 0;
  size_t fraction = 0;
  if (whole < text.size() && text[whole] == '.') {
    const size_t digits = digits_size(text.substr(whole + 1), kDecimal);
    fraction = digits == 0 ? 0 : digits + 1;
  }
  const size_t exponent = exponent_size(text.substr(whole + fraction));
  return fraction + exponent == 0 ? 0 : whole + fraction + exponent;
}

struct Digits {
  size_t prefix, size;
  int base;
};

Digits integer_digits(std::string_view text) {
  if (text.size() > 2 && text[0] == '0') {
    const char letter = static_cast<char>(text[1] | 0x20);
    const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    const std::string_view allowed = base == 16 ? "0123456789abcdefABCDEF" : base == 8 ? "01234567" : "01";
    const size_t underscore = base != 0 && text[2] == '_' ? 1 : 0;
    if (base != 0)
      if (const size_t size = digits_size(text.substr(2 + underscore), allowed); size > 0)
        return {2, size + underscore, base};
  }
  if (text[0] == '0') return {0, digits_size(text, "0"), 10};
  return {0, digits_size(text, kDecimal), 10};
}

std::string without_underscores(std::string_view text) {
  std::string result(text);
  std::erase(result, '_');
  return result;
}

}  // namespace

std::string unescaped(std::string_view between_quotes, int line) {
  const std::string text = as_ascii(between_quotes);
  static constexpr std::string_view kLetters = "abfnrtv\\'\"";
  static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
  std::u32string result;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at++];
    if (c != '\\' || at == text.size()) {
      result += static_cast<char32_t>(c);
      continue;
    }
    const char letter = text[at];
    if (letter == '\n') {
      ++at;
    } else if (const size_t known = kLetters.find(letter); known != kLetters.npos) {
      result += static_cast<char32_t>(kMeanings[known]);
      ++at;
    } else if (letter >= '0' && letter <= '7') {
      result += octal(text, at);
    } else if (letter == 'x' || letter == 'u' || letter == 'U') {
      ++at;
      result += hexadecimal(text, at, letter == 'x' ? 2 : letter == 'u' ? 4 : 8, line);
    } else if (letter == 'N') {
      throw syntax_error(line, "'\\N' in a string is not supported here");
    } else {
      result += U'\\';
    }
  }
  return to_utf8(result);
}

NumberLiteral number_at_front(std::string_view text, bool after_dot, int line) {
  if (text.empty() || kDecimal.find(text[0]) == kDecimal.npos) return {};
  if (const size_t size = after_dot ? 0 : float_size(text); size > 0)
    return {Value::real(std::strtod(without_underscores(text.substr(0, size)).c_str(), nullptr)), size, true};
  const Digits digits = integer_digits(text);
  const std::string plain = without_underscores(text.substr(digits.prefix, digits.size));
  int64_t number = 0;
  if (std::from_chars(plain.data(), plain.data() + plain.size(), number, digits.base).ec != std::errc())
    throw syntax_error(line, "the integer {} is beyond 64 bits, which is not supported here", plain);
  return {Value::integer(number), digits.prefix + digits.size, false};
}

}  // namespace ftrun::jinja
