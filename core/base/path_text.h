// Paths as people write them, with ~ and ${NAME}, to paths that can be opened.
// Leaves out: which values are paths (config/option_value.cpp), whether anything is there.
#pragma once

#include <string>
#include <string_view>

namespace ftrun {

/// `written` with a leading ~ (alone or before a slash) as $HOME, ${NAME} as that environment variable and $$ as one $.
/// What is put in is not looked at again. Throws INVALID_ARGUMENT "PLACE: ..." for a variable that is unset or empty,
/// ~USER, $NAME without braces, an open ${ and control characters. `place` is "ORIGIN: KEY".
std::string expand_path(std::string_view written, std::string_view place);

/// What expand_path reads as `path`: for paths that are put where people write them.
std::string unexpanded_path(std::string_view path);

/// Throws INVALID_ARGUMENT "PLACE: ..." when `text` has a control character (below 0x20, or 0x7F), which no path has on
/// purpose. A zero byte would cut the path short without a word.
void require_plain_path(std::string_view text, std::string_view place);

}  // namespace ftrun
