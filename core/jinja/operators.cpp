// One function per operator, found in a table by its sign.
#include "core/jinja/operators.h"

#include <cmath>
#include <limits>
#include <map>

#include "core/jinja/format_text.h"

namespace ftrun::jinja {
namespace {

Failure wrong_operands(const Value& a, std::string_view sign, const Value& b) {
  return type_error("unsupported operand type(s) for {}: '{}' and '{}'", sign, type_name(a), type_name(b));
}

Failure too_large() { return unsupported("an integer beyond 64 bits"); }

struct Integers {
  int64_t a, b;
};

std::optional<Integers> integers(const Value& a, const Value& b) {
  if (!a.as_integer() || !b.as_integer()) return std::nullopt;
  return Integers{*a.as_integer(), *b.as_integer()};
}

bool are_numbers(const Value& a, const Value& b) { return a.is_number() && b.is_number(); }

Value add_texts(const Value& a, const Value& b, Budget& budget) {
  const bool is_markup = a.is_markup() || b.is_markup();
  const auto part = [&](const Value& value) {
    return is_markup && !value.is_markup() ? html_escaped(value.utf8()) : value.utf8();
  };
  budget.text(a.utf8().size() + b.utf8().size());
  return Value::text(part(a) + part(b), is_markup);
}

List joined(const List& a, const List& b, Budget& budget) {
  budget.steps(a.size() + b.size());
  List items = a;
  items.insert(items.end(), b.begin(), b.end());
  return items;
}

Value add(const Value& a, const Value& b, Budget& budget) {
  if (a.is_text() && b.is_text()) return add_texts(a, b, budget);
  if (const auto numbers = integers(a, b)) {
    int64_t sum = 0;
    if (__builtin_add_overflow(numbers->a, numbers->b, &sum)) throw too_large();
    return Value::integer(sum);
  }
  if (are_numbers(a, b)) return Value::real(a.as_real() + b.as_real());
  if (a.is<ListValue>() && b.is<ListValue>()) return Value::list(joined(*a.items(), *b.items(), budget));
  if (a.is<TupleValue>() && b.is<TupleValue>()) return Value::tuple(joined(*a.items(), *b.items(), budget));
  const std::string name = a.is_text() ? "str" : type_name(a);
  if (a.is_text() || a.items() != nullptr)
    throw type_error("can only concatenate {0} (not \"{1}\") to {0}", name, type_name(b));
  throw wrong_operands(a, "+", b);
}

Value subtract(const Value& a, const Value& b, Budget&) {
  if (const auto numbers = integers(a, b)) {
    int64_t difference = 0;
    if (__builtin_sub_overflow(numbers->a, numbers->b, &difference)) throw too_large();
    return Value::integer(difference);
  }
  if (are_numbers(a, b)) return Value::real(a.as_real() - b.as_real());
  throw wrong_operands(a, "-", b);
}

Value repeated(const Value& value, int64_t count, Budget& budget) {
  const auto times = static_cast<uint64_t>(std::max<int64_t>(count, 0));
  if (value.is_text()) {
    const size_t size = value.utf8().size();
    if (size != 0 && times > kMaxOneTextBytes / size) budget.text(kMaxOneTextBytes + 1);
    budget.text(size * times);
    std::string text;
    for (uint64_t i = 0; size != 0 && i < times; ++i) text += value.utf8();
    return Value::text(text, value.is_markup());
  }
  const List& items = *value.items();
  if (!items.empty() && times > kMaxSteps / items.size()) budget.steps(kMaxSteps + 1);
  budget.steps(items.size() * times);
  List result;
  for (uint64_t i = 0; !items.empty() && i < times; ++i) result.insert(result.end(), items.begin(), items.end());
  return value.is<ListValue>() ? Value::list(std::move(result)) : Value::tuple(std::move(result));
}

bool is_sequence(const Value& value) { return value.is_text() || value.items() != nullptr; }

Value multiply(const Value& a, const Value& b, Budget& budget) {
  if (const auto numbers = integers(a, b)) {
    int64_t product = 0;
    if (__builtin_mul_overflow(numbers->a, numbers->b, &product)) throw too_large();
    return Value::integer(product);
  }
  if (are_numbers(a, b)) return Value::real(a.as_real() * b.as_real());
  if (is_sequence(a) && b.as_integer()) return repeated(a, *b.as_integer(), budget);
  if (is_sequence(b) && a.as_integer()) return repeated(b, *a.as_integer(), budget);
  if (is_sequence(a)) throw type_error("can't multiply sequence by non-int of type '{}'", type_name(b));
  if (is_sequence(b)) throw type_error("can't multiply sequence by non-int of type '{}'", type_name(a));
  throw wrong_operands(a, "*", b);
}

Failure division_by_zero(const std::string& message) { return {"ZeroDivisionError", message}; }

Value divide(const Value& a, const Value& b, Budget&) {
  if (!are_numbers(a, b)) throw wrong_operands(a, "/", b);
  if (b.as_real() == 0) throw division_by_zero(integers(a, b) ? "division by zero" : "float division by zero");
  if (const auto numbers = integers(a, b))  // rounded once, as Python does
    return Value::real(
        static_cast<double>(static_cast<long double>(numbers->a) / static_cast<long double>(numbers->b)));
  return Value::real(a.as_real() / b.as_real());
}

// Remainder with the divisor's sign, as Python's float.
double float_modulo(double a, double b) {
  const double remainder = std::fmod(a, b);
  if (remainder == 0) return std::copysign(0.0, b);
  return (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

double float_floor_divide(double a, double b) {
  const double modulo = float_modulo(a, b);
  const double quotient = (a - modulo) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

Value floor_divide(const Value& a, const Value& b, Budget&) {
  if (!are_numbers(a, b)) throw wrong_operands(a, "//", b);
  if (const auto numbers = integers(a, b)) {
    if (numbers->b == 0) throw division_by_zero("integer division or modulo by zero");
    if (numbers->a == std::numeric_limits<int64_t>::min() && numbers->b == -1) throw too_large();
    const int64_t quotient = numbers->a / numbers->b;
    const bool lower = numbers->a % numbers->b != 0 && (numbers->a < 0) != (numbers->b < 0);
    return Value::integer(quotient - (lower ? 1 : 0));
  }
  if (b.as_real() == 0) throw division_by_zero("float floor division by zero");
  return Value::real(float_floor_divide(a.as_real(), b.as_real()));
}

Value modulo(const Value& a, const Value& b, Budget& budget) {
  if (a.is_text()) return Value::text(percent_format(a.utf8(), b, budget), a.is_markup());
  if (!are_numbers(a, b)) throw wrong_operands(a, "%", b);
  if (const auto numbers = integers(a, b)) {
    if (numbers->b == 0) throw division_by_zero("integer modulo by zero");
    if (numbers->b == -1) return Value::integer(0);
    const int64_t remainder = numbers->a % numbers->b;
    const bool other_sign = remainder != 0 && (remainder < 0) != (numbers->b < 0);
    return Value::integer(remainder + (other_sign ? numbers->b : 0));
  }
  if (b.as_real() == 0) throw division_by_zero("float modulo");
  return Value::real(float_modulo(a.as_real(), b.as_real()));
}

int64_t integer_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) throw too_large();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) throw too_large();
  }
  return result;
}

Value power(const Value& a, const Value& b, Budget&) {
  if (!are_numbers(a, b))
    throw type_error("unsupported operand type(s) for ** or pow(): '{}' and '{}'", type_name(a), type_name(b));
  const auto numbers = integers(a, b);
  if (numbers && numbers->b >= 0) return Value::integer(integer_power(numbers->a, numbers->b));
  if (a.as_real() == 0 && b.as_real() < 0) throw division_by_zero("0.0 cannot be raised to a negative power");
  const double result = std::pow(a.as_real(), b.as_real());
  if (std::isnan(result) && !std::isnan(a.as_real()) && !std::isnan(b.as_real())) throw unsupported("a complex number");
  if (std::isinf(result) && std::isfinite(a.as_real()) && std::isfinite(b.as_real()))
    throw Failure("OverflowError", "(34, 'Numerical result out of range')");
  return Value::real(result);
}

using Operator = Value (*)(const Value&, const Value&, Budget&);

const std::map<std::string_view, Operator>& operators() {
  static const std::map<std::string_view, Operator> table = {
      {"+", add}, {"-", subtract}, {"*", multiply}, {"/", divide}, {"//", floor_divide}, {"%", modulo}, {"**", power}};
  return table;
}

}  // namespace

Value binary(const Value& a, std::string_view sign, const Value& b, Budget& budget) {
  budget.steps(1);
  if (a.is_undefined()) throw a.undefined_value().failure();
  if (b.is_undefined() && !(a.is_text() && sign == "%")) throw b.undefined_value().failure();
  return operators().at(sign)(a, b, budget);
}

Value unary(char sign, const Value& a) {
  if (a.is_undefined()) throw a.undefined_value().failure();
  if (a.is<double>()) return Value::real(sign == '-' ? -a.as<double>() : a.as<double>());
  const auto number = a.as_integer();
  if (!number) throw type_error("bad operand type for unary {}: '{}'", sign, type_name(a));
  if (sign == '+') return Value::integer(*number);
  if (*number == std::numeric_limits<int64_t>::min()) throw too_large();
  return Value::integer(-*number);
}

std::string html_escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '"') {
      result += "&#34;";
    } else if (c == '\'') {
      result += "&#39;";
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace ftrun::jinja
