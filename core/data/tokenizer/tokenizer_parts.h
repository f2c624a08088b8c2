// Builds the parts of a tokenizer from what tokenizer.json says, refusing by name what is not supported.
// Leaves out: running them (normalizer.h, pre_tokenizer.h, bpe_model.h, added_tokens.h).
#pragma once

#include <cstdint>
#include <vector>

#include "core/data/tokenizer/added_tokens.h"
#include "core/data/tokenizer/bpe_model.h"
#include "core/data/tokenizer/json_view.h"
#include "core/data/tokenizer/normalizer.h"
#include "core/data/tokenizer/pre_tokenizer.h"
#include "core/data/tokenizer/tokenizer_json.h"

namespace ftrun {

/// Ids put before and after a text when special tokens are asked for.
struct PostProcessor {
  std::vector<int32_t> prefix;
  std::vector<int32_t> suffix;
};

/// How token texts become text.
enum class DecoderKind {
  kByteLevel,       ///< byte alphabet to bytes
  kConcatenate,     ///< texts as they are
  kJoinWithSpaces,  ///< no decoder in the file
};

/// All of these throw INVALID_ARGUMENT naming file and key path. `root` is the whole document.
void check_document(const JsonView& root);
Normalizer read_normalizer(const JsonView& root);
PreTokenizer read_pre_tokenizer(const JsonView& root);
PostProcessor read_post_processor(const JsonView& root);
DecoderKind read_decoder(const JsonView& root);

/// Consumes the tables of `document`.
BpeModel read_model(TokenizerJson& document, const JsonView& root);

/// Added tokens in file order, with the ids that `tokenizers` gives them: the vocabulary's, else the next free one.
/// A file that states another id is refused.
std::vector<AddedToken> read_added_tokens(const JsonView& root, const TokenTable& vocabulary);

}  // namespace ftrun
