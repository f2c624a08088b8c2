// Filters that make texts.
#include <algorithm>

#include "core/jinja/arguments.h"
#include "core/jinja/attributes.h"
#include "core/jinja/filters.h"
#include "core/jinja/format_text.h"
#include "core/jinja/json_dumps.h"
#include "core/jinja/methods.h"
#include "core/jinja/operators.h"
#include "core/jinja/python_text.h"
#include "core/jinja/sequence.h"
#include "core/jinja/text_edit.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

Value as_text(std::string text, const Value& input, Rendering& rendering) {
  rendering.budget.text(text.size());
  return Value::text(std::move(text), input.is_markup());
}

Value trim(const Value& input, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("do_trim", arguments, {"chars"});
  const auto characters = bound[0].is_none() ? std::nullopt : std::optional(bound.text(0, ""));
  return as_text(stripped(printed(input), Side::kBoth, characters), input, rendering);
}

Value to_upper(const Value& input, const Arguments& arguments, Rendering& rendering) {
  positional_only("do_upper", arguments, 0, 0);
  return as_text(to_utf8(upper(code_points(printed(input)))), input, rendering);
}

Value to_lower(const Value& input, const Arguments& arguments, Rendering& rendering) {
  positional_only("do_lower", arguments, 0, 0);
  return as_text(to_utf8(lower(code_points(printed(input)))), input, rendering);
}

Value capitalize(const Value& input, const Arguments& arguments, Rendering& rendering) {
  positional_only("do_capitalize", arguments, 0, 0);
  return as_text(capitalized(printed(input)), input, rendering);
}

// Words begin after white space and - ( { [ <, unlike those of str.title.
Value title(const Value& input, const Arguments& arguments, Rendering& rendering) {
  positional_only("do_title", arguments, 0, 0);
  const std::u32string points = code_points(printed(input));
  const auto separates = [](char32_t c) {
    return is_space(c) || std::u32string_view(U"-({[<").find(c) != std::u32string_view::npos;
  };
  std::u32string text;
  for (size_t at = 0; at < points.size();) {
    size_t end = at;
    while (end < points.size() && separates(points[end]) == separates(points[at])) ++end;
    text += upper(std::u32string_view(points).substr(at, 1)) +
            lower(std::u32string_view(points).substr(at + 1, end - at - 1));
    at = end;
  }
  return as_text(to_utf8(text), input, rendering);
}

Value replace(const Value& input, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("do_replace", arguments, {"old", "new", "count"}, 2);
  const int64_t count = bound[2].is_none() ? -1 : bound.integer(2, -1);
  std::string text = replaced(printed(input), printed(bound[0]), printed(bound[1]), count);
  rendering.budget.text(text.size());
  return Value::text(std::move(text));
}

Value join(const Value& input, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("do_join", arguments, {"d", "attribute"});
  const std::string separator = bound.has(0) ? printed(bound[0]) : "";
  std::string text;
  bool is_first = true;
  const Cursor next = iterate(input, rendering.budget);
  while (const auto item = next()) {
    if (!is_first) text += separator;
    is_first = false;
    text += printed(look_up_path(*item, bound[1], rendering));
    check_text_size(text.size());
  }
  rendering.budget.text(text.size());
  return Value::text(std::move(text));
}

Value string(const Value& input, const Arguments& arguments, Rendering&) {
  positional_only("soft_str", arguments, 0, 0);
  return input.is_text() ? input : Value::text(printed(input));
}

Value safe(const Value& input, const Arguments& arguments, Rendering&) {
  positional_only("do_mark_safe", arguments, 0, 0);
  return Value::text(printed(input), true);
}

Value format(const Value& input, const Arguments& arguments, Rendering& rendering) {
  if (!arguments.positional.empty() && !arguments.keywords.empty())
    throw Failure("FilterArgumentError", "can't handle positional and keyword arguments at the same time");
  if (arguments.keywords.empty())
    return as_text(percent_format(printed(input), Value::tuple(arguments.positional), rendering.budget), input,
                   rendering);
  Dict values;
  for (const auto& [name, value] : arguments.keywords) values.set(Value::text(name), value);
  return as_text(percent_format(printed(input), Value::dict(std::move(values)), rendering.budget), input, rendering);
}

Value center(const Value& input, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("do_center", arguments, {"width"});
  const Value width = bound.has(0) ? bound[0] : Value::integer(80);
  return text_methods().at("center")(Value::text(printed(input)), Arguments{{width}, {}}, rendering);
}

Value indent(const Value& input, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("do_indent", arguments, {"width", "first", "blank"});
  if (input.is_undefined()) throw input.undefined_value().failure();
  if (input.items() != nullptr && !input.is<ListValue>())
    throw type_error("can only concatenate tuple (not \"str\") to tuple");
  if (!input.is_text()) throw type_error("unsupported operand type(s) for +=: '{}' and 'str'", type_name(input));
  const Value width = bound.has(0) ? bound[0] : Value::integer(4);
  const std::string prefix =
      width.is_text() ? width.utf8() : binary(Value::text(" "), "*", width, rendering.budget).utf8();
  const bool blank = bound.truth(2, false);
  std::string text;
  bool is_first = true;
  for (const std::string& line : split_lines(input.utf8() + "\n", false)) {
    if (!is_first) text += "\n";
    if (is_first ? bound.truth(1, false) : blank || !line.empty()) text += prefix;
    text += line;
    is_first = false;
    check_text_size(text.size());
  }
  return as_text(std::move(text), input, rendering);
}

std::optional<std::string> indent_of(const Value& value, Rendering& rendering) {
  if (value.is_none()) return std::nullopt;
  if (value.is_text()) return value.utf8();
  const auto width = value.as_integer();
  if (!width) throw type_error("can't multiply sequence by non-int of type '{}'", type_name(value));
  return binary(Value::text(" "), "*", value, rendering.budget).utf8();
}

Value tojson(const Value& input, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = bound.truth(0, false);
  style.indent = indent_of(bound[1], rendering);
  style.sort_keys = bound.truth(3, false);
  if (style.indent) style.item_separator = std::string(",");
  if (!bound[2].is_none()) {
    const List separators = unpack(bound[2], 2, rendering.budget);
    if (!separators[0].is_text() || !separators[1].is_text()) throw type_error("separators must be texts");
    style.item_separator = separators[0].utf8();
    style.key_separator = separators[1].utf8();
  }
  return Value::text(json_dumps(input, style, rendering.budget));
}

}  // namespace

const FilterTable& text_filters() {
  static const FilterTable table = {
      {"trim", trim},     {"upper", to_upper},  {"lower", to_lower}, {"capitalize", capitalize},
      {"title", title},   {"replace", replace}, {"join", join},      {"string", string},
      {"safe", safe},     {"format", format},   {"center", center},  {"indent", indent},
      {"tojson", tojson},
  };
  return table;
}

}  // namespace ftrun::jinja
