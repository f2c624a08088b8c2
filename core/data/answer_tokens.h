// Where the answers of a conversation stand among the tokens of its whole text.
// Leaves out: the text (core/jinja) and what becomes of the tokens (jinja_encoder.h).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/tokenizer/tokenizer.h"
#include "core/jinja/chat_template_renderer.h"

namespace ftrun {

/// Tokens [begin, end).
struct TokenRange {
  size_t begin = 0;
  size_t end = 0;
};

/// The tokens that transformers' assistant masks mark for bytes [begin, end): from the first token that has the first
/// character to the first one that has the last (char_to_token). Empty where the bytes are.
TokenRange marked_tokens(const TokenizedText& tokens, RenderedChat::Range bytes);

/// What a template writes around one answer. Each text is a rendering of a beginning of the conversation.
struct AnswerPrefixes {
  std::string prompt;    ///< what is asked, with add_generation_prompt
  std::string asked;     ///< the same without; needed only where `whole` does not begin with `prompt`
  std::string header;    ///< what stands before any answer here; needed as `asked` is, "" where it is not known
  std::string answered;  ///< up to and including the answer, alone
};

/// The tokens of `whole` that an answer adds to its prompt. They begin after `prompt`; where `whole` does not begin
/// with it, but with `asked`, where the tokens of both diverge (a generation prompt that opens a thought which the
/// answer does not have), as trl 1.16 does, but not inside the answer, which may begin with the same characters. They
/// end where `answered` does; where `whole` does not begin with that, before what the template writes at the end of
/// every conversation. nullopt where the texts do not nest so. `encode` is Tokenizer::encode of the tokenizer that made
/// `tokens`.
std::optional<TokenRange> nested_tokens(std::string_view whole, const TokenizedText& tokens,
                                        const AnswerPrefixes& prefixes, const Tokenizer& tokenizer);

}  // namespace ftrun
