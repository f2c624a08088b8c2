// The GPT-2 byte alphabet: each byte as one printable character, the form in which byte-level vocabularies are written.
// Leaves out: everything about tokens.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ftrun {

/// The character (UTF-8) that stands for `byte`. [any-thread]
std::string_view symbol_of_byte(uint8_t byte);

/// The code point that stands for `byte`.
uint32_t code_point_of_byte(uint8_t byte);

/// The byte that code point `value` stands for, or -1.
int byte_of_code_point(uint32_t value);

/// Bytes written as symbols.
std::string bytes_to_symbols(std::string_view bytes);

/// Symbols (well-formed UTF-8) back to bytes; absent if any character is not in the alphabet.
std::optional<std::string> symbols_to_bytes(std::string_view symbols);

}  // namespace ftrun
