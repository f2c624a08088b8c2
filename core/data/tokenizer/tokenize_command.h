// The work of `ftrun tokenize`: lines of text to JSON arrays of ids and back.
// Leaves out: arguments and opening files (cli/).
#pragma once

#include <iosfwd>
#include <string>

#include "core/data/tokenizer/tokenizer.h"

namespace ftrun {

struct TokenizeOptions {
  bool decode = false;
  /// Encoding adds the special tokens of the tokenizer's post-processor, decoding keeps special tokens in the text.
  bool special_tokens = true;
};

/// Encode: for each line of `in` (LF ends a line; a CR before it belongs to the text; the last line need not end in LF)
/// one line with a JSON array of ids, for example "[9707,11]".
/// Decode: each line of `in` is a JSON array of ids; writes its text as one plain line. A line break inside the text is
/// written as it is, so the way back is exact for texts without line breaks to which no special tokens were added.
/// Returns the number of lines processed. Throws INVALID_ARGUMENT "NAME:LINE: ..." (`name` is what messages call `in`)
/// for text that is not valid UTF-8, malformed JSON, anything that is not an array of integers, or an id the tokenizer
/// does not have; DATA_LOSS when reading or writing fails.
/// Source: huggingface/tokenizers, Tokenizer.encode and Tokenizer.decode with the defaults of add_special_tokens (true)
/// and, unlike theirs, of skip_special_tokens (false).
int tokenize_stream(const Tokenizer& tokenizer, std::istream& in, const std::string& name, std::ostream& out,
                    const TokenizeOptions& options);

}  // namespace ftrun
