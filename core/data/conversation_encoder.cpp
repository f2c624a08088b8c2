// A prompt is a conversation whose answer is not known yet.
#include "core/data/conversation_encoder.h"

namespace ftrun {

std::vector<int32_t> ConversationEncoder::ask(std::span<const Message> asked, std::optional<std::string_view> system,
                                              std::string_view tools) const {
  std::vector<Message> messages(asked.begin(), asked.end());
  messages.push_back({MessageRole::kAssistant, ""});
  return encode_prompt(messages, system, tools).prompt_ids;
}

std::string ConversationEncoder::description() const {
  const std::string source = mask_source();
  return source.empty() ? name() : name() + ", " + source;
}

}  // namespace ftrun
