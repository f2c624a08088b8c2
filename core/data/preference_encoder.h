// A prompt with a chosen and a rejected answer, or with one answer that is good or bad, to token ids and labels.
// Leaves out: the losses that compare them (paradigm plugins).
#pragma once

#include <cstdint>

#include "core/data/conversation_encoder.h"
#include "core/data/encoded_example.h"

namespace ftrun {

/// Chosen and rejected document of one prompt, as LLaMA-Factory 0.9.5's PairwiseDatasetProcessor: the prompt as written
/// for the chosen answer, one cut for both (turn_lengths with the longer answer), labels on the answers only. A prompt
/// that alone exceeds cutoff_len is not encoded. Throws RowError when the row does not fit the template or both answers
/// encode to the same tokens. [any-thread]
EncodedItem encode_pair(const ConversationEncoder& encoder, int32_t cutoff_len, const AlignedRow& row);

/// The prompt with its answer, as LLaMA-Factory 0.9.5's FeedbackDatasetProcessor. [any-thread]
EncodedItem encode_labelled(const ConversationEncoder& encoder, int32_t cutoff_len, const AlignedRow& row);

}  // namespace ftrun
