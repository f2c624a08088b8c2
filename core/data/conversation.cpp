// Names of roles and the joined form of a row.
#include "core/data/conversation.h"

namespace ftrun {

std::string_view role_name(MessageRole role) noexcept {
  switch (role) {
    case MessageRole::kUser:
      return "user";
    case MessageRole::kAssistant:
      return "assistant";
    case MessageRole::kObservation:
      return "observation";
    case MessageRole::kFunction:
      return "function";
  }
  return "unknown";
}

std::vector<Message> whole_conversation(const AlignedRow& row, size_t response) {
  std::vector<Message> messages = row.prompt;
  if (response < row.responses.size()) messages.push_back(row.responses[response]);
  return messages;
}

}  // namespace ftrun
