// UTF-8 to code points and back, and white space as Python's str.isspace has it.
#pragma once

#include <string>
#include <string_view>

namespace ftrun {

/// Well-formed UTF-8: no overlong forms, surrogates or code points above U+10FFFF.
bool is_utf8(std::string_view text);
/// Bytes that are no UTF-8 become one code point each.
std::u32string code_points(std::string_view utf8);
std::string to_utf8(std::u32string_view points);
std::string to_utf8(char32_t point);
/// Also \s in Python's regular expressions.
bool is_space(char32_t point);

}  // namespace ftrun
