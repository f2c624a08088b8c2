// Template text to tokens, with Jinja's white space control (trim_blocks, lstrip_blocks, "-" and "+").
#pragma once

#include <string_view>
#include <vector>

#include "core/jinja/token.h"

namespace ftrun::jinja {

/// All tokens, ending with kEnd. Comments are gone. Throws TemplateSyntaxError with its line.
std::vector<Token> tokenize(std::string_view source);

}  // namespace ftrun::jinja
