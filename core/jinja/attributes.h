// object.name and object[key], as Jinja's sandbox resolves them.
#pragma once

#include <string>

#include "core/jinja/value.h"

namespace ftrun::jinja {

struct Rendering;

/// A method or property first, then the item of that name; else undefined. Methods that change a list or dict, and
/// names beginning with "_", are undefined values that raise SecurityError when used.
Value attribute_of(const Value& object, const std::string& name, Rendering& rendering);
/// The item first, then a method of that name; else undefined.
Value item_of(const Value& object, const Value& key, Rendering& rendering);
/// callee(...). Throws TypeError for what cannot be called.
Value call(const Value& callee, const Arguments& arguments, Rendering& rendering);

/// The filters' path "a.b.0": attributes and items by turns. None gives the object itself.
Value look_up_path(const Value& object, const Value& path, Rendering& rendering);

}  // namespace ftrun::jinja
