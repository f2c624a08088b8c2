// Whole texts, over the decoder of core/base/utf8_text.h.
#include "core/base/code_points.h"

#include <cstdint>

#include "core/base/utf8_text.h"

namespace ftrun {

bool is_utf8(std::string_view text) { return well_formed_prefix(text) == text.size(); }

std::u32string code_points(std::string_view utf8) {
  std::u32string points;
  points.reserve(utf8.size());
  for (size_t at = 0; at < utf8.size();) {
    const bool well_formed = first_utf8_part(utf8.substr(at)).well_formed;
    const CodePoint next = well_formed ? code_point_at(utf8, at) : CodePoint{static_cast<uint8_t>(utf8[at]), 1};
    points += static_cast<char32_t>(next.value);
    at += next.size_bytes;
  }
  return points;
}

std::string to_utf8(char32_t point) { return to_utf8(std::u32string_view(&point, 1)); }

std::string to_utf8(std::u32string_view points) {
  std::string utf8;
  utf8.reserve(points.size());
  for (const char32_t point : points) append_code_point(static_cast<uint32_t>(point), utf8);
  return utf8;
}

bool is_space(char32_t point) {
  if (point < 0x80) return (point >= 0x09 && point <= 0x0D) || (point >= 0x1C && point <= 0x20);
  return point == 0x85 || point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
         point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

}  // namespace ftrun
