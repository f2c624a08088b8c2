// Python's getattr comes first for `.`, its subscript first for `[]`.
#include "core/jinja/attributes.h"

#include <map>

#include "core/jinja/arguments.h"
#include "core/jinja/comparison.h"
#include "core/jinja/loop.h"
#include "core/jinja/methods.h"
#include "core/jinja/python_text.h"
#include "core/jinja/sequence.h"

namespace ftrun::jinja {
namespace {

using LoopProperty = Value (*)(Loop&);

const std::map<std::string_view, LoopProperty>& loop_properties() {
  static const std::map<std::string_view, LoopProperty> table = {
      {"index", [](Loop& loop) { return Value::integer(loop.index0() + 1); }},
      {"index0", [](Loop& loop) { return Value::integer(loop.index0()); }},
      {"revindex", [](Loop& loop) { return Value::integer(loop.length() - loop.index0()); }},
      {"revindex0", [](Loop& loop) { return Value::integer(loop.length() - loop.index0() - 1); }},
      {"first", [](Loop& loop) { return Value::boolean(loop.index0() == 0); }},
      {"last", [](Loop& loop) { return Value::boolean(loop.is_last()); }},
      {"length", [](Loop& loop) { return Value::integer(loop.length()); }},
      {"previtem", [](Loop& loop) { return loop.previous_item(); }},
      {"nextitem", [](Loop& loop) { return loop.next_item(); }},
      {"depth", [](Loop&) { return Value::integer(1); }},
      {"depth0", [](Loop&) { return Value::integer(0); }},
  };
  return table;
}

std::optional<Value> loop_attribute(const Value& object, const std::string& name) {
  const auto loop = object.as<std::shared_ptr<Loop>>();
  if (const auto property = loop_properties().find(name); property != loop_properties().end())
    return property->second(*loop);
  if (name == "changed") {
    return Value::method("changed", object, [loop](Rendering&, const Arguments& arguments) {
      return Value::boolean(loop->changed(positional_only("changed", arguments, 0, SIZE_MAX)));
    });
  }
  if (name == "cycle") {
    return Value::method("cycle", object, [loop](Rendering&, const Arguments& arguments) {
      const List& items = positional_only("cycle", arguments, 0, SIZE_MAX);
      if (items.empty()) throw type_error("no items for cycling given");
      return items[static_cast<size_t>(loop->index0()) % items.size()];
    });
  }
  return std::nullopt;
}

Value unsafe(const Value& object, const std::string& name) {
  const std::string type = type_name(object);
  return Value::undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, type), true);
}

// getattr() of the Python object: nothing where Python raises AttributeError.
std::optional<Value> python_attribute(const Value& object, const std::string& name) {
  if (object.is_undefined()) throw object.undefined_value().failure();
  if (object.is<std::shared_ptr<Loop>>()) return loop_attribute(object, name);
  if (object.is<Namespace*>()) {
    const Value* found = object.as<Namespace*>()->attributes.find(name);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  if (name.starts_with("__") && name.ends_with("__")) return unsafe(object, name);
  if (is_changing_method(object, name)) return unsafe(object, name);
  if (const Method method = find_method(object, name)) {
    return Value::method(name, object, [object, method](Rendering& rendering, const Arguments& arguments) {
      return method(object, arguments, rendering);
    });
  }
  if (is_unsupported_attribute(object, name)) throw unsupported("'{}' of a {}", name, type_name(object));
  return std::nullopt;
}

// object[key] of Python: nothing where it raises TypeError or LookupError.
std::optional<Value> python_item(const Value& object, const Value& key) {
  if (object.is_undefined()) throw object.undefined_value().failure();
  if (object.is_dict()) {
    if (key.is<ListValue>() || key.is_dict()) return std::nullopt;
    const Value* found = object.dict_value().find(key);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  const bool is_indexed = object.is_text() || object.items() != nullptr || object.is<Range>();
  if (is_indexed && key.as_integer()) return item_at(object, *key.as_integer());
  return std::nullopt;
}

Value missing(const Value& object, const Value& key) {
  if (key.is_text())
    return Value::undefined(fmt::format("'{}' has no attribute {}", object_name(object), python_quoted(key.utf8())));
  return Value::undefined(fmt::format("{} has no element {}", object_name(object), represented(key)));
}

}  // namespace

Value attribute_of(const Value& object, const std::string& name, Rendering& rendering) {
  rendering.budget.steps(1);
  if (auto found = python_attribute(object, name)) return std::move(*found);
  if (auto found = python_item(object, Value::text(name))) return std::move(*found);
  return missing(object, Value::text(name));
}

Value item_of(const Value& object, const Value& key, Rendering& rendering) {
  rendering.budget.steps(1);
  if (auto found = python_item(object, key)) return std::move(*found);
  if (key.is_text())
    if (auto found = python_attribute(object, key.utf8())) return std::move(*found);
  return missing(object, key);
}

Value call(const Value& callee, const Arguments& arguments, Rendering& rendering) {
  rendering.budget.steps(1);
  if (callee.is_undefined()) throw callee.undefined_value().failure();
  if (callee.is<std::shared_ptr<Loop>>())
    throw type_error("The loop must have the 'recursive' marker to be called recursively.");
  if (!callee.is<std::shared_ptr<const Callable>>()) throw type_error("'{}' object is not callable", type_name(callee));
  return callee.as<std::shared_ptr<const Callable>>()->call(rendering, arguments);
}

Value look_up_path(const Value& object, const Value& path, Rendering& rendering) {
  if (path.is_none()) return object;
  if (!path.is_text()) return item_of(object, path, rendering);
  Value value = object;
  const std::string& text = path.utf8();
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('.', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const bool is_number = !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == part.npos;
    value = item_of(value, is_number ? Value::integer(std::stoll(part)) : Value::text(part), rendering);
    begin = end + 1;
  }
  return value;
}

}  // namespace ftrun::jinja
