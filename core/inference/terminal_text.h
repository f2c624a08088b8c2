// What goes to a terminal and what comes from it: control characters are neither answers nor questions.
// Leaves out: pipes, which get and give bytes as they are.
#pragma once

#include <string>
#include <string_view>

namespace ftrun {

/// `text` (whole UTF-8 characters) with U+FFFD for every control character but tab and line feed, so that a model's
/// answer cannot move the cursor, set colours or type.
std::string terminal_output(std::string_view text);

/// A typed line without the sequences that arrow and function keys leave in it (ESC [ ... letter, ESC O letter) and
/// without other control characters but tab and line feed.
std::string terminal_input(std::string_view line);

}  // namespace ftrun
