// Methods of str that give texts, lists of texts or positions.
#include <algorithm>

#include "core/jinja/arguments.h"
#include "core/jinja/format_text.h"
#include "core/jinja/methods.h"
#include "core/jinja/sequence.h"
#include "core/jinja/text_edit.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

std::string required_text(const Value& value, std::string_view function, size_t number) {
  if (value.is_text()) return value.utf8();
  throw type_error("{}() argument {} must be str, not {}", function, number, type_name(value));
}

std::optional<std::string> strip_characters(std::string_view function, const Arguments& arguments) {
  const List& given = positional_only(function, arguments, 0, 1);
  if (given.empty() || given[0].is_none()) return std::nullopt;
  if (!given[0].is_text()) throw type_error("{} arg must be None or str", function);
  return given[0].utf8();
}

Value strip(const Value& self, const Arguments& arguments, Rendering&) {
  return Value::text(stripped(self.utf8(), Side::kBoth, strip_characters("strip", arguments)));
}
Value lstrip(const Value& self, const Arguments& arguments, Rendering&) {
  return Value::text(stripped(self.utf8(), Side::kLeft, strip_characters("lstrip", arguments)));
}
Value rstrip(const Value& self, const Arguments& arguments, Rendering&) {
  return Value::text(stripped(self.utf8(), Side::kRight, strip_characters("rstrip", arguments)));
}

Value list_of_texts(std::vector<std::string> parts, Rendering& rendering) {
  rendering.budget.steps(parts.size());
  List items;
  for (std::string& part : parts) items.push_back(Value::text(std::move(part)));
  return Value::list(std::move(items));
}

Value split_from(std::string_view name, bool from_right, const Value& self, const Arguments& arguments,
                 Rendering& rendering) {
  const Bound bound(name, arguments, {"sep", "maxsplit"});
  const int64_t most = bound.integer(1, -1);
  rendering.budget.text(self.utf8().size());
  if (bound[0].is_none()) return list_of_texts(split_at_space(self.utf8(), most, from_right), rendering);
  if (!bound[0].is_text()) throw type_error("must be str or None, not {}", type_name(bound[0]));
  if (bound[0].utf8().empty()) throw value_error("empty separator");
  return list_of_texts(split_at(self.utf8(), bound[0].utf8(), most, from_right), rendering);
}

Value split(const Value& self, const Arguments& arguments, Rendering& rendering) {
  return split_from("split", false, self, arguments, rendering);
}
Value rsplit(const Value& self, const Arguments& arguments, Rendering& rendering) {
  return split_from("rsplit", true, self, arguments, rendering);
}

Value splitlines(const Value& self, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("splitlines", arguments, {"keepends"});
  return list_of_texts(split_lines(self.utf8(), bound.truth(0, false)), rendering);
}

Value partition_at(const Value& self, const Arguments& arguments, bool from_right) {
  const char* name = from_right ? "rpartition" : "partition";
  const std::string separator = required_text(positional_only(name, arguments, 1, 1)[0], name, 1);
  if (separator.empty()) throw value_error("empty separator");
  const std::string& text = self.utf8();
  const size_t found = from_right ? text.rfind(separator) : text.find(separator);
  if (found == text.npos) {
    return from_right ? Value::tuple({Value::text(""), Value::text(""), self})
                      : Value::tuple({self, Value::text(""), Value::text("")});
  }
  return Value::tuple(
      {Value::text(text.substr(0, found)), Value::text(separator), Value::text(text.substr(found + separator.size()))});
}
Value partition(const Value& self, const Arguments& arguments, Rendering&) {
  return partition_at(self, arguments, false);
}
Value rpartition(const Value& self, const Arguments& arguments, Rendering&) {
  return partition_at(self, arguments, true);
}

Value replace(const Value& self, const Arguments& arguments, Rendering& rendering) {
  const List& given = positional_only("replace", arguments, 2, 3);
  const std::string from = required_text(given[0], "replace", 1), to = required_text(given[1], "replace", 2);
  const Bound count("replace", Arguments{{given.begin() + 2, given.end()}, {}}, {"count"});
  std::string text = replaced(self.utf8(), from, to, count.integer(0, -1));
  rendering.budget.text(text.size());
  return Value::text(std::move(text));
}

Value join(const Value& self, const Arguments& arguments, Rendering& rendering) {
  const Value& items = positional_only("str.join", arguments, 1, 1)[0];
  if (!is_iterable(items)) throw type_error("can only join an iterable");
  std::string text;
  size_t number = 0;
  const Cursor next = iterate(items, rendering.budget);
  while (const auto item = next()) {
    if (!item->is_text())
      throw type_error("sequence item {}: expected str instance, {} found", number, type_name(*item));
    if (number++ > 0) text += self.utf8();
    text += item->utf8();
    check_text_size(text.size());
  }
  rendering.budget.text(text.size());
  return Value::text(std::move(text));
}

Value to_upper(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("str.upper", arguments, 0, 0);
  return Value::text(to_utf8(upper(code_points(self.utf8()))));
}
Value to_lower(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("str.lower", arguments, 0, 0);
  return Value::text(to_utf8(lower(code_points(self.utf8()))));
}
Value capitalize(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("str.capitalize", arguments, 0, 0);
  return Value::text(capitalized(self.utf8()));
}

Value title(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("str.title", arguments, 0, 0);
  const std::u32string points = code_points(self.utf8());
  std::u32string text;
  bool after_cased = false;
  for (const char32_t point : points) {
    text += after_cased ? lower({&point, 1}) : title_of(point);
    after_cased = is_cased(point);
  }
  return Value::text(to_utf8(text));
}

Value swapcase(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("str.swapcase", arguments, 0, 0);
  std::u32string text;
  for (const char32_t point : code_points(self.utf8()))
    text += is_upper(point) ? lower({&point, 1}) : is_lower(point) ? upper({&point, 1}) : std::u32string(1, point);
  return Value::text(to_utf8(text));
}

struct Padding {
  size_t left = 0, right = 0;
};

Value padded(std::string_view name, const Value& self, const Arguments& arguments, Rendering& rendering,
             Padding (*share)(size_t missing, size_t width)) {
  const List& given = positional_only(name, arguments, 1, 2);
  const Bound bound(name, Arguments{given, {}}, {"width", "fillchar"});
  const std::string fill = bound.text(1, " ");
  if (length(fill) != 1) throw type_error("The fill character must be exactly one character long");
  const auto size = static_cast<int64_t>(length(self.utf8()));
  const int64_t width = bound.integer(0, 0);
  if (width <= size) return self;
  rendering.budget.text(static_cast<size_t>(width));
  const Padding padding = share(static_cast<size_t>(width - size), static_cast<size_t>(width));
  std::string text;
  for (size_t i = 0; i < padding.left; ++i) text += fill;
  text += self.utf8();
  for (size_t i = 0; i < padding.right; ++i) text += fill;
  return Value::text(std::move(text));
}

Value ljust(const Value& self, const Arguments& arguments, Rendering& rendering) {
  return padded("ljust", self, arguments, rendering, [](size_t missing, size_t) { return Padding{0, missing}; });
}
Value rjust(const Value& self, const Arguments& arguments, Rendering& rendering) {
  return padded("rjust", self, arguments, rendering, [](size_t missing, size_t) { return Padding{missing, 0}; });
}
Value center(const Value& self, const Arguments& arguments, Rendering& rendering) {
  return padded("center", self, arguments, rendering, [](size_t missing, size_t width) {
    const size_t left = missing / 2 + (missing & width & 1);
    return Padding{left, missing - left};
  });
}

Value zfill(const Value& self, const Arguments& arguments, Rendering& rendering) {
  const Bound bound("zfill", Arguments{positional_only("zfill", arguments, 1, 1), {}}, {"width"});
  const std::string& text = self.utf8();
  const int64_t missing = bound.integer(0, 0) - static_cast<int64_t>(length(text));
  if (missing <= 0) return self;
  rendering.budget.text(static_cast<size_t>(missing));
  const size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  return Value::text(text.substr(0, sign) + std::string(static_cast<size_t>(missing), '0') + text.substr(sign));
}

Value removeprefix(const Value& self, const Arguments& arguments, Rendering&) {
  const std::string prefix = required_text(positional_only("removeprefix", arguments, 1, 1)[0], "removeprefix", 1);
  return self.utf8().starts_with(prefix) ? Value::text(self.utf8().substr(prefix.size())) : self;
}
Value removesuffix(const Value& self, const Arguments& arguments, Rendering&) {
  const std::string suffix = required_text(positional_only("removesuffix", arguments, 1, 1)[0], "removesuffix", 1);
  return self.utf8().ends_with(suffix) ? Value::text(self.utf8().substr(0, self.utf8().size() - suffix.size())) : self;
}

Value expandtabs(const Value& self, const Arguments& arguments, Rendering&) {
  const Bound bound("expandtabs", arguments, {"tabsize"});
  const int64_t tab = bound.integer(0, 8);
  std::u32string text;
  int64_t column = 0;
  for (const char32_t point : code_points(self.utf8())) {
    if (point == U'\t') {
      const int64_t spaces = tab > 0 ? tab - column % tab : 0;
      check_text_size(text.size() + static_cast<size_t>(spaces));
      text.append(static_cast<size_t>(spaces), U' ');
      column += spaces;
    } else {
      text += point;
      column = point == U'\n' || point == U'\r' ? 0 : column + 1;
    }
  }
  return Value::text(to_utf8(text));
}

Value format(const Value& self, const Arguments& arguments, Rendering& rendering) {
  return Value::text(brace_format(self.utf8(), arguments, rendering));
}

}  // namespace

const MethodTable& text_methods() {
  static const MethodTable table = {
      {"strip", strip},
      {"lstrip", lstrip},
      {"rstrip", rstrip},
      {"split", split},
      {"rsplit", rsplit},
      {"splitlines", splitlines},
      {"partition", partition},
      {"rpartition", rpartition},
      {"replace", replace},
      {"join", join},
      {"upper", to_upper},
      {"lower", to_lower},
      {"capitalize", capitalize},
      {"title", title},
      {"swapcase", swapcase},
      {"ljust", ljust},
      {"rjust", rjust},
      {"center", center},
      {"zfill", zfill},
      {"removeprefix", removeprefix},
      {"removesuffix", removesuffix},
      {"expandtabs", expandtabs},
      {"format", format},
  };
  return table;
}

}  // namespace ftrun::jinja
