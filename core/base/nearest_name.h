// The closest known name to a misspelt one, for error messages.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace ftrun {

/// Damerau-Levenshtein-nearest of `known` to `name`, or "" when nothing is close enough to be a likely typo
/// (distance above max(2, length / 3)). Case and '-' against '_' cost nothing.
std::string nearest_name(std::string_view name, std::span<const std::string> known);

/// " (did you mean 'x'?)" or "" from nearest_name.
std::string did_you_mean(std::string_view name, std::span<const std::string> known);

}  // namespace ftrun
