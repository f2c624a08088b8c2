// Walking, counting, indexing and slicing of values.
#pragma once

#include <functional>
#include <optional>

#include "core/jinja/budget.h"
#include "core/jinja/value.h"

namespace ftrun::jinja {

using Cursor = std::function<std::optional<Value>()>;

bool is_iterable(const Value& value);
/// iter(value): gives items until it gives nothing. Each item is a step of the budget. Throws TypeError.
Cursor iterate(const Value& value, Budget& budget);
/// list(value).
List list_of(const Value& value, Budget& budget);
/// len(value), or nothing for what has none.
std::optional<int64_t> length_of(const Value& value);
/// len(value). Throws TypeError.
int64_t require_length(const Value& value);
/// reversed(value) as an iterator; nothing for what cannot be.
std::optional<Value> reversed(const Value& value);
/// value[index] of a text, list, tuple or range; nothing when it is out of range.
std::optional<Value> item_at(const Value& value, int64_t index);
/// value[start:stop:step]; None for an absent part. Throws TypeError, ValueError.
Value slice_of(const Value& value, const Value& start, const Value& stop, const Value& step, Budget& budget);
/// Items of a target list: throws ValueError unless there are `count`.
List unpack(const Value& value, size_t count, Budget& budget);

}  // namespace ftrun::jinja
