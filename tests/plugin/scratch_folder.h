// A folder that is removed with its contents, private to this user.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace ftrun {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ftrun_test_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = std::filesystem::canonical(pattern);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }
  std::filesystem::path copy(const std::filesystem::path& from, const std::string& name) const {
    std::filesystem::copy_file(from, path_ / name);
    std::filesystem::permissions(path_ / name, std::filesystem::perms(0755));
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// The library of a fixture (tests/plugin/CMakeLists.txt).
inline std::filesystem::path fixture(const std::string& name) {
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(FTRUN_FIXTURES) / name)) {
    if (entry.path().extension() == ".so") return entry.path();
  }
  throw std::runtime_error("no fixture " + name);
}

inline std::filesystem::path fixture_folder(const std::string& name) {
  return std::filesystem::path(FTRUN_FIXTURES) / name;
}

}  // namespace ftrun
