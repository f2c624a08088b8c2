// Methods of str that search it or ask about it.
#include <algorithm>
#include <limits>

#include "core/jinja/arguments.h"
#include "core/jinja/methods.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

struct Window {
  std::u32string text;  // of the searched range
  int64_t start = 0;
  bool is_valid = true;  // the range begins within the text
};

int64_t bound_index(const Value& value, int64_t absent, int64_t size) {
  if (value.is_none()) return absent;
  const auto index = value.as_integer();
  if (!index) throw type_error("slice indices must be integers or None or have an __index__ method");
  return std::max<int64_t>(*index < 0 ? *index + size : *index, 0);
}

Window window_of(const Value& self, const List& given) {
  Window window{code_points(self.utf8()), 0, true};
  const auto size = static_cast<int64_t>(window.text.size());
  window.start = given.size() > 1 ? bound_index(given[1], 0, size) : 0;
  const int64_t end = std::min(given.size() > 2 ? bound_index(given[2], size, size) : size, size);
  window.is_valid = window.start <= end;
  window.text = window.is_valid
                    ? window.text.substr(static_cast<size_t>(window.start), static_cast<size_t>(end - window.start))
                    : std::u32string();
  return window;
}

std::u32string searched(std::string_view name, const List& given) {
  if (!given[0].is_text()) throw type_error("must be str, not {}", type_name(given[0]));
  (void)name;
  return code_points(given[0].utf8());
}

int64_t position(std::string_view name, const Value& self, const Arguments& arguments, bool from_right) {
  const List& given = positional_only(name, arguments, 1, 3);
  const std::u32string wanted = searched(name, given);
  const Window window = window_of(self, given);
  if (!window.is_valid) return -1;
  const size_t found = from_right ? window.text.rfind(wanted) : window.text.find(wanted);
  return found == std::u32string::npos ? -1 : window.start + static_cast<int64_t>(found);
}

Value find(const Value& self, const Arguments& arguments, Rendering&) {
  return Value::integer(position("find", self, arguments, false));
}
Value rfind(const Value& self, const Arguments& arguments, Rendering&) {
  return Value::integer(position("rfind", self, arguments, true));
}

Value require_position(int64_t position) {
  if (position < 0) throw value_error("substring not found");
  return Value::integer(position);
}
Value index(const Value& self, const Arguments& arguments, Rendering&) {
  return require_position(position("index", self, arguments, false));
}
Value rindex(const Value& self, const Arguments& arguments, Rendering&) {
  return require_position(position("rindex", self, arguments, true));
}

Value count(const Value& self, const Arguments& arguments, Rendering&) {
  const List& given = positional_only("count", arguments, 1, 3);
  const std::u32string wanted = searched("count", given);
  const Window window = window_of(self, given);
  if (!window.is_valid) return Value::integer(0);
  if (wanted.empty()) return Value::integer(static_cast<int64_t>(window.text.size()) + 1);
  int64_t found = 0;
  for (size_t at = 0; (at = window.text.find(wanted, at)) != window.text.npos; at += wanted.size()) ++found;
  return Value::integer(found);
}

// One text or a tuple of them.
Value has_affix(std::string_view name, const Value& self, const Arguments& arguments,
                bool (*fits)(std::u32string_view text, std::u32string_view affix)) {
  const List& given = positional_only(name, arguments, 1, 3);
  const Window window = window_of(self, given);
  const List affixes = given[0].is<TupleValue>() ? *given[0].items() : List{given[0]};
  for (const Value& affix : affixes) {
    if (!affix.is_text()) {
      if (given[0].is<TupleValue>())
        throw type_error("tuple for {} must only contain str, not {}", name, type_name(affix));
      throw type_error("{} first arg must be str or a tuple of str, not {}", name, type_name(affix));
    }
    if (window.is_valid && fits(window.text, code_points(affix.utf8()))) return Value::boolean(true);
  }
  return Value::boolean(false);
}

Value startswith(const Value& self, const Arguments& arguments, Rendering&) {
  return has_affix("startswith", self, arguments,
                   [](std::u32string_view text, std::u32string_view affix) { return text.starts_with(affix); });
}
Value endswith(const Value& self, const Arguments& arguments, Rendering&) {
  return has_affix("endswith", self, arguments,
                   [](std::u32string_view text, std::u32string_view affix) { return text.ends_with(affix); });
}

Value all_are(const Value& self, const Arguments& arguments, bool (*property)(char32_t)) {
  positional_only("this method", arguments, 0, 0);
  const std::u32string points = code_points(self.utf8());
  return Value::boolean(!points.empty() && std::ranges::all_of(points, property));
}

Value isspace(const Value& self, const Arguments& arguments, Rendering&) { return all_are(self, arguments, is_space); }
Value isalpha(const Value& self, const Arguments& arguments, Rendering&) {
  return all_are(self, arguments, is_alphabetic);
}
Value isdecimal(const Value& self, const Arguments& arguments, Rendering&) {
  return all_are(self, arguments, is_decimal);
}

// Which of the other numerals are digits is not in utf8proc's tables.
void require_known_numerals(const Value& self) {
  for (const char32_t point : code_points(self.utf8()))
    if (is_other_numeral(point)) throw unsupported("asking whether '{}' is a digit", to_utf8(point));
}
Value isdigit(const Value& self, const Arguments& arguments, Rendering& rendering) {
  require_known_numerals(self);
  return isdecimal(self, arguments, rendering);
}
// Ideographs may be numbers.
Value isnumeric(const Value& self, const Arguments& arguments, Rendering& rendering) {
  for (const char32_t point : code_points(self.utf8()))
    if (point >= 0x2E80 && is_alphabetic(point)) throw unsupported("asking whether '{}' is numeric", to_utf8(point));
  return isdigit(self, arguments, rendering);
}
Value isalnum(const Value& self, const Arguments& arguments, Rendering&) {
  require_known_numerals(self);
  return all_are(self, arguments, [](char32_t point) { return is_alphabetic(point) || is_decimal(point); });
}
Value isascii(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("str.isascii", arguments, 0, 0);
  return Value::boolean(std::ranges::all_of(self.utf8(), [](char c) { return (c & 0x80) == 0; }));
}
Value isprintable(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("str.isprintable", arguments, 0, 0);
  return Value::boolean(std::ranges::all_of(code_points(self.utf8()), is_printable));
}

Value has_case(const Value& self, const Arguments& arguments, bool (*wanted)(char32_t)) {
  positional_only("this method", arguments, 0, 0);
  const std::u32string points = code_points(self.utf8());
  const bool any = std::ranges::any_of(points, wanted);
  return Value::boolean(any && std::ranges::none_of(points, [&](char32_t c) { return is_cased(c) && !wanted(c); }));
}
Value islower(const Value& self, const Arguments& arguments, Rendering&) { return has_case(self, arguments, is_lower); }
Value isupper(const Value& self, const Arguments& arguments, Rendering&) { return has_case(self, arguments, is_upper); }

Value istitle(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("str.istitle", arguments, 0, 0);
  bool any = false, after_cased = false;
  for (const char32_t point : code_points(self.utf8())) {
    const bool begins = is_upper(point) || is_title(point);
    if ((begins && after_cased) || (is_lower(point) && !after_cased)) return Value::boolean(false);
    any = any || begins || is_lower(point);
    after_cased = is_cased(point);
  }
  return Value::boolean(any);
}

Value isidentifier(const Value& self, const Arguments& arguments, Rendering&) {
  positional_only("str.isidentifier", arguments, 0, 0);
  const std::u32string points = code_points(self.utf8());
  return Value::boolean(!points.empty() && !is_decimal(points[0]) && std::ranges::all_of(points, continues_name));
}

}  // namespace

const MethodTable& text_predicates() {
  static const MethodTable table = {
      {"find", find},
      {"rfind", rfind},
      {"index", index},
      {"rindex", rindex},
      {"count", count},
      {"startswith", startswith},
      {"endswith", endswith},
      {"isspace", isspace},
      {"isalpha", isalpha},
      {"isdecimal", isdecimal},
      {"isdigit", isdigit},
      {"isnumeric", isnumeric},
      {"isalnum", isalnum},
      {"isascii", isascii},
      {"isprintable", isprintable},
      {"islower", islower},
      {"isupper", isupper},
      {"istitle", istitle},
      {"isidentifier", isidentifier},
  };
  return table;
}

}  // namespace ftrun::jinja
