// Methods of dicts, lists, tuples and ranges that do not change them.
#include "core/jinja/arguments.h"
#include "core/jinja/comparison.h"
#include "core/jinja/methods.h"
#include "core/jinja/python_text.h"

namespace ftrun::jinja {
namespace {

Value view(const Value& self, DictView::Kind kind) { return Value::view(kind, self); }

Value dict_items(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("dict.items", arguments, 0, 0);
  return view(self, DictView::Kind::kItems);
}

Value dict_keys(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("dict.keys", arguments, 0, 0);
  return view(self, DictView::Kind::kKeys);
}

Value dict_values(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("dict.values", arguments, 0, 0);
  return view(self, DictView::Kind::kValues);
}

Value dict_get(const Value& self, const Arguments& arguments, Rendering&) {
  const List& given = positional_only("get", arguments, 1, 2);
  if (given[0].is<ListValue>() || given[0].is_dict()) throw type_error("unhashable type: '{}'", type_name(given[0]));
  if (const Value* found = self.dict_value().find(given[0])) return *found;
  return given.size() == 2 ? given[1] : Value();
}

Value copy(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("copy", arguments, 0, 0);
  return self.is_dict() ? Value::dict(self.dict_value()) : Value::list(*self.items());
}

Value list_count(const Value& self, const Arguments& arguments, Rendering& rendering) {
  const Value& wanted = positional_only("count", arguments, 1, 1)[0];
  rendering.budget.steps(self.items()->size());
  int64_t count = 0;
  for (const Value& item : *self.items()) count += equals(item, wanted) ? 1 : 0;
  return Value::integer(count);
}

Value list_index(const Value& self, const Arguments& arguments, Rendering& rendering) {
  const List& given = positional_only("index", arguments, 1, 3);
  if (given.size() > 1) throw unsupported("index() of a {} with a start", type_name(self));
  rendering.budget.steps(self.items()->size());
  const List& items = *self.items();
  for (size_t i = 0; i < items.size(); ++i)
    if (equals(items[i], given[0])) return Value::integer(static_cast<int64_t>(i));
  if (self.is<TupleValue>()) throw value_error("tuple.index(x): x not in tuple");
  throw value_error("{} is not in list", represented(given[0]));
}

Value range_count(const Value& self, const Arguments& arguments, Rendering& rendering) {
  const Value& wanted = positional_only("count", arguments, 1, 1)[0];
  return Value::integer(contains(self, wanted, rendering.budget) ? 1 : 0);
}

Value range_index(const Value& self, const Arguments& arguments, Rendering& rendering) {
  const Value& wanted = positional_only("index", arguments, 1, 1)[0];
  if (!contains(self, wanted, rendering.budget)) {
    if (wanted.as_integer()) throw value_error("{} is not in range", *wanted.as_integer());
    throw value_error("sequence.index(x): x not in sequence");
  }
  const Range& range = self.as<Range>();
  return Value::integer((static_cast<int64_t>(wanted.as_real()) - range.start) / range.step);
}

}  // namespace

const MethodTable& dict_methods() {
  static const MethodTable table = {
      {"items", dict_items}, {"keys", dict_keys}, {"values", dict_values}, {"get", dict_get}, {"copy", copy}};
  return table;
}

const MethodTable& list_methods() {
  static const MethodTable table = {{"count", list_count}, {"index", list_index}, {"copy", copy}};
  return table;
}

const MethodTable& range_methods() {
  static const MethodTable table = {{"count", range_count}, {"index", range_index}};
  return table;
}

}  // namespace ftrun::jinja
