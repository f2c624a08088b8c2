// Messages that say a place twice because two layers name it: "--top_p: top_p: expected ...", "a.yaml:3: a.yaml:3:
// ...". Leaves out: who writes them (core/config and everything that reads its values).
#pragma once

#include <string>
#include <string_view>

namespace ftrun {

/// `message` with, at the beginning of a word, every "--KEY: KEY: " as "--KEY: " and every "FILE:LINE: FILE:LINE: " as
/// "FILE:LINE: ". A flag that is an alias keeps both names.
std::string name_places_once(std::string_view message);

}  // namespace ftrun
