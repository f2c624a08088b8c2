// UTF-8: code points of well-formed text, and replacement of ill-formed bytes.
// Leaves out: properties of code points (unicode_class.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ftrun {

struct CodePoint {
  uint32_t value;
  uint32_t size_bytes;
};

/// The code point at `position` (< text.size()) of well-formed UTF-8.
inline CodePoint code_point_at(std::string_view text, size_t position) {
  const auto byte = [&](size_t k) { return static_cast<uint32_t>(static_cast<unsigned char>(text[position + k])); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

/// Start of the code point that ends before `position` (> 0) of well-formed UTF-8.
inline size_t previous_code_point(std::string_view text, size_t position) {
  do --position;
  while ((static_cast<unsigned char>(text[position]) & 0xC0) == 0x80);
  return position;
}

void append_code_point(uint32_t value, std::string& out);

/// Size of the longest well-formed prefix.
size_t well_formed_prefix(std::string_view bytes);

/// Size of the well-formed sequence, or of the maximal ill-formed part, that starts `bytes` (not empty).
struct Utf8Part {
  size_t size_bytes;
  bool well_formed;
  bool truncated;  ///< ill-formed only because `bytes` ends inside it
};
Utf8Part first_utf8_part(std::string_view bytes);

/// `bytes` with every maximal ill-formed part replaced by U+FFFD, as Rust's String::from_utf8_lossy and Python's
/// errors="replace" do (Unicode 16, section 3.9, "U+FFFD Substitution of Maximal Subparts").
std::string replace_ill_formed(std::string_view bytes);

}  // namespace ftrun
