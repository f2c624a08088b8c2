// Messages are Python's where they are the same for all functions.
#include "core/jinja/arguments.h"

#include <algorithm>

namespace ftrun::jinja {

Bound::Bound(std::string_view function, const Arguments& arguments, std::initializer_list<std::string_view> names,
             size_t required)
    : function_(function), values_(names.size()) {
  if (arguments.positional.size() > names.size())
    throw type_error("{}() takes at most {} arguments ({} given)", function, names.size(), arguments.positional.size());
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = arguments.positional[i];
  for (const auto& [keyword, value] : arguments.keywords) {
    const auto found = std::ranges::find(names, keyword);
    if (found == names.end()) throw type_error("{}() got an unexpected keyword argument '{}'", function, keyword);
    auto& slot = values_[static_cast<size_t>(found - names.begin())];
    if (slot) throw type_error("{}() got multiple values for argument '{}'", function, keyword);
    slot = value;
  }
  for (size_t i = 0; i < required; ++i)
    if (!values_[i]) throw type_error("{}() missing 1 required positional argument: '{}'", function, names.begin()[i]);
}

const Value& Bound::operator[](size_t index) const {
  static const Value kNone;
  return values_[index] ? *values_[index] : kNone;
}

std::string Bound::text(size_t index, std::string_view absent) const {
  if (!has(index)) return std::string(absent);
  const Value& value = *values_[index];
  if (value.is_undefined()) throw value.undefined_value().failure();
  if (!value.is_text())
    throw type_error("{}() argument {} must be str, not {}", function_, index + 1, type_name(value));
  return value.utf8();
}

int64_t Bound::integer(size_t index, int64_t absent) const {
  if (!has(index)) return absent;
  if (const auto number = values_[index]->as_integer()) return *number;
  throw type_error("'{}' object cannot be interpreted as an integer", type_name(*values_[index]));
}

bool Bound::truth(size_t index, bool absent) const { return has(index) ? is_true(*values_[index]) : absent; }

const List& positional_only(std::string_view function, const Arguments& arguments, size_t least, size_t most) {
  if (!arguments.keywords.empty()) throw type_error("{}() takes no keyword arguments", function);
  const size_t given = arguments.positional.size();
  if (given < least || given > most) {
    throw type_error("{} expected {} {} argument{}, got {}", function, given < least ? "at least" : "at most",
                     given < least ? least : most, (given < least ? least : most) == 1 ? "" : "s", given);
  }
  return arguments.positional;
}

}  // namespace ftrun::jinja
