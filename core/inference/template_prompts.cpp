// The encoder wants the answer as the last message; here it is the one to be made.
#include "core/inference/prompts.h"

#include <fmt/format.h>

namespace ftrun {

std::vector<int32_t> TemplatePrompts::write(const std::vector<Message>& messages, const std::string& system,
                                            const std::string& tools) const {
  std::vector<Message> conversation = messages;
  conversation.push_back({MessageRole::kAssistant, ""});
  return encoder_->encode_prompt(std::move(conversation), system, tools).prompt_ids;
}

std::string TemplatePrompts::name() const { return fmt::format("template '{}'", encoder_->chat_template().name); }

}  // namespace ftrun
