// The rows that predict answers: prompts as ids, and the answers that the data has.
// Leaves out: answering them (predict_command.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/data/dataset.h"
#include "core/inference/held_out_rows.h"

namespace ftrun {

struct PredictRow {
  std::vector<int32_t> prompt_ids;   ///< whole: prompts are not cut
  std::optional<std::string> label;  ///< the row's last answer, of a pair the chosen one; nullopt where there is none
  std::string place;                 ///< "FILE:LINE"
};

/// Rows of eval_dataset, or of dataset where that is not given, in file order, the first max_samples of each. A row may
/// be of any kind, and lack its last answer: then it has no label; nor has a row whose answer is labelled bad. Plain
/// text is the user's turn. With `held_out` only rows that are in it. Throws INVALID_ARGUMENT listing places for more
/// than max_bad_rows rows that do not fit their format or the template.
std::vector<PredictRow> read_predict_rows(const DataSpec& spec, const ConversationEncoder& prompts,
                                          const HeldOutRows* held_out = nullptr);

}  // namespace ftrun
