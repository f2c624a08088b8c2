// Reading and writing ABI structs that may be shorter or longer than ours: min(writer, own), the rest is zero.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "core/base/error.h"
#include "ftrun/abi.h"

namespace ftrun {

/// Zeroed struct with its head filled.
template <typename Struct>
Struct make_abi_struct(uint32_t tag) noexcept {
  static_assert(std::is_trivially_copyable_v<Struct>);
  Struct value;
  std::memset(&value, 0, sizeof(Struct));
  value.head = {sizeof(Struct), tag};
  return value;
}

/// A full-size copy of what the other side wrote. Throws INVALID_ARGUMENT naming `what` for a wrong head.
template <typename Struct>
Struct read_abi_struct(const Struct* written, uint32_t tag, std::string_view what) {
  if (written == nullptr) throw invalid_argument("{}: the struct is NULL", what);
  const ftrun_head head = written->head;
  if (head.tag != tag || head.struct_size < sizeof(ftrun_head) || head.struct_size > FTRUN_STRUCT_SIZE_MAX) {
    throw invalid_argument("{}: the struct's head does not fit (tag {:#x}, {} bytes)", what, head.tag,
                           head.struct_size);
  }
  auto copy = make_abi_struct<Struct>(tag);
  std::memcpy(&copy, written, std::min<size_t>(sizeof(Struct), written->head.struct_size));
  return copy;
}

/// Fills as much of the other side's struct as it has room for; its head says how much and is kept.
template <typename Struct>
void write_abi_struct(Struct* out, const Struct& value, std::string_view what) {
  const ftrun_head head = read_abi_struct<Struct>(out, value.head.tag, what).head;
  std::memcpy(out, &value, std::min<size_t>(sizeof(Struct), head.struct_size));
  out->head = head;
}

inline std::string_view text_of(ftrun_str text) noexcept {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}
inline ftrun_str abi_text(std::string_view text) noexcept { return {text.data(), text.size()}; }

}  // namespace ftrun
