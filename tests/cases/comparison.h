// Holds what came of a run against what was expected. Leaves out: running.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/cases/case_file.h"

namespace ftrun::test {

/// The value under a path of '/'-separated keys and indices; with `*` in it an array of all that have the rest.
/// Absent: discarded JSON.
nlohmann::json value_at(const nlohmann::json& document, const std::string& path);

/// One line per difference; empty: none. `folder` is the run's working folder.
std::vector<std::string> text_differences(const ExpectedText& expected, const std::string& actual);
std::vector<std::string> value_differences(const std::vector<ExpectedValue>& expected, const nlohmann::json& document,
                                           const std::filesystem::path& folder);
std::vector<std::string> file_differences(const ExpectedFile& expected, const std::filesystem::path& folder);

}  // namespace ftrun::test
