// format(value, spec) for texts, integers and floats.
#include <charconv>
#include <cmath>

#include "core/jinja/format_text.h"
#include "core/jinja/python_text.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

struct Spec {
  char32_t fill = U' ';
  char align = '\0';
  char sign = '-';
  bool alternate = false;
  size_t width = 0;
  bool grouped = false;
  std::optional<int> precision;
  char type = '\0';
};

bool is_align(char32_t c) { return c == U'<' || c == U'>' || c == U'^' || c == U'='; }

size_t number_at(const std::u32string& text, size_t& at) {
  size_t number = 0;
  while (at < text.size() && text[at] >= U'0' && text[at] <= U'9') {
    number = number * 10 + (text[at++] - U'0');
    number = std::min(number, 2 * kMaxOneTextBytes);  // more than the budget gives
  }
  return number;
}

Spec parse_spec(std::string_view text_utf8) {
  const std::u32string text = code_points(text_utf8);
  Spec spec;
  size_t at = 0;
  const auto take = [&](char32_t c) { return at < text.size() && text[at] == c && (++at, true); };
  if (text.size() > 1 && is_align(text[1])) {
    spec.fill = text[0];
    spec.align = static_cast<char>(text[1]);
    at = 2;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = static_cast<char>(text[at++]);
  }
  if (at < text.size() && (text[at] == U'+' || text[at] == U'-' || text[at] == U' '))
    spec.sign = static_cast<char>(text[at++]);
  spec.alternate = take(U'#');
  if (take(U'0') && spec.align == '\0') {
    spec.fill = U'0';
    spec.align = '=';
  }
  spec.width = number_at(text, at);
  spec.grouped = take(U',');
  if (take(U'.')) {
    if (at == text.size() || text[at] < U'0' || text[at] > U'9')
      throw value_error("Format specifier missing precision");
    spec.precision = static_cast<int>(number_at(text, at));
  }
  if (at < text.size()) spec.type = static_cast<char>(text[at++]);
  if (at != text.size()) throw value_error("Invalid format specifier");
  return spec;
}

std::string padded(const std::string& sign, const std::string& body, const Spec& spec, char default_align,
                   Budget& budget) {
  const size_t size = length(sign) + length(body);
  if (size >= spec.width) return sign + body;
  const size_t missing = spec.width - size;
  budget.text(missing);
  const char align = spec.align == '\0' ? default_align : spec.align;
  const auto filling = [&](size_t count) { return to_utf8(std::u32string(count, spec.fill)); };
  if (align == '<') return sign + body + filling(missing);
  if (align == '^') return filling(missing / 2) + sign + body + filling(missing - missing / 2);
  if (align == '=') return sign + filling(missing) + body;
  return filling(missing) + sign + body;
}

std::string with_groups(const std::string& digits) {
  const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  std::string text = digits;
  for (size_t at = whole; at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string sign_of(bool negative, const Spec& spec) {
  if (negative) return "-";
  return spec.sign == '-' ? "" : std::string(1, spec.sign);
}

std::string format_string(const Value& value, const Spec& spec, Budget& budget) {
  if (spec.type != '\0' && spec.type != 's')
    throw value_error("Unknown format code '{}' for object of type 'str'", spec.type);
  if (spec.align == '=') throw value_error("'=' alignment not allowed in string format specifier");
  std::string text = value.utf8();
  if (spec.precision) text = to_utf8(code_points(text).substr(0, static_cast<size_t>(*spec.precision)));
  return padded("", text, spec, '<', budget);
}

std::string format_integer(int64_t number, const Spec& spec, Budget& budget) {
  if (spec.precision) throw value_error("Precision not allowed in integer format specifier");
  const bool negative = number < 0;
  const uint64_t magnitude = negative ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  std::string digits;
  if (spec.type == 'x' || spec.type == 'X' || spec.type == 'o' || spec.type == 'b') {
    char buffer[72];
    const int base = spec.type == 'o' ? 8 : spec.type == 'b' ? 2 : 16;
    digits.assign(buffer, std::to_chars(buffer, buffer + sizeof(buffer), magnitude, base).ptr);
    if (spec.type == 'X')
      for (char& c : digits) c = static_cast<char>(c >= 'a' ? c - 'a' + 'A' : c);
    if (spec.grouped || spec.alternate) throw unsupported("'#' or ',' in this format");
  } else {
    digits = std::to_string(magnitude);
    if (spec.grouped) digits = with_groups(digits);
  }
  return padded(sign_of(negative, spec), digits, spec, '>', budget);
}

std::string format_real(double number, const Spec& spec, Budget& budget) {
  if (spec.alternate) throw unsupported("'#' in a float's format");
  const double magnitude = std::abs(spec.type == '%' ? number * 100 : number);
  const int precision = spec.precision.value_or(6);
  if (precision > 1000) throw unsupported("a precision above 1000");
  std::string digits;
  if (spec.type == '\0' && !spec.precision) {
    digits = float_text(magnitude);
  } else if (spec.type == '\0') {
    throw unsupported("a float's precision without 'f', 'e' or 'g'");
  } else {
    const char type = spec.type == '%' ? 'f' : spec.type;
    const std::string pattern = std::string("%.*") + type;
    char buffer[1500];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const int size = std::snprintf(buffer, sizeof(buffer), pattern.c_str(), precision, magnitude);
#pragma GCC diagnostic pop
    digits.assign(buffer, static_cast<size_t>(size));
  }
  if (spec.grouped) digits = with_groups(digits);
  if (spec.type == '%') digits += '%';
  return padded(sign_of(std::signbit(number), spec), digits, spec, '>', budget);
}

bool is_real_type(char type) { return std::string_view("eEfFgG%").find(type) != std::string_view::npos; }

}  // namespace

std::string format_value(const Value& value, std::string_view text, Budget& budget) {
  if (text.empty()) return printed(value);
  const Spec spec = parse_spec(text);
  if (value.is_text()) return format_string(value, spec, budget);
  if (!value.is_number()) throw type_error("unsupported format string passed to {}.__format__", type_name(value));
  if (spec.type != '\0' && spec.type != 'd' && std::string_view("xXob").find(spec.type) == std::string_view::npos &&
      !is_real_type(spec.type))
    throw value_error("Unknown format code '{}' for object of type '{}'", spec.type, type_name(value));
  if (spec.type != '\0' && is_real_type(spec.type)) return format_real(value.as_real(), spec, budget);
  if (!value.is<double>()) return format_integer(*value.as_integer(), spec, budget);
  if (spec.type != '\0') throw value_error("Unknown format code '{}' for object of type 'float'", spec.type);
  return format_real(value.as_real(), spec, budget);
}

}  // namespace ftrun::jinja
