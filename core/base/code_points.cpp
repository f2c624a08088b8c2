// A decoder of the table in the Unicode standard (well-formed UTF-8 byte sequences).
#include "core/base/code_points.h"

#include <cstdint>

namespace ftrun {
namespace {

struct Decoded {
  char32_t point;
  size_t size;  // 0: not UTF-8
};

Decoded decode(std::string_view text, size_t at) {
  const auto byte = [&](size_t offset) { return static_cast<uint8_t>(text[at + offset]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + size > text.size()) return {0, 0};
  uint32_t point = first & (0x7FU >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {0, 0};
    point = point << 6 | (byte(i) & 0x3FU);
  }
  const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
  if (overlong || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return {0, 0};
  return {static_cast<char32_t>(point), size};
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t size = decode(text, at).size;
    if (size == 0) return false;
    at += size;
  }
  return true;
}

std::u32string code_points(std::string_view utf8) {
  std::u32string points;
  points.reserve(utf8.size());
  for (size_t at = 0; at < utf8.size();) {
    const Decoded decoded = decode(utf8, at);
    points += decoded.size > 0 ? decoded.point : static_cast<char32_t>(static_cast<uint8_t>(utf8[at]));
    at += decoded.size > 0 ? decoded.size : 1;
  }
  return points;
}

std::string to_utf8(char32_t point) {
  const auto code = static_cast<uint32_t>(point);
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0 | code >> 6), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xE0 | code >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
}

std::string to_utf8(std::u32string_view points) {
  std::string utf8;
  utf8.reserve(points.size());
  for (const char32_t point : points) {
    if (point < 0x80) {
      utf8 += static_cast<char>(point);
    } else {
      utf8 += to_utf8(point);
    }
  }
  return utf8;
}

bool is_space(char32_t point) {
  if (point < 0x80) return (point >= 0x09 && point <= 0x0D) || (point >= 0x1C && point <= 0x20);
  return point == 0x85 || point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
         point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

}  // namespace ftrun
