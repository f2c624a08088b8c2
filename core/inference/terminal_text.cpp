// C0 and C1 controls (ECMA-48).
#include "core/inference/terminal_text.h"

namespace ftrun {
namespace {

constexpr char kEscape = '\x1b';

/// Bytes of the control character at the start of `text`, 0 where there is none.
size_t control_bytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first == '\t' || first == '\n') return 0;
  if (first < 0x20 || first == 0x7F) return 1;
  const bool is_c1 = first == 0xC2 && text.size() > 1 && static_cast<unsigned char>(text[1]) < 0xA0;
  return is_c1 ? 2 : 0;
}

/// Bytes of a key's sequence at the start of `text`, which begins with ESC.
size_t key_bytes(std::string_view text) {
  if (text.size() < 3 || (text[1] != '[' && text[1] != 'O')) return 1;
  size_t end = 2;
  while (end < text.size() && text[end] >= 0x20 && text[end] < 0x40) ++end;
  return end < text.size() ? end + 1 : end;
}

}  // namespace

std::string terminal_output(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t control = control_bytes(text);
    if (control > 0) {
      result += "\uFFFD";
    } else {
      result += text.front();
    }
    text.remove_prefix(control > 0 ? control : 1);
  }
  return result;
}

std::string terminal_input(std::string_view line) {
  std::string result;
  while (!line.empty()) {
    const size_t control = line.front() == kEscape ? key_bytes(line) : control_bytes(line);
    if (control == 0) result += line.front();
    line.remove_prefix(control > 0 ? control : 1);
  }
  return result;
}

}  // namespace ftrun
