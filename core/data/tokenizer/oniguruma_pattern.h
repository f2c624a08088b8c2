// Translates a regular expression from Oniguruma's dialect (used by `tokenizers`) to PCRE2's, same matches.
// Leaves out: constructs whose meaning differs in ways that cannot be written down in PCRE2; they are refused by name.
#pragma once

#include <string>
#include <string_view>

namespace ftrun {

/// The PCRE2 pattern (options UTF, UCP, MULTILINE, newline LF) that matches what `pattern` matches in Oniguruma 6.9
/// with Unicode 16. Throws INVALID_ARGUMENT naming construct and offset; the caller prefixes file and key.
std::string translate_oniguruma(std::string_view pattern);

}  // namespace ftrun
