// What the tests of core/io share: a folder that cleans up, patterned bytes, hand-made safetensors files.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/io/safetensors_writer.h"

namespace ftrun {

using Path = std::filesystem::path;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ftrun-io-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw io_error("mkdtemp failed");
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Path operator/(const std::string& name) const { return path_ / name; }
  const Path& path() const { return path_; }

 private:
  Path path_;
};

/// Byte i is (i * 7 + salt) % modulus, as in tests/golden/safetensors_files.py.
inline std::vector<std::byte> patterned(uint64_t size_bytes, uint64_t salt, uint64_t modulus = 251) {
  std::vector<std::byte> bytes(size_bytes);
  for (uint64_t i = 0; i < size_bytes; ++i) bytes[i] = static_cast<std::byte>((i * 7 + salt) % modulus);
  return bytes;
}

inline void write_text(const Path& path, std::string_view text) {
  std::filesystem::remove(
      path);  // Overwriting in place makes some file systems flush, thousands of times in the fault tests.
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

/// Length prefix, header as given, data of zeros.
inline std::string raw_safetensors(std::string_view header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  return file + std::string(header) + std::string(data_bytes, '\0');
}

/// Runs `action`, expects an Error of that code whose message has every fragment.
template <typename Action>
void expect_error(ftrun_status code, std::initializer_list<std::string> fragments, Action action) {
  try {
    action();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const std::string& fragment : fragments) EXPECT_THAT(error.what(), testing::HasSubstr(fragment));
  }
}

inline Path golden_folder() { return Path(FTRUN_SOURCE_DIR) / "tests/golden/safetensors"; }

}  // namespace ftrun
