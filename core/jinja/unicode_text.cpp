// Properties and simple case mappings are utf8proc's; mappings to several characters are Unicode's SpecialCasing.
#include "core/jinja/unicode_text.h"

#include <utf8proc.h>

#include <algorithm>

#include "core/jinja/special_casing.h"

namespace ftrun::jinja {
namespace {

utf8proc_category_t category_of(char32_t point) { return utf8proc_category(static_cast<utf8proc_int32_t>(point)); }

template <typename Table>
const char32_t* special(const Table& table, char32_t point) {
  const auto found = std::ranges::lower_bound(table, point, {}, &SpecialCase::from);
  return found != std::end(table) && found->from == point ? found->to : nullptr;
}

bool is_case_ignorable(char32_t point) {
  const auto category = category_of(point);
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME || category == UTF8PROC_CATEGORY_CF ||
         category == UTF8PROC_CATEGORY_LM || category == UTF8PROC_CATEGORY_SK ||
         std::u32string_view(U"'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a")
                 .find(point) != std::u32string_view::npos;
}

// A capital sigma at the end of a word becomes the final one.
char32_t lower_sigma(std::u32string_view points, size_t at) {
  size_t before = at;
  while (before > 0 && is_case_ignorable(points[before - 1])) --before;
  if (before == 0 || !is_cased(points[before - 1])) return U'\u03c3';
  size_t after = at + 1;
  while (after < points.size() && is_case_ignorable(points[after])) ++after;
  return after < points.size() && is_cased(points[after]) ? U'\u03c3' : U'\u03c2';
}

}  // namespace

size_t length(std::string_view utf8) {
  return static_cast<size_t>(std::ranges::count_if(utf8, [](char byte) { return (byte & 0xC0) != 0x80; }));
}

bool is_alphabetic(char32_t point) {
  const auto category = category_of(point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t point) { return category_of(point) == UTF8PROC_CATEGORY_ND; }

bool is_other_numeral(char32_t point) {
  return category_of(point) == UTF8PROC_CATEGORY_NO || category_of(point) == UTF8PROC_CATEGORY_NL;
}

bool is_printable(char32_t point) {
  if (point == U' ') return true;
  const auto category = category_of(point);
  return category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS;
}

bool is_lower(char32_t point) { return category_of(point) == UTF8PROC_CATEGORY_LL; }
bool is_upper(char32_t point) { return category_of(point) == UTF8PROC_CATEGORY_LU; }
bool is_title(char32_t point) { return category_of(point) == UTF8PROC_CATEGORY_LT; }
bool is_cased(char32_t point) { return is_lower(point) || is_upper(point) || is_title(point); }

bool continues_name(char32_t point) {
  const auto category = category_of(point);
  return point == U'_' || (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO &&
                           category != UTF8PROC_CATEGORY_ME && category != UTF8PROC_CATEGORY_NO);
}

std::u32string upper(std::u32string_view points) {
  std::u32string result;
  for (const char32_t point : points) {
    if (const char32_t* several = special(kSpecialUpper, point)) {
      result += several;
    } else {
      result += static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(point)));
    }
  }
  return result;
}

std::u32string lower(std::u32string_view points) {
  std::u32string result;
  for (size_t i = 0; i < points.size(); ++i) {
    if (points[i] == U'\u03a3') {
      result += lower_sigma(points, i);
    } else if (points[i] == U'\u0130') {
      result += U"i\u0307";
    } else {
      result += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(points[i])));
    }
  }
  return result;
}

std::u32string title_of(char32_t point) {
  if (const char32_t* several = special(kSpecialTitle, point)) return several;
  return {static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(point)))};
}

}  // namespace ftrun::jinja
