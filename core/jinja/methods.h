// Methods of texts, dicts, lists, tuples and numbers: tables from name to function.
#pragma once

#include <map>
#include <string_view>

#include "core/jinja/rendering.h"
#include "core/jinja/value.h"

namespace ftrun::jinja {

using Method = Value (*)(const Value& self, const Arguments& arguments, Rendering& rendering);
using MethodTable = std::map<std::string_view, Method>;

const MethodTable& text_methods();
const MethodTable& text_predicates();
const MethodTable& dict_methods();
const MethodTable& list_methods();
const MethodTable& range_methods();

/// The method of this value, or nullptr.
Method find_method(const Value& self, std::string_view name);
/// What Python's type has and this table does not: refused instead of being undefined.
bool is_unsupported_attribute(const Value& self, std::string_view name);
/// Refused by the sandbox because it would change the value.
bool is_changing_method(const Value& self, std::string_view name);

}  // namespace ftrun::jinja
