// Hand-written equivalents of the pre-tokenizer expressions that nearly all byte-level tokenizers use.
// Leaves out: any other expression (regex.h); equality is shown by a differential test against regex.h.
#pragma once

#include <string_view>
#include <vector>

#include "core/data/tokenizer/regex.h"

namespace ftrun {

/// Cuts well-formed `text` into consecutive words that cover it all, appended to `words`. [any-thread]
using WordScanner = void (*)(std::string_view text, std::vector<TextRange>& words);

/// The expression of the ByteLevel pre-tokenizer with use_regex.
extern const std::string_view kByteLevelExpression;

/// The scanner that does what `oniguruma_pattern` does when every word is a match; null when there is none.
WordScanner scanner_for(std::string_view oniguruma_pattern);

}  // namespace ftrun
