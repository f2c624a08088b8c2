// Access to tests/golden/tokenizer and its checksums.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/files.h"
#include "core/data/tokenizer/tokenizer.h"

namespace ftrun::tokenizer_test {

inline std::filesystem::path golden_path(const std::string& name) {
  return std::filesystem::path(FTRUN_SOURCE_DIR) / "tests/golden/tokenizer" / name;
}

inline nlohmann::json golden(const std::string& name) { return nlohmann::json::parse(read_file(golden_path(name))); }

inline std::vector<std::string> golden_texts(const std::string& name) {
  return golden(name).get<std::vector<std::string>>();
}

/// CRC-32 as zlib.crc32 computes it.
inline uint32_t crc32(std::string_view bytes, uint32_t crc) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> out{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t value = byte;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (0xEDB88320u & (0u - (value & 1u)));
      out[byte] = value;
    }
    return out;
  }();
  crc = ~crc;
  for (const char c : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

/// The checksums of tests/golden/tokenizer.py.
inline std::vector<uint32_t> checksums(const Tokenizer& tokenizer, const std::vector<std::string>& texts, size_t block,
                                       bool special, bool decode) {
  std::vector<uint32_t> out;
  for (size_t start = 0; start < texts.size(); start += block) {
    uint32_t crc = 0;
    for (size_t k = start; k < std::min(texts.size(), start + block); ++k) {
      const std::vector<int32_t> ids = tokenizer.encode(texts[k], special);
      std::string line;
      for (const int32_t id : ids) {
        if (!line.empty()) line.push_back(',');
        line.append(std::to_string(id));
      }
      line.push_back('\n');
      crc = crc32(line, crc);
      if (!decode) continue;
      for (const bool skip : {false, true}) crc = crc32(tokenizer.decode(ids, skip) + '\0', crc);
    }
    out.push_back(crc);
  }
  return out;
}

/// Text of base.json with the members of `patch` (of a tokenizer.json) replaced.
inline std::string patched_base(const nlohmann::json& patch) {
  nlohmann::json document = golden("base.json");
  for (const auto& [key, value] : patch.items()) document[key] = value;
  return document.dump();
}

}  // namespace ftrun::tokenizer_test
