// Arithmetic of values, as Python's.
#pragma once

#include <string_view>

#include "core/jinja/budget.h"
#include "core/jinja/value.h"

namespace ftrun::jinja {

/// `a SIGN b` for + - * / // % and **. Throws TypeError, ZeroDivisionError; integers beyond 64 bits are refused.
Value binary(const Value& a, std::string_view sign, const Value& b, Budget& budget);
/// +a or -a.
Value unary(char sign, const Value& a);
/// HTML-escaped, as markup joins what is not.
std::string html_escaped(std::string_view text);

}  // namespace ftrun::jinja
