// str() and repr() of values, as Python prints them.
#pragma once

#include <string>
#include <string_view>

#include "core/jinja/value.h"

namespace ftrun::jinja {

/// str(value). Throws UNIMPLEMENTED for what Python prints with an address (functions, generators).
std::string printed(const Value& value);
/// repr(value). Same refusals.
std::string represented(const Value& value);
/// repr of a text: quoted, with escapes.
std::string python_quoted(std::string_view utf8);
/// repr of a float: the shortest digits that read back as the same number.
std::string float_text(double value);

}  // namespace ftrun::jinja
