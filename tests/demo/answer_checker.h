// Answers a demo question from its text alone: an independent check of the generator, sharing no code or table with it.
#pragma once

#include <string>

namespace ftrun::demo_test {

/// The right answer to `prompt` (instruction, then the input on its own line), or "" where no rule fits.
std::string answer(const std::string& prompt);

}  // namespace ftrun::demo_test
