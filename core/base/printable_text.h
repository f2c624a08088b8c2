// Text from files and flags, made fit for a message.
// Leaves out: what the program writes on purpose (inference/terminal_text.h).
#pragma once

#include <string>
#include <string_view>

namespace ftrun {

/// `text` with control characters as \xHH (line feed and tab as they are) and ill-formed UTF-8 as U+FFFD: a message
/// can neither steer a terminal nor be unreadable for what reads it.
std::string printable_text(std::string_view text);

}  // namespace ftrun
