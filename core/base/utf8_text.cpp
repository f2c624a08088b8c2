// UTF-8: code points of well-formed text, and replacement of ill-formed bytes.
#include "core/base/utf8_text.h"

#include <cstring>

namespace ftrun {

void append_code_point(uint32_t value, std::string& out) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0 | value >> 6);
    put(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    put(0xE0 | value >> 12);
    put(0x80 | (value >> 6 & 0x3F));
    put(0x80 | (value & 0x3F));
  } else {
    put(0xF0 | value >> 18);
    put(0x80 | (value >> 12 & 0x3F));
    put(0x80 | (value >> 6 & 0x3F));
    put(0x80 | (value & 0x3F));
  }
}

Utf8Part first_utf8_part(std::string_view bytes) {
  const auto byte = [&](size_t k) { return static_cast<unsigned char>(bytes[k]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {1, true, false};
  if (lead < 0xC2 || lead > 0xF4) return {1, false, false};
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and values above U+10FFFF.
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t k = 1; k < size; ++k) {
    if (k == bytes.size()) return {k, false, true};
    const bool fits = k == 1 ? byte(k) >= low && byte(k) <= high : (byte(k) & 0xC0) == 0x80;
    if (!fits) return {k, false, false};
  }
  return {size, true, false};
}

size_t well_formed_prefix(std::string_view bytes) {
  size_t position = 0;
  while (position < bytes.size()) {
    if (position + 8 <= bytes.size()) {
      uint64_t eight;
      std::memcpy(&eight, bytes.data() + position, 8);
      if ((eight & 0x8080808080808080u) == 0) {
        position += 8;
        continue;
      }
    }
    const Utf8Part part = first_utf8_part(bytes.substr(position));
    if (!part.well_formed) return position;
    position += part.size_bytes;
  }
  return position;
}

std::string replace_ill_formed(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t good = well_formed_prefix(bytes);
    out.append(bytes.substr(0, good));
    bytes.remove_prefix(good);
    if (bytes.empty()) break;
    out.append("\xEF\xBF\xBD");
    bytes.remove_prefix(first_utf8_part(bytes).size_bytes);
  }
  return out;
}

}  // namespace ftrun
