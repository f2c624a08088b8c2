// What a run has left in its folder, for tests: JSON files, the logged history, checkpoints.
// Leaves out: what is asserted.
#pragma once

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/program.h"

namespace ftrun::test {

inline nlohmann::json read_json(const std::filesystem::path& file) { return nlohmann::json::parse(bytes_of(file)); }

/// The values of `key` in the history of a trainer_state.json, of the entries that have it.
inline std::vector<double> logged_in(const std::filesystem::path& state_file, const std::string& key) {
  std::vector<double> values;
  const nlohmann::json state = read_json(state_file);
  for (const nlohmann::json& entry : state.at("log_history")) {
    if (entry.contains(key)) values.push_back(entry.at(key));
  }
  return values;
}

inline std::vector<double> logged(const std::filesystem::path& output_dir, const std::string& key) {
  return logged_in(output_dir / "trainer_state.json", key);
}

/// The names of the checkpoints in a folder, sorted.
inline std::vector<std::string> checkpoints_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("checkpoint-")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace ftrun::test
