// The GPT-2 byte alphabet: each byte as one printable character.
#include "core/data/tokenizer/byte_alphabet.h"

#include "core/base/utf8_text.h"

namespace ftrun {
namespace {

struct Alphabet {
  std::array<uint32_t, 256> code_points;
  std::array<std::string, 256> symbols;
  std::array<int, 512> bytes;

  Alphabet() {
    bytes.fill(-1);
    uint32_t next = 256;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
      code_points[byte] = printable ? byte : next++;
      bytes[code_points[byte]] = static_cast<int>(byte);
      append_code_point(code_points[byte], symbols[byte]);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string_view symbol_of_byte(uint8_t byte) { return alphabet().symbols[byte]; }

uint32_t code_point_of_byte(uint8_t byte) { return alphabet().code_points[byte]; }

int byte_of_code_point(uint32_t value) { return value < 512 ? alphabet().bytes[value] : -1; }

std::string bytes_to_symbols(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char byte : bytes) out.append(symbol_of_byte(static_cast<uint8_t>(byte)));
  return out;
}

std::optional<std::string> symbols_to_bytes(std::string_view symbols) {
  std::string out;
  out.reserve(symbols.size());
  for (size_t k = 0; k < symbols.size();) {
    const CodePoint point = code_point_at(symbols, k);
    const int byte = byte_of_code_point(point.value);
    if (byte < 0) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    k += point.size_bytes;
  }
  return out;
}

}  // namespace ftrun
