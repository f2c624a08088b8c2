// Prompts and expected answers of an encoded dataset's source rows, for evaluation by generation.
// Leaves out: generation and scoring.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/dataset.h"

namespace ftrun {

struct PromptRow {
  std::vector<int32_t> prompt_ids;  ///< up to and including the assistant header of the last turn, never truncated
  std::string prompt;               ///< the same as text, special tokens included
  std::string label;                ///< the last response, without end tokens
  std::string file;
  int64_t line = 0;
};

/// Prompts of `dataset`'s first `max_rows` documents (all when < 0), in its order; it must come from
/// prepare_data(spec, ...) with the same spec. Reads the source rows again. Throws FAILED_PRECONDITION when a file has
/// changed since, and for plain text. The label of a pair is its chosen answer. [control-thread]
std::vector<PromptRow> load_prompts(const DataSpec& spec, const PreparedData& prepared, const EncodedDataset& dataset,
                                    int64_t max_rows);

}  // namespace ftrun
