// A text to token ids, all of them targets.
// Leaves out: laying texts end to end and cutting them into rows (row_plan.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/data/conversation_encoder.h"
#include "core/data/encoded_example.h"

namespace ftrun {

struct PlainOptions {
  int32_t end_id = 0;                 ///< stands at the end of every text
  std::optional<int32_t> begin_id;    ///< and this at its beginning, where given
  std::optional<int32_t> cutoff_len;  ///< longer texts are cut; unset: they are not
};

/// What ends and begins texts: the template's document_end where it has one, else the tokenizer's end-of-sequence
/// token; the tokenizer's beginning-of-sequence token when `add_bos` (unset: when its add_bos_token says so). Throws
/// INVALID_ARGUMENT when the tokenizer lacks one of them. Source: LLaMA-Factory 0.9.5 PretrainDatasetProcessor, which
/// with packing overwrites each row's first token by the beginning token instead.
PlainOptions plain_options(const ConversationEncoder& encoder, std::optional<bool> add_bos,
                           const std::string& place = "add_bos");

/// [any-thread]
EncodedItem encode_plain(const Tokenizer& tokenizer, const PlainOptions& options, const AlignedRow& row);

}  // namespace ftrun
