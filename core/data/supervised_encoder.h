// A row to token ids and labels in one call, so that template and loss mask cannot drift apart.
// Leaves out: packing.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "core/data/conversation.h"
#include "core/data/template_encoder.h"

namespace ftrun {

struct SupervisedOptions {
  int32_t cutoff_len = 2048;
  bool train_on_prompt = false;  ///< prompts are targets too
  bool mask_history = false;     ///< only the last response is a target; the last turns have first claim on the budget
};

/// Tokens of one row and what the cut took from it.
struct EncodedExample {
  std::vector<int32_t> ids;
  std::vector<int32_t> labels;  ///< ids[t] or kIgnoredLabel, not shifted
  bool truncated = false;
  bool lost_eos = false;          ///< a trained response was cut at its end
  bool lost_prompt_tail = false;  ///< a prompt was cut at its end, where the assistant header is
  bool lost_turns = false;        ///< whole turns did not fit
};

/// How one format-independent row becomes tokens; a later paradigm brings its own.
using RowEncoder = std::function<EncodedExample(const AlignedRow& row)>;

/// Lengths (prompt, response) of a turn inside `budget` tokens. Source: LLaMA-Factory 0.9.5 infer_seqlen.
std::pair<int64_t, int64_t> turn_lengths(int64_t prompt, int64_t response, int64_t budget);

/// Turn by turn inside cutoff_len, as LLaMA-Factory's SupervisedDatasetProcessor. Throws RowError when the row does not
/// fit the template. [any-thread]
EncodedExample encode_supervised(const TemplateEncoder& encoder, const SupervisedOptions& options,
                                 const AlignedRow& row);

}  // namespace ftrun
