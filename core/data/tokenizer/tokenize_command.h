// The work of `ftrun tokenize`: lines of text to JSON arrays of ids and back.
// Leaves out: arguments and opening files (cli/).
#pragma once

#include <iosfwd>
#include <string>

#include "core/data/tokenizer/tokenizer.h"

namespace ftrun {

/// Encode (`decode` false): for each line of `in` (LF ends a line; a CR before it belongs to the text; the last line
/// need not end in LF) one line with a JSON array of ids, without special tokens added, for example "[9707,11]".
/// Decode: each line of `in` is a JSON array of ids; writes its text (special tokens kept) as one plain line. A line
/// break inside the text is written as it is, so the way back is exact for texts without line breaks.
/// Returns the number of lines processed. Throws INVALID_ARGUMENT "NAME:LINE: ..." (`name` is what messages call `in`)
/// for text that is not valid UTF-8, malformed JSON, anything that is not an array of integers, or an id the tokenizer
/// does not have; DATA_LOSS when reading or writing fails.
int tokenize_stream(const Tokenizer& tokenizer, std::istream& in, const std::string& name, std::ostream& out,
                    bool decode);

}  // namespace ftrun
