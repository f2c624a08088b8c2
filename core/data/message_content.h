// The content of a message: a string, or parts of which only text, thoughts and tool calls can be learnt from.
// Leaves out: pictures, sound and documents, which are refused.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/conversation.h"

namespace ftrun {

struct MessageContent {
  std::string text;                    ///< the parts of type text, joined
  std::optional<std::string> thought;  ///< parts of type reasoning, joined
  std::vector<ToolCall> calls;         ///< parts of type tool_call or tool_calls
};

/// A string or an array of parts: {"type": "text", "text": ...} (OpenAI), {"type": TYPE, "value": ...} with TYPE text,
/// reasoning, tool_call or tool_calls (LLaMA-Factory v1). Throws RowError naming message, key and part.
MessageContent read_content(const nlohmann::ordered_json& content, std::string_view key, size_t index);

/// Moves the thought and the calls of `content` to `message`. Throws RowError for those of one who does not answer.
void add_parts(MessageContent content, size_t index, Message& message);

}  // namespace ftrun
