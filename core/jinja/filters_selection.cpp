// map, select, reject and their kin: generators, as in Jinja, so that they can be walked once and have no length.
#include "core/jinja/arguments.h"
#include "core/jinja/attributes.h"
#include "core/jinja/filters.h"
#include "core/jinja/python_text.h"
#include "core/jinja/sequence.h"
#include "core/jinja/tests_table.h"

namespace ftrun::jinja {
namespace {

std::string name_of(const Value& value) {
  if (!value.is_text()) throw unsupported("a filter or test name that is a {}", type_name(value));
  return value.utf8();
}

using Change = std::function<Value(const Value&)>;

Change attribute_change(const Arguments& arguments, Rendering& rendering) {
  Value path, instead;
  for (const auto& [name, value] : arguments.keywords) {
    if (name != "attribute" && name != "default")
      throw Failure("FilterArgumentError", fmt::format("Unexpected keyword argument '{}'", name));
    (name == "attribute" ? path : instead) = value;
  }
  return [path, instead, &rendering](const Value& item) {
    Value found = item;
    if (path.is_none()) return found;
    const auto part_or_default = [&](const Value& part) {
      found = look_up_path(found, part, rendering);
      if (!instead.is_none() && found.is_undefined()) found = instead;
    };
    if (!path.is_text()) {
      part_or_default(path);
      return found;
    }
    const std::string& text = path.utf8();
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('.', begin), text.size());
      part_or_default(Value::text(text.substr(begin, end - begin)));
      begin = end + 1;
    }
    return found;
  };
}

Change filter_change(const Arguments& arguments, Rendering& rendering) {
  if (arguments.positional.empty()) throw Failure("FilterArgumentError", "map requires a filter argument");
  const std::string name = name_of(arguments.positional[0]);
  const Filter filter = find_filter(name);
  if (filter == nullptr && is_unsupported_filter(name)) throw unsupported("the filter '{}'", name);
  if (filter == nullptr) throw Failure("TemplateRuntimeError", fmt::format("No filter named '{}'.", name));
  const Arguments rest{{arguments.positional.begin() + 1, arguments.positional.end()}, arguments.keywords};
  return [filter, rest, &rendering](const Value& item) { return filter(item, rest, rendering); };
}

bool has_keyword(const Arguments& arguments, std::string_view wanted) {
  for (const auto& [name, value] : arguments.keywords)
    if (name == wanted) return true;
  return false;
}

// What a generator keeps until it is walked.
Value kept_values(const Value& input, const Arguments& arguments) {
  List kept = arguments.positional;
  kept.push_back(input);
  for (const auto& [name, value] : arguments.keywords) kept.push_back(value);
  return Value::tuple(std::move(kept));
}

// Everything happens when the first item is asked for.
Value map(const Value& input, const Arguments& arguments, Rendering& rendering) {
  struct State {
    Change change;
    Cursor next;
  };
  auto state = std::make_shared<State>();
  const Value source = kept_values(input, arguments);
  return Value::iterator("generator", source, [state, input, arguments, &rendering]() -> std::optional<Value> {
    if (!state->next) {
      if (!is_true(input)) return std::nullopt;
      const bool by_attribute = arguments.positional.empty() && has_keyword(arguments, "attribute");
      state->change = by_attribute ? attribute_change(arguments, rendering) : filter_change(arguments, rendering);
      state->next = iterate(input, rendering.budget);
    }
    auto item = state->next();
    if (item) item = state->change(*item);
    return item;
  });
}

using Condition = std::function<bool(const Value&)>;

Condition condition_of(const Arguments& arguments, bool by_attribute, Rendering& rendering) {
  const List& given = arguments.positional;
  const size_t offset = by_attribute ? 1 : 0;
  if (by_attribute && given.empty()) throw Failure("FilterArgumentError", "Missing parameter for attribute name");
  const Value path = by_attribute ? given[0] : Value();
  if (given.size() <= offset)
    return [path, &rendering](const Value& item) { return is_true(look_up_path(item, path, rendering)); };
  const std::string name = name_of(given[offset]);
  const Test test = find_test(name);
  if (test == nullptr) throw Failure("TemplateRuntimeError", fmt::format("No test named '{}'.", name));
  const Arguments rest{{given.begin() + static_cast<int64_t>(offset) + 1, given.end()}, arguments.keywords};
  return [path, test, rest, &rendering](const Value& item) {
    return test(look_up_path(item, path, rendering), rest, rendering);
  };
}

Value selection(const Value& input, const Arguments& arguments, Rendering& rendering, bool by_attribute, bool wanted) {
  struct State {
    Condition condition;
    Cursor next;
  };
  auto state = std::make_shared<State>();
  const Value source = kept_values(input, arguments);
  return Value::iterator("generator", source, [=, &rendering]() -> std::optional<Value> {
    if (!state->next) {
      if (!is_true(input)) return std::nullopt;
      state->condition = condition_of(arguments, by_attribute, rendering);
      state->next = iterate(input, rendering.budget);
    }
    while (auto item = state->next())
      if (state->condition(*item) == wanted) return item;
    return std::nullopt;
  });
}

Value select(const Value& input, const Arguments& arguments, Rendering& rendering) {
  return selection(input, arguments, rendering, false, true);
}
Value reject(const Value& input, const Arguments& arguments, Rendering& rendering) {
  return selection(input, arguments, rendering, false, false);
}
Value selectattr(const Value& input, const Arguments& arguments, Rendering& rendering) {
  return selection(input, arguments, rendering, true, true);
}
Value rejectattr(const Value& input, const Arguments& arguments, Rendering& rendering) {
  return selection(input, arguments, rendering, true, false);
}

}  // namespace

const FilterTable& selection_filters() {
  static const FilterTable table = {
      {"map", map}, {"select", select}, {"reject", reject}, {"selectattr", selectattr}, {"rejectattr", rejectattr}};
  return table;
}

}  // namespace ftrun::jinja
