// Candidates in a fixed order.
#include "core/io/noted_folder.h"

#include <algorithm>

namespace ftrun {
namespace fs = std::filesystem;
namespace {

/// Without a slash at its end.
fs::path normal(const fs::path& path) {
  const fs::path result = fs::absolute(path).lexically_normal();
  return result.has_filename() ? result : result.parent_path();
}

}  // namespace

std::vector<fs::path> places_of_noted_folder(const std::string& path, const fs::path& beside) {
  std::vector<fs::path> places;
  const fs::path folder = normal(beside);
  for (const fs::path& from : {fs::current_path(), folder, folder.parent_path()}) {
    const fs::path place = normal(from / path);  // an absolute path is itself
    if (std::ranges::find(places, place) == places.end()) places.push_back(place);
  }
  return places;
}

std::vector<fs::path> folders_with(const std::vector<fs::path>& places, const std::string& file_name) {
  std::vector<fs::path> folders;
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (!fs::is_regular_file(place / file_name, ignored)) continue;
    const auto is_it = [&](const fs::path& other) { return fs::equivalent(other, place); };
    if (std::ranges::none_of(folders, is_it)) folders.push_back(place);
  }
  return folders;
}

std::string path_to_note(const std::string& path) { return path.empty() ? path : normal(path).string(); }

}  // namespace ftrun
