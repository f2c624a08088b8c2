// Text as Python sees it: code points and their properties.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/code_points.h"

namespace ftrun::jinja {

/// Number of code points: len() in Python.
size_t length(std::string_view utf8);

bool is_alphabetic(char32_t point);     ///< str.isalpha
bool is_decimal(char32_t point);        ///< str.isdecimal
bool is_other_numeral(char32_t point);  ///< superscripts, fractions, Roman numerals and the like
bool is_printable(char32_t point);      ///< str.isprintable
bool is_lower(char32_t point);          ///< str.islower
bool is_upper(char32_t point);          ///< str.isupper
bool is_title(char32_t point);          ///< title-case letters, as the one for "Dz"
bool is_cased(char32_t point);
/// May stand in a name of a template after its first character.
bool continues_name(char32_t point);

std::u32string upper(std::u32string_view points);
std::u32string lower(std::u32string_view points);
/// The first character's title case, as str.capitalize and str.title use it.
std::u32string title_of(char32_t point);

}  // namespace ftrun::jinja
