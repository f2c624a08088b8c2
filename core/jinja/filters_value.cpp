// Filters on single values: defaults and numbers.
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/jinja/arguments.h"
#include "core/jinja/filters.h"
#include "core/jinja/operators.h"
#include "core/jinja/text_edit.h"

namespace ftrun::jinja {
namespace {

Value default_value(const Value& input, const Arguments& arguments, Rendering&) {
  const Bound bound("do_default", arguments, {"default_value", "boolean"});
  if (input.is_undefined() || (bound.truth(1, false) && !is_true(input)))
    return bound.has(0) ? bound[0] : Value::text("");
  return input;
}

// Digits may be separated by single underscores, as in Python's literals.
std::optional<std::string> without_underscores(const std::string& text) {
  std::string result;
  const auto is_digit = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      result += text[i];
    } else if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1])) {
      return std::nullopt;
    }
  }
  return result;
}

// float(text) of Python.
std::optional<double> parsed_real(const std::string& source) {
  auto text = without_underscores(stripped(source, Side::kBoth, std::nullopt));
  if (!text || text->empty()) return std::nullopt;
  const bool negative = text->front() == '-';
  if (negative || text->front() == '+') text->erase(0, 1);
  double value = 0;
  const auto [end, status] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (text->starts_with('-') || text->find('(') != text->npos || end != text->data() + text->size())
    return std::nullopt;
  if (status == std::errc::result_out_of_range)
    value = std::strtod(text->c_str(), nullptr);
  else if (status != std::errc())
    return std::nullopt;
  return negative ? -value : value;
}

// int(text, base) of Python, for bases 0 and 2 to 36.
std::optional<int64_t> parsed_integer(const std::string& source, int64_t base) {
  auto text = without_underscores(stripped(source, Side::kBoth, std::nullopt));
  if (!text || text->empty()) return std::nullopt;
  const bool negative = text->front() == '-';
  if (negative || text->front() == '+') text->erase(0, 1);
  const auto has_prefix = [&](char letter) {
    return text->size() > 2 && (*text)[0] == '0' && ((*text)[1] | 0x20) == letter;
  };
  for (const auto& [letter, its_base] : {std::pair('x', 16), std::pair('o', 8), std::pair('b', 2)}) {
    if (has_prefix(letter) && (base == 0 || base == its_base)) {
      text->erase(0, 2);
      base = its_base;
    }
  }
  if (base == 0) base = 10;
  uint64_t magnitude = 0;
  const auto [end, status] =
      std::from_chars(text->data(), text->data() + text->size(), magnitude, static_cast<int>(base));
  if (end != text->data() + text->size() || status == std::errc::invalid_argument) return std::nullopt;
  if (status != std::errc() || magnitude > static_cast<uint64_t>(INT64_MAX))
    throw unsupported("an integer beyond 64 bits");
  return negative ? -static_cast<int64_t>(magnitude) : static_cast<int64_t>(magnitude);
}

std::optional<int64_t> truncated(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::abs(value) >= 9.2e18) throw unsupported("an integer beyond 64 bits");
  return static_cast<int64_t>(value);
}

Value to_int(const Value& input, const Arguments& arguments, Rendering&) {
  const Bound bound("do_int", arguments, {"default", "base"});
  const Value instead = bound.has(0) ? bound[0] : Value::integer(0);
  if (input.is_undefined()) throw input.undefined_value().failure();
  if (input.as_integer()) return Value::integer(*input.as_integer());
  if (input.is<double>()) {
    if (std::isinf(input.as<double>())) throw Failure("OverflowError", "cannot convert float infinity to integer");
    const auto whole = truncated(input.as<double>());
    return whole ? Value::integer(*whole) : instead;
  }
  if (!input.is_text()) return instead;
  const int64_t base = bound.integer(1, 10);
  if (base == 0 || (base >= 2 && base <= 36))
    if (const auto number = parsed_integer(input.utf8(), base)) return Value::integer(*number);
  const auto real = parsed_real(input.utf8());
  const auto whole = real ? truncated(*real) : std::nullopt;
  return whole ? Value::integer(*whole) : instead;
}

Value to_float(const Value& input, const Arguments& arguments, Rendering&) {
  const Bound bound("do_float", arguments, {"default"});
  if (input.is_undefined()) throw input.undefined_value().failure();
  if (input.is_number()) return Value::real(input.as_real());
  const auto number = input.is_text() ? parsed_real(input.utf8()) : std::nullopt;
  if (number) return Value::real(*number);
  return bound.has(0) ? bound[0] : Value::real(0.0);
}

Value absolute(const Value& input, const Arguments& arguments, Rendering&) {
  positional_only("abs", arguments, 0, 0);
  if (!input.is_number()) throw type_error("bad operand type for abs(): '{}'", type_name(input));
  if (input.is<double>()) return Value::real(std::abs(input.as<double>()));
  return *input.as_integer() < 0 ? unary('-', input) : Value::integer(*input.as_integer());
}

// Correctly rounded, half to even on the exact binary value, as Python's round.
double rounded(double value, int64_t digits) {
  if (!std::isfinite(value) || digits > 330) return value;
  if (digits < 0) throw unsupported("rounding a float to tens");
  return std::strtod(fmt::format("{:.{}f}", value, digits).c_str(), nullptr);
}

Value round(const Value& input, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("do_round", arguments, {"precision", "method"});
  const int64_t precision = bound.integer(0, 0);
  const std::string method = bound.text(1, "common");
  if (method != "common" && method != "ceil" && method != "floor")
    throw Failure("FilterArgumentError", "method must be common, ceil or floor");
  if (!input.is_number()) throw type_error("type {} doesn't define __round__ method", type_name(input));
  if (method == "common") {
    if (input.is<double>()) return Value::real(rounded(input.as<double>(), precision));
    if (precision < 0) throw unsupported("rounding an integer to tens");
    return Value::integer(*input.as_integer());
  }
  const Value scale = binary(Value::integer(10), "**", Value::integer(precision), rendering.budget);
  const double scaled = binary(input, "*", scale, rendering.budget).as_real();
  return Value::real((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale.as_real());
}

}  // namespace

const FilterTable& value_filters() {
  static const FilterTable table = {{"default", default_value}, {"d", default_value}, {"int", to_int},
                                    {"float", to_float},        {"abs", absolute},    {"round", round}};
  return table;
}

}  // namespace ftrun::jinja
