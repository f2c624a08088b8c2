// Binding a call's arguments to a function's parameters.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "core/jinja/value.h"

namespace ftrun::jinja {

/// Arguments in the order of the parameters' names.
class Bound {
 public:
  /// Throws TypeError for too many, unknown or doubled arguments, or when one of the first `required` is absent.
  Bound(std::string_view function, const Arguments& arguments, std::initializer_list<std::string_view> names,
        size_t required = 0);

  bool has(size_t index) const { return values_[index].has_value(); }
  /// None when absent.
  const Value& operator[](size_t index) const;
  /// Throws TypeError when given and not a text.
  std::string text(size_t index, std::string_view absent) const;
  int64_t integer(size_t index, int64_t absent) const;
  bool truth(size_t index, bool absent) const;

 private:
  std::string function_;
  std::vector<std::optional<Value>> values_;
};

/// Throws TypeError when there are keywords, as functions written in C do.
const List& positional_only(std::string_view function, const Arguments& arguments, size_t least, size_t most);

}  // namespace ftrun::jinja
