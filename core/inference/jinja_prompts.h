// Prompts by the Jinja chat_template of the model folder, as transformers' apply_chat_template(tokenize=True,
// add_generation_prompt=True) makes them. Leaves out: the language itself (core/jinja).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/data/tokenizer/tokenizer.h"
#include "core/inference/prompts.h"
#include "core/jinja/chat_template_renderer.h"

namespace ftrun {

class JinjaPrompts final : public PromptWriter {
 public:
  /// `file` is what messages call the template. `default_system`: of conversations without one, "" for none.
  /// enable_thinking is handed to the template unless it is null, preserve_thinking where it is true. Throws
  /// INVALID_ARGUMENT for a template that cannot be parsed.
  JinjaPrompts(std::shared_ptr<const Tokenizer> tokenizer, const std::string& chat_template, std::string file,
               std::string default_system, const ThinkingOptions& thinking);

  std::vector<int32_t> write(const std::vector<Message>& messages, const std::string& system,
                             const std::string& tools) const override;
  std::vector<int32_t> stop_ids() const override { return {}; }
  std::string name() const override { return "chat_template of '" + file_ + "'"; }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::string file_;
  ChatTemplateRenderer renderer_;
  std::string default_system_;
  nlohmann::ordered_json special_tokens_;
  nlohmann::ordered_json extra_;
};

}  // namespace ftrun
