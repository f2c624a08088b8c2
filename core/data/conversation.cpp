// Names of roles, turns, and the joined form of a row.
#include "core/data/conversation.h"

#include "core/data/python_json.h"

namespace ftrun {

std::string_view role_name(MessageRole role) noexcept {
  switch (role) {
    case MessageRole::kUser:
      return "user";
    case MessageRole::kAssistant:
      return "assistant";
    case MessageRole::kObservation:
      return "observation";
  }
  return "unknown";
}

std::vector<TurnRange> turns_of(std::span<const Message> messages) {
  std::vector<TurnRange> turns;
  size_t first = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!messages[i].is_answer()) continue;
    turns.push_back({first, i});
    first = i + 1;
  }
  return turns;
}

std::string answer_text(const Message& message) {
  if (message.calls.empty()) return message.content;
  nlohmann::ordered_json calls = nlohmann::ordered_json::array();
  for (const ToolCall& call : message.calls) calls.push_back({{"name", call.name}, {"arguments", call.arguments}});
  return message.content + (message.content.empty() ? "" : "\n") + python_json(calls);
}

std::vector<Message> whole_conversation(const AlignedRow& row, size_t response) {
  std::vector<Message> messages = row.prompt;
  if (response < row.responses.size()) messages.push_back(row.responses[response]);
  return messages;
}

}  // namespace ftrun
