// Text is walked and indexed by code points.
#include "core/jinja/sequence.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

Cursor over_text(const std::string& utf8) {
  return [points = code_points(utf8), at = size_t{0}]() mutable -> std::optional<Value> {
    if (at == points.size()) return std::nullopt;
    return Value::text(to_utf8(points[at++]));
  };
}

Cursor over_items(std::shared_ptr<const List> items) {
  return [items = std::move(items), at = size_t{0}]() mutable -> std::optional<Value> {
    if (at == items->size()) return std::nullopt;
    return (*items)[at++];
  };
}

Cursor over_view(DictView view) {
  return [view = std::move(view), at = size_t{0}]() mutable -> std::optional<Value> {
    if (at == view.dict->entries.size()) return std::nullopt;
    const auto& [key, value] = view.dict->entries[at++];
    if (view.kind == DictView::Kind::kKeys) return key;
    return view.kind == DictView::Kind::kValues ? value : Value::tuple({key, value});
  };
}

Cursor over_range(const Range& range) {
  return [range, at = int64_t{0}]() mutable -> std::optional<Value> {
    if (at == range.size()) return std::nullopt;
    return Value::integer(range.at(at++));
  };
}

Cursor uncounted(const Value& value) {
  if (value.is_text()) return over_text(value.utf8());
  if (value.is<ListValue>()) return over_items(value.as<ListValue>().items);
  if (value.is<TupleValue>()) return over_items(value.as<TupleValue>().items);
  if (value.is_dict()) return over_view({DictView::Kind::kKeys, value.as<std::shared_ptr<const Dict>>()});
  if (value.is<DictView>()) return over_view(value.as<DictView>());
  if (value.is<Range>()) return over_range(value.as<Range>());
  if (value.is<std::shared_ptr<Iterator>>())
    return [iterator = value.as<std::shared_ptr<Iterator>>()] { return iterator->next(); };
  if (value.is_undefined()) return [] { return std::optional<Value>(); };
  if (value.is<std::shared_ptr<Loop>>()) throw unsupported("iterating over the loop variable");
  throw type_error("'{}' object is not iterable", type_name(value));
}

// slice.indices(size) of Python.
struct Bounds {
  int64_t start, stop, step;
};

int64_t slice_index(const Value& value) {
  const auto index = value.as_integer();
  if (!index) throw type_error("slice indices must be integers or None or have an __index__ method");
  return *index;
}

int64_t clamped(const Value& value, int64_t absent, int64_t lowest, int64_t highest, int64_t size) {
  if (value.is_none()) return absent;
  int64_t index = slice_index(value);
  if (index < 0) index += size;
  return std::clamp(index, lowest, highest);
}

Bounds bounds_of(const Value& start, const Value& stop, const Value& step, int64_t size) {
  Bounds bounds{0, 0, step.is_none() ? 1 : slice_index(step)};
  if (bounds.step == 0) throw value_error("slice step cannot be zero");
  bounds.step = std::max(bounds.step, -std::numeric_limits<int64_t>::max());
  const bool forward = bounds.step > 0;
  const int64_t lowest = forward ? 0 : -1;
  const int64_t highest = forward ? size : size - 1;
  bounds.start = clamped(start, forward ? lowest : highest, lowest, highest, size);
  bounds.stop = clamped(stop, forward ? highest : lowest, lowest, highest, size);
  return bounds;
}

template <typename Items>
Items picked(const Items& items, const Bounds& bounds) {
  const Range range{bounds.start, bounds.stop, bounds.step};
  Items result;
  const int64_t size = range.size();
  result.reserve(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) result.push_back(items[static_cast<size_t>(range.at(i))]);
  return result;
}

}  // namespace

bool is_iterable(const Value& value) {
  return value.is_text() || value.items() != nullptr || value.is_dict() || value.is<DictView>() || value.is<Range>() ||
         value.is<std::shared_ptr<Iterator>>() || value.is_undefined() || value.is<std::shared_ptr<Loop>>();
}

Cursor iterate(const Value& value, Budget& budget) {
  return [next = uncounted(value), &budget] {
    budget.steps(1);
    return next();
  };
}

List list_of(const Value& value, Budget& budget) {
  List items;
  const Cursor next = iterate(value, budget);
  while (auto item = next()) items.push_back(std::move(*item));
  return items;
}

std::optional<int64_t> length_of(const Value& value) {
  if (value.is_text()) return static_cast<int64_t>(length(value.utf8()));
  if (value.items() != nullptr) return static_cast<int64_t>(value.items()->size());
  if (value.is_dict()) return static_cast<int64_t>(value.dict_value().entries.size());
  if (value.is<DictView>()) return static_cast<int64_t>(value.as<DictView>().dict->entries.size());
  if (value.is<Range>()) return value.as<Range>().size();
  if (value.is_undefined()) return 0;
  return std::nullopt;
}

int64_t require_length(const Value& value) {
  if (const auto size = length_of(value)) return *size;
  throw type_error("object of type '{}' has no len()", type_name(value));
}

std::optional<Value> reversed(const Value& value) {
  std::shared_ptr<List> items = std::make_shared<List>();
  std::string name = "reversed";
  Budget free_budget;
  if (value.is<ListValue>()) name = "list_reverseiterator";
  if (value.is<Range>()) name = "range_iterator";
  if (value.is_dict()) name = "dict_reversekeyiterator";
  if (value.is<DictView>()) name = "dict_reverseitemiterator";
  if (value.items() == nullptr && !value.is_text() && !value.is_undefined() && name == "reversed") return std::nullopt;
  *items = list_of(value, free_budget);
  return Value::iterator(name, value, [items]() -> std::optional<Value> {
    if (items->empty()) return std::nullopt;
    Value last = std::move(items->back());
    items->pop_back();
    return last;
  });
}

std::optional<Value> item_at(const Value& value, int64_t index) {
  const int64_t size = require_length(value);
  if (index < 0) index += size;
  if (index < 0 || index >= size) return std::nullopt;
  if (value.items() != nullptr) return (*value.items())[static_cast<size_t>(index)];
  if (value.is<Range>()) return Value::integer(value.as<Range>().at(index));
  return Value::text(to_utf8(code_points(value.utf8())[static_cast<size_t>(index)]), value.is_markup());
}

Value slice_of(const Value& value, const Value& start, const Value& stop, const Value& step, Budget& budget) {
  if (value.is_undefined()) throw value.undefined_value().failure();
  if (value.is_dict()) throw type_error("unhashable type: 'slice'");
  if (!value.is_text() && value.items() == nullptr && !value.is<Range>())
    throw type_error("'{}' object is not subscriptable", type_name(value));
  const int64_t size = require_length(value);
  const Bounds bounds = bounds_of(start, stop, step, size);
  budget.steps(static_cast<uint64_t>(size));
  if (value.is<Range>()) {
    const Range range = value.as<Range>();
    return Value::Payload(Range{range.at(bounds.start), range.at(bounds.stop), range.step * bounds.step});
  }
  if (value.is<ListValue>()) return Value::list(picked(*value.items(), bounds));
  if (value.is<TupleValue>()) return Value::tuple(picked(*value.items(), bounds));
  budget.text(value.utf8().size());
  return Value::text(to_utf8(picked(code_points(value.utf8()), bounds)), value.is_markup());
}

List unpack(const Value& value, size_t count, Budget& budget) {
  if (!is_iterable(value)) throw type_error("cannot unpack non-iterable {} object", type_name(value));
  List items;
  const Cursor next = iterate(value, budget);
  while (auto item = next()) {
    if (items.size() == count) throw value_error("too many values to unpack (expected {})", count);
    items.push_back(std::move(*item));
  }
  if (items.size() < count) throw value_error("not enough values to unpack (expected {}, got {})", count, items.size());
  return items;
}

}  // namespace ftrun::jinja
