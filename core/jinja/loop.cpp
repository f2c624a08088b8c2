// Counterpart of jinja2.runtime.LoopContext.
#include "core/jinja/loop.h"

#include <algorithm>

#include "core/jinja/comparison.h"

namespace ftrun::jinja {

std::optional<Value> Loop::advance() {
  std::optional<Value> item = has_peeked_ && after_ ? std::move(after_) : cursor_();
  has_peeked_ = false;
  after_.reset();
  if (!item) return item;
  ++index0_;
  before_ = std::move(current_);
  current_ = item;
  return item;
}

int64_t Loop::length() {
  if (length_) return *length_;
  length_ = length_of(iterable_);
  if (length_) return *length_;
  List rest;
  while (auto item = cursor_()) rest.push_back(std::move(*item));
  length_ = static_cast<int64_t>(rest.size()) + index0_ + 1 + (has_peeked_ && after_ ? 1 : 0);
  cursor_ = [rest = std::move(rest), at = size_t{0}]() mutable -> std::optional<Value> {
    if (at == rest.size()) return std::nullopt;
    return rest[at++];
  };
  return *length_;
}

const std::optional<Value>& Loop::peek() {
  if (!has_peeked_ || !after_) after_ = cursor_();
  has_peeked_ = true;
  return after_;
}

Value Loop::previous_item() const { return before_ ? *before_ : Value::undefined("there is no previous item"); }

Value Loop::next_item() { return peek() ? *after_ : Value::undefined("there is no next item"); }

bool Loop::changed(const List& values) {
  if (last_changed_ && std::ranges::equal(*last_changed_, values, equals)) return false;
  last_changed_ = values;
  return true;
}

}  // namespace ftrun::jinja
