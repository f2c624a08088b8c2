// A row to token ids and labels in one call, so that template and loss mask cannot drift apart.
// Leaves out: packing.
#pragma once

#include <cstdint>
#include <utility>

#include "core/data/conversation_encoder.h"
#include "core/data/encoded_example.h"

namespace ftrun {

struct SupervisedOptions {
  int32_t cutoff_len = 2048;
  bool train_on_prompt = false;  ///< prompts are targets too
  bool mask_history = false;     ///< only the last response is a target; the last turns have first claim on the budget
};

/// Lengths (prompt, response) of a turn inside `budget` tokens. Source: LLaMA-Factory 0.9.5 infer_seqlen.
std::pair<int64_t, int64_t> turn_lengths(int64_t prompt, int64_t response, int64_t budget);

/// Turn by turn inside cutoff_len, as LLaMA-Factory's SupervisedDatasetProcessor. Throws RowError when the row does not
/// fit the template. [any-thread]
EncodedExample encode_supervised(const ConversationEncoder& encoder, const SupervisedOptions& options,
                                 const AlignedRow& row);

}  // namespace ftrun
