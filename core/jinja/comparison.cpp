// Numbers compare across int, bool and float; lists and tuples item by item.
#include "core/jinja/comparison.h"

#include <algorithm>
#include <cmath>

#include "core/jinja/sequence.h"

namespace ftrun::jinja {
namespace {

// Exact for every int64 and double.
using Number = long double;

Number number_of(const Value& value) {
  return value.is<double>() ? static_cast<Number>(value.as<double>()) : static_cast<Number>(*value.as_integer());
}

bool same_type(const Value& a, const Value& b) { return a.payload().index() == b.payload().index(); }

bool equal_lists(const List& a, const List& b) { return std::ranges::equal(a, b, equals); }

bool equal_dicts(const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  return std::ranges::all_of(a.entries, [&](const auto& entry) {
    const Value* found = b.find(entry.first);
    return found != nullptr && equals(entry.second, *found);
  });
}

template <typename T>
bool ordered(const T& a, std::string_view sign, const T& b) {
  if (sign == "<") return a < b;
  if (sign == "<=") return a <= b;
  return sign == ">" ? a > b : a >= b;
}

bool ordered_lists(const List& a, std::string_view sign, const List& b) {
  const auto [x, y] = std::ranges::mismatch(a, b, equals);
  if (x == a.end() || y == b.end()) return ordered(a.size(), sign, b.size());
  return compares(*x, sign, *y);
}

[[noreturn]] void refuse_order(const Value& a, std::string_view sign, const Value& b) {
  for (const Value* value : {&a, &b})
    if (value->is_undefined()) throw value->undefined_value().failure();
  throw type_error("'{}' not supported between instances of '{}' and '{}'", sign, type_name(a), type_name(b));
}

bool text_contains(const Value& container, const Value& item) {
  if (!item.is_text()) throw type_error("'in <string>' requires string as left operand, not {}", type_name(item));
  return container.utf8().find(item.utf8()) != std::string::npos;
}

bool view_contains(const DictView& view, const Value& item) {
  if (view.kind == DictView::Kind::kKeys) return view.dict->find(item) != nullptr;
  if (view.kind == DictView::Kind::kValues)
    return std::ranges::any_of(view.dict->entries, [&](const auto& entry) { return equals(entry.second, item); });
  const List* pair = item.items();
  if (!item.is<TupleValue>() || pair->size() != 2) return false;
  const Value* found = view.dict->find(pair->front());
  return found != nullptr && equals(*found, pair->back());
}

}  // namespace

bool equals(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return number_of(a) == number_of(b);
  if (!same_type(a, b)) return false;
  if (a.is_text()) return a.utf8() == b.utf8();
  if (a.items() != nullptr) return a.items() == b.items() || equal_lists(*a.items(), *b.items());
  if (a.is_dict()) return equal_dicts(a.dict_value(), b.dict_value());
  if (a.is<Range>()) {
    const Range x = a.as<Range>(), y = b.as<Range>();
    if (x.size() != y.size() || x.size() == 0) return x.size() == y.size();
    return x.start == y.start && (x.size() == 1 || x.step == y.step);
  }
  return a.is_none() || a.is_undefined() || is_same(a, b);
}

bool compares(const Value& a, std::string_view sign, const Value& b) {
  if (a.is_number() && b.is_number()) return ordered(number_of(a), sign, number_of(b));
  if (a.is_text() && b.is_text()) return ordered(a.utf8(), sign, b.utf8());  // UTF-8 sorts as code points do
  if (same_type(a, b) && a.items() != nullptr) return ordered_lists(*a.items(), sign, *b.items());
  refuse_order(a, sign, b);
}

bool contains(const Value& container, const Value& item, Budget& budget) {
  if (container.is_text()) return text_contains(container, item);
  if (container.is_dict()) {
    if (item.is<ListValue>() || item.is_dict()) throw type_error("unhashable type: '{}'", type_name(item));
    return container.dict_value().find(item) != nullptr;
  }
  if (container.is<DictView>()) return view_contains(container.as<DictView>(), item);
  if (!is_iterable(container)) throw type_error("argument of type '{}' is not iterable", type_name(container));
  const auto next = iterate(container, budget);
  while (const auto candidate = next())
    if (is_same(*candidate, item) || equals(*candidate, item)) return true;
  return false;
}

bool is_same(const Value& a, const Value& b) {
  if (!same_type(a, b)) return false;
  if (a.is_text()) return a.as<Text>().utf8 == b.as<Text>().utf8 || (a.utf8() == b.utf8() && a.utf8().size() <= 1);
  if (a.items() != nullptr)
    return a.items() == b.items() || (a.is<TupleValue>() && a.items()->empty() && b.items()->empty());
  if (a.is<int64_t>()) return a.as<int64_t>() == b.as<int64_t>() && a.as<int64_t>() >= -5 && a.as<int64_t>() <= 256;
  if (a.is<bool>()) return a.as<bool>() == b.as<bool>();
  if (a.is_dict()) return &a.dict_value() == &b.dict_value();
  if (a.is<Namespace*>()) return a.as<Namespace*>() == b.as<Namespace*>();
  if (a.is<std::shared_ptr<Iterator>>()) return a.as<std::shared_ptr<Iterator>>() == b.as<std::shared_ptr<Iterator>>();
  if (a.is<std::shared_ptr<const Callable>>())
    return a.as<std::shared_ptr<const Callable>>() == b.as<std::shared_ptr<const Callable>>();
  if (a.is<std::shared_ptr<Loop>>()) return a.as<std::shared_ptr<Loop>>() == b.as<std::shared_ptr<Loop>>();
  if (a.is_undefined()) return &a.undefined_value() == &b.undefined_value();
  return a.is_none();
}

}  // namespace ftrun::jinja
