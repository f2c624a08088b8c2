// The filters of `value | filter(arguments)`: a table from name to function.
#pragma once

#include <functional>
#include <map>
#include <string_view>

#include "core/jinja/rendering.h"
#include "core/jinja/value.h"

namespace ftrun::jinja {

using Filter = Value (*)(const Value& input, const Arguments& arguments, Rendering& rendering);
using FilterTable = std::map<std::string_view, Filter>;

const FilterTable& text_filters();
const FilterTable& sequence_filters();
const FilterTable& selection_filters();
const FilterTable& value_filters();

/// nullptr for a name that is no filter, or none of ours.
Filter find_filter(std::string_view name);
/// A filter of Jinja that is not here.
bool is_unsupported_filter(std::string_view name);
/// All filters' names, sorted, for error messages.
std::vector<std::string> filter_names();

}  // namespace ftrun::jinja
