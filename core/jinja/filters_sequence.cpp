// Filters over whole sequences: order, ends, sums.
#include <algorithm>

#include "core/jinja/arguments.h"
#include "core/jinja/attributes.h"
#include "core/jinja/comparison.h"
#include "core/jinja/filters.h"
#include "core/jinja/operators.h"
#include "core/jinja/sequence.h"
#include "core/jinja/text_edit.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

Value without_case(const Value& value, bool case_sensitive) {
  return case_sensitive || !value.is_text() ? value : Value::text(to_utf8(lower(code_points(value.utf8()))));
}

Value length(const Value& input, const Arguments& arguments, Rendering&) {
  positional_only("len", arguments, 0, 0);
  return Value::integer(require_length(input));
}

Value list(const Value& input, const Arguments& arguments, Rendering& rendering) {
  positional_only("do_list", arguments, 0, 0);
  return Value::list(list_of(input, rendering.budget));
}

Value first(const Value& input, const Arguments& arguments, Rendering& rendering) {
  positional_only("do_first", arguments, 0, 0);
  if (auto item = iterate(input, rendering.budget)()) return std::move(*item);
  return Value::undefined("No first item, sequence was empty.");
}

Value last(const Value& input, const Arguments& arguments, Rendering&) {
  positional_only("do_last", arguments, 0, 0);
  const auto backwards = reversed(input);
  if (!backwards) throw type_error("'{}' object is not reversible", type_name(input));
  if (auto item = backwards->as<std::shared_ptr<Iterator>>()->next()) return std::move(*item);
  return Value::undefined("No last item, sequence was empty.");
}

Value reverse(const Value& input, const Arguments& arguments, Rendering& rendering) {
  positional_only("do_reverse", arguments, 0, 0);
  if (input.is_text()) {
    std::u32string points = code_points(input.utf8());
    std::ranges::reverse(points);
    return Value::text(to_utf8(points), input.is_markup());
  }
  if (auto backwards = reversed(input)) return std::move(*backwards);
  if (!is_iterable(input)) throw Failure("FilterArgumentError", "argument must be iterable");
  List items = list_of(input, rendering.budget);
  std::ranges::reverse(items);
  return Value::list(std::move(items));
}

// Item and key, sorted by key; equal keys keep their order, also when reversed.
using Keyed = std::pair<Value, Value>;

List sorted_items(std::vector<Keyed> keyed, bool backwards) {
  if (backwards) std::ranges::reverse(keyed);
  std::ranges::stable_sort(keyed, [](const Keyed& a, const Keyed& b) { return compares(a.second, "<", b.second); });
  if (backwards) std::ranges::reverse(keyed);
  List items;
  for (Keyed& item : keyed) items.push_back(std::move(item.first));
  return items;
}

Value sort(const Value& input, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("do_sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const bool case_sensitive = bound.truth(1, false);
  List paths;
  if (bound[2].is_text()) {
    for (std::string& path : split_at(bound[2].utf8(), ",", -1, false)) paths.push_back(Value::text(std::move(path)));
  } else {
    paths.push_back(bound[2]);
  }
  std::vector<Keyed> keyed;
  for (Value& item : list_of(input, rendering.budget)) {
    List keys;
    for (const Value& path : paths) keys.push_back(without_case(look_up_path(item, path, rendering), case_sensitive));
    keyed.emplace_back(std::move(item), Value::list(std::move(keys)));
  }
  rendering.budget.steps(keyed.size() * 20);
  return Value::list(sorted_items(std::move(keyed), bound.truth(0, false)));
}

Value dictsort(const Value& input, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("do_dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = bound.text(1, "key");
  if (by != "key" && by != "value")
    throw Failure("FilterArgumentError", "You can only sort by either \"key\" or \"value\"");
  if (input.is_undefined()) throw input.undefined_value().failure();
  if (!input.is_dict())
    throw Failure("AttributeError", fmt::format("'{}' object has no attribute 'items'", type_name(input)));
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : input.dict_value().entries)
    keyed.emplace_back(Value::tuple({key, value}), without_case(by == "key" ? key : value, bound.truth(0, false)));
  rendering.budget.steps(keyed.size() * 20);
  return Value::list(sorted_items(std::move(keyed), bound.truth(2, false)));
}

Value extreme(std::string_view name, std::string_view sign, const Value& input, const Arguments& arguments,
              Rendering& rendering) {
  const Bound bound(name, arguments, {"case_sensitive", "attribute"});
  const Cursor next = iterate(input, rendering.budget);
  std::optional<Keyed> best;
  while (auto item = next()) {
    Value key = without_case(look_up_path(*item, bound[1], rendering), bound.truth(0, false));
    if (!best || compares(key, sign, best->second)) best = {std::move(*item), std::move(key)};
  }
  return best ? best->first : Value::undefined("No aggregated item, sequence was empty.");
}

Value smallest(const Value& input, const Arguments& arguments, Rendering& rendering) {
  return extreme("do_min", "<", input, arguments, rendering);
}
Value largest(const Value& input, const Arguments& arguments, Rendering& rendering) {
  return extreme("do_max", ">", input, arguments, rendering);
}

Value sum(const Value& input, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("do_sum", arguments, {"attribute", "start"});
  Value total = bound.has(1) ? bound[1] : Value::integer(0);
  if (total.is_text()) throw type_error("sum() can't sum strings [use ''.join(seq) instead]");
  const Cursor next = iterate(input, rendering.budget);
  while (const auto item = next())
    total = binary(total, "+", look_up_path(*item, bound[0], rendering), rendering.budget);
  return total;
}

// Walks its input only when asked for an item.
Value unique(const Value& input, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("do_unique", arguments, {"case_sensitive", "attribute"});
  const bool case_sensitive = bound.truth(0, false);
  struct State {
    Cursor next;
    Dict seen;
  };
  auto state = std::make_shared<State>();
  return Value::iterator("generator", input, [=, path = bound[1], &rendering]() -> std::optional<Value> {
    if (!state->next) state->next = iterate(input, rendering.budget);
    while (auto item = state->next()) {
      const Value key = without_case(look_up_path(*item, path, rendering), case_sensitive);
      const size_t before = state->seen.entries.size();
      rendering.budget.steps(before);
      state->seen.set(key, Value());
      if (state->seen.entries.size() > before) return item;
    }
    return std::nullopt;
  });
}

Value items(const Value& input, const Arguments& arguments, Rendering&) {
  positional_only("do_items", arguments, 0, 0);
  return Value::iterator("generator", input, [input, at = size_t{0}]() mutable -> std::optional<Value> {
    if (input.is_undefined()) return std::nullopt;
    if (!input.is_dict()) throw type_error("Can only get item pairs from a mapping.");
    const auto& entries = input.dict_value().entries;
    if (at == entries.size()) return std::nullopt;
    const auto& [key, value] = entries[at++];
    return Value::tuple({key, value});
  });
}

}  // namespace

const FilterTable& sequence_filters() {
  static const FilterTable table = {
      {"length", length}, {"count", length},      {"list", list},    {"first", first}, {"last", last},
      {"sort", sort},     {"dictsort", dictsort}, {"min", smallest}, {"max", largest}, {"sum", sum},
      {"unique", unique}, {"reverse", reverse},   {"items", items},
  };
  return table;
}

}  // namespace ftrun::jinja
