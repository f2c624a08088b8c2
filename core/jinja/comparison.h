// ==, <, `in` and identity of values, as Python's.
#pragma once

#include "core/jinja/budget.h"
#include "core/jinja/value.h"

namespace ftrun::jinja {

bool equals(const Value& a, const Value& b);
/// `a < b`, or with another operator in `sign` ("<", "<=", ">", ">="). Throws TypeError for values without an order.
bool compares(const Value& a, std::string_view sign, const Value& b);
/// `item in container`. Walks iterators, which are used up by it.
bool contains(const Value& container, const Value& item, Budget& budget);
/// `a is b`, with every None, bool and small integer the same object; texts are the same when they share storage.
bool is_same(const Value& a, const Value& b);

}  // namespace ftrun::jinja
