// The global functions of chat templates: range, dict, namespace, raise_exception, strftime_now.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/jinja/value.h"

namespace ftrun::jinja {

const std::map<std::string, Value, std::less<>>& global_functions();
/// A global function of Jinja that is not here.
bool is_unsupported_global(std::string_view name);

}  // namespace ftrun::jinja
