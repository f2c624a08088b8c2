// Tool calls that a row writes as text: LLaMA-Factory's function messages.
// Leaves out: calls as structure (format_openai.cpp).
#pragma once

#include <string_view>

#include "core/data/conversation.h"

namespace ftrun {

/// The assistant's message that `text` is: one {"name", "arguments"} object or an array of them, bare or each inside
/// <tool_call>...</tool_call>, after a thought <think>...</think> or other text, or after nothing. A line break before
/// a call is the template's, not the text's. Throws RowError saying what was expected. [any-thread]
Message message_with_calls(std::string_view text);

/// A call as structure: {"name": TEXT, "arguments": ...}. `given` is what chat templates get of it. Throws RowError,
/// also for another key that says something.
ToolCall tool_call_of(const nlohmann::ordered_json& function, nlohmann::ordered_json given);

}  // namespace ftrun
