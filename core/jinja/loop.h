// The `loop` variable of a for loop.
#pragma once

#include <optional>

#include "core/jinja/sequence.h"
#include "core/jinja/value.h"

namespace ftrun::jinja {

/// Walks an iterable and knows where it is. Looks one item ahead only when `last` or `nextitem` ask for it.
class Loop {
 public:
  Loop(Value iterable, Cursor cursor) : iterable_(std::move(iterable)), cursor_(std::move(cursor)) {}

  /// The next item, or nothing at the end.
  std::optional<Value> advance();

  int64_t index0() const { return index0_; }
  int64_t length();
  bool is_last() { return !peek().has_value(); }
  Value previous_item() const;
  Value next_item();
  /// loop.changed(...): whether the values differ from those of the last call.
  bool changed(const List& values);

 private:
  const std::optional<Value>& peek();

  Value iterable_;
  Cursor cursor_;
  int64_t index0_ = -1;
  std::optional<int64_t> length_;
  bool has_peeked_ = false;
  std::optional<Value> after_;
  std::optional<Value> current_, before_;
  std::optional<List> last_changed_;
};

}  // namespace ftrun::jinja
