// What one row of a data set is read for: the kinds that a paradigm can ask for, and prompts to be answered.
// Leaves out: how rows are written in files (row_format.h) and how they become tokens (row_encoder.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ftrun {

enum class RowKind : uint8_t {
  kSupervised,  ///< a conversation whose answers are learnt
  kPairwise,    ///< one prompt, a chosen and a rejected answer
  kLabelled,    ///< one prompt, one answer, and whether it is a good one
  kPlain,       ///< text
  kPrompt       ///< a prompt to answer, of rows of any other kind, with the answer that they have or without one
};

/// "supervised", "pairwise", "labelled", "plain": the names of ftrun_data_spec.format; "prompt" is not one of those.
std::string_view row_kind_name(RowKind kind) noexcept;
/// What a paradigm can ask for. Throws INVALID_ARGUMENT with the nearest name.
RowKind parse_row_kind(std::string_view name);
/// For messages: "single answers", "pairs of answers", ...
std::string_view row_kind_text(RowKind kind) noexcept;
/// For messages: "this stage learns from single answers", "this command answers prompts".
std::string row_kind_use(RowKind kind);
/// Documents that one row is encoded to: two for a pair, the chosen one first.
int64_t documents_of_kind(RowKind kind) noexcept;

}  // namespace ftrun
