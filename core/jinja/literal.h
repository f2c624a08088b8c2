// Values of the literals in a template: strings with escapes, integers, floats.
#pragma once

#include <string>
#include <string_view>

#include "core/jinja/value.h"

namespace ftrun::jinja {

/// What stands between the quotes, with Python's escapes replaced. Throws for \N{...} and surrogates.
std::string unescaped(std::string_view between_quotes, int line);

/// A number at the beginning of `text`: its value and how many characters it takes; 0 when there is none.
/// `after_dot`: what precedes is a ".", so that a float cannot begin here.
struct NumberLiteral {
  Value value;
  size_t size = 0;
  bool is_float = false;
};
NumberLiteral number_at_front(std::string_view text, bool after_dot, int line);

}  // namespace ftrun::jinja
