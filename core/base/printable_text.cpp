// One pass over what is well-formed.
#include "core/base/printable_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/utf8_text.h"

namespace ftrun {
namespace {

bool is_kept(unsigned char byte) { return (byte >= 0x20 && byte != 0x7F) || byte == '\n' || byte == '\t'; }

}  // namespace

std::string printable_text(std::string_view text) {
  if (std::ranges::all_of(text, is_kept) && well_formed_prefix(text) == text.size()) return std::string(text);
  std::string result;
  for (const char c : replace_ill_formed(text)) {
    if (is_kept(static_cast<unsigned char>(c))) {
      result.push_back(c);
    } else {
      result += fmt::format("\\x{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return result;
}

}  // namespace ftrun
