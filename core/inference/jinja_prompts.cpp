// Special tokens stand in the rendered text already, a leading bos too.
#include "core/inference/jinja_prompts.h"

#include <utility>

#include "core/data/chat_messages.h"

namespace ftrun {
JinjaPrompts::JinjaPrompts(std::shared_ptr<const Tokenizer> tokenizer, const std::string& chat_template,
                           std::string file, std::string default_system, const ThinkingOptions& thinking)
    : tokenizer_(std::move(tokenizer)),
      file_(std::move(file)),
      renderer_(chat_template, file_),
      default_system_(std::move(default_system)),
      special_tokens_(chat_special_tokens(tokenizer_->config())) {
  extra_ = nlohmann::ordered_json::object();
  if (thinking.enable_thinking) extra_["enable_thinking"] = *thinking.enable_thinking;
  if (thinking.preserve_thinking) extra_["preserve_thinking"] = true;
}

std::vector<int32_t> JinjaPrompts::write(const std::vector<Message>& messages, const std::string& system,
                                         const std::string& tools) const {
  ChatTemplateInput input;
  input.messages = chat_messages(messages, system.empty() ? default_system_ : system);
  input.tools = chat_tools(tools);
  input.add_generation_prompt = true;
  input.special_tokens = special_tokens_;
  input.extra = extra_;
  return tokenizer_->encode(renderer_.render_chat(input));
}

}  // namespace ftrun
