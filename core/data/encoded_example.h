// What a row becomes: token ids and labels of its documents, and what the cut took from them.
// Leaves out: how (supervised_encoder.h, preference_encoder.h, plain_encoder.h).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/data/conversation.h"
#include "core/data/rendering_notes.h"

namespace ftrun {

/// Tokens of one document and what the cut took from it.
struct EncodedExample {
  std::vector<int32_t> ids;
  std::vector<int32_t> labels;  ///< ids[t] or kIgnoredLabel, not shifted
  bool truncated = false;
  bool lost_eos = false;          ///< a trained response was cut at its end
  bool lost_prompt_tail = false;  ///< a prompt was cut at its end, where the assistant header is
  bool lost_turns = false;        ///< whole turns did not fit
  bool marked_unlearnt = false;   ///< no answer that could be learnt may be, as the row says
  RenderingNotes notes;           ///< of the whole row
};

/// One row: a pair has two documents, the chosen one first, every other kind one.
struct EncodedItem {
  std::vector<EncodedExample> documents;
  double annotation = 0;               ///< a pair's margin; 1 for a desirable answer, 0 for an undesirable one
  bool prompt_exceeds_cutoff = false;  ///< dropped for it: documents are empty
};

/// How one format-independent row becomes tokens. Throws RowError when it does not fit. [any-thread]
using RowEncoder = std::function<EncodedItem(const AlignedRow& row)>;

}  // namespace ftrun
