// Python's two ways to put values into a text: "%s" % value and "{}".format(value).
#pragma once

#include <string>
#include <string_view>

#include "core/jinja/budget.h"
#include "core/jinja/value.h"

namespace ftrun::jinja {

/// `format % values`; a tuple gives several values, a dict named ones.
std::string percent_format(std::string_view format, const Value& values, Budget& budget);
/// format.format(...).
std::string brace_format(std::string_view format, const Arguments& arguments, Rendering& rendering);
/// format(value, spec): [[fill]align][sign][#][0][width][,][.precision][type].
std::string format_value(const Value& value, std::string_view spec, Budget& budget);

}  // namespace ftrun::jinja
