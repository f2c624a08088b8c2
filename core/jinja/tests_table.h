// The tests of `value is test(arguments)`: a table from name to function.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/jinja/rendering.h"
#include "core/jinja/value.h"

namespace ftrun::jinja {

using Test = bool (*)(const Value& value, const Arguments& arguments, Rendering& rendering);

/// nullptr for a name that is no test.
Test find_test(std::string_view name);
/// All tests' names, sorted, for error messages.
std::vector<std::string> test_names();

}  // namespace ftrun::jinja
