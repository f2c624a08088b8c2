// Messages about a flag's value: "--top_p: top_p: expected ..." names the key twice, "FILE:3: top_p: expected ..."
// once. Leaves out: who writes them (core/config and everything that reads its values).
#pragma once

#include <string>
#include <string_view>

namespace ftrun {

/// `message` with every "--KEY: KEY: " at the beginning of a word as "--KEY: ". A flag that is an alias keeps both
/// names.
std::string name_flags_once(std::string_view message);

}  // namespace ftrun
