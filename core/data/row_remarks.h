// What a row says that may well be meant and is learnt as it stands, and that a person should know of.
// Leaves out: rows that do not fit (RowError) and empty texts (row_pipeline.cpp).
#pragma once

#include <string>

#include "core/data/conversation.h"
#include "core/data/row_kind.h"

namespace ftrun {

/// The first tool call whose arguments are neither a JSON object nor the text of one, as "'NAME': ARGUMENTS" with long
/// arguments cut; "" when there is none. A rejected or undesirable answer may well call wrongly. [any-thread]
std::string call_without_object(const AlignedRow& row, RowKind kind);

/// The first placeholder of a medium ("<image>", "<video>", "<audio>") in system text and messages, in quotes; "" when
/// there is none, and for plain text. [any-thread]
std::string medium_in_text(const AlignedRow& row, RowKind kind);

}  // namespace ftrun
