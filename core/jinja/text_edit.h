// Splitting, stripping and replacing in texts: shared by methods and filters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun::jinja {

enum class Side : uint8_t { kBoth, kLeft, kRight };

/// str.strip and its kin; without `characters`, white space.
std::string stripped(std::string_view text, Side side, const std::optional<std::string>& characters);
/// str.replace; count < 0: all.
std::string replaced(std::string_view text, std::string_view from, std::string_view to, int64_t count);
/// str.split or rsplit at white space.
std::vector<std::string> split_at_space(std::string_view text, int64_t most, bool from_right);
/// str.split or rsplit at a separator, which is not empty.
std::vector<std::string> split_at(std::string_view text, std::string_view separator, int64_t most, bool from_right);
/// str.splitlines.
std::vector<std::string> split_lines(std::string_view text, bool keep_ends);
std::string capitalized(std::string_view text);

}  // namespace ftrun::jinja
