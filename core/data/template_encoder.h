// Messages to token ids by a chat template and a tokenizer: one (prompt, response) pair of id lists per turn.
// Leaves out: truncation and loss masks (supervised_encoder.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/chat_template.h"
#include "core/data/conversation.h"

namespace ftrun {

class Tokenizer;

struct ThinkingOptions {
  /// Reasoning templates only. true: an empty thought is part of the response (trained); false: thoughts are removed
  /// and the empty one belongs to the prompt; nullopt: thoughts stay, an empty one belongs to the prompt.
  std::optional<bool> enable_thinking = true;
  bool preserve_thinking = false;  ///< keep thoughts of earlier turns where they would be dropped
};

struct EncodedTurn {
  std::vector<int32_t> prompt_ids;
  std::vector<int32_t> response_ids;
};

/// Prompt for generation and the text the model was or would be trained to answer with.
struct EncodedPrompt {
  std::vector<int32_t> prompt_ids;  ///< up to and including the assistant header
  std::string response_text;        ///< without end tokens
};

/// Immutable after construction; every method may be called from any thread.
class TemplateEncoder {
 public:
  /// `default_system` replaces the template's own when given, also by "". Throws INVALID_ARGUMENT when the tokenizer
  /// lacks the template's end token or a token it names.
  TemplateEncoder(ChatTemplate chat_template, std::shared_ptr<const Tokenizer> tokenizer, ThinkingOptions thinking = {},
                  std::optional<std::string> default_system = std::nullopt);

  /// Turn t = (messages[2t], messages[2t+1]); turn 0's prompt starts with prefix and system.
  /// `discard_history_thoughts`: thoughts of all but the last response are removed (reasoning templates). `messages`
  /// alternates and has even length. Throws RowError for tools or calls that this template cannot write.
  std::vector<EncodedTurn> encode_turns(std::vector<Message> messages, std::string_view system, std::string_view tools,
                                        bool discard_history_thoughts = false) const;

  /// One turn: the last message is its response, everything before it the prompt, in which a reasoning template keeps
  /// no thoughts unless told to preserve them. As LLaMA-Factory 0.9.5's encode_oneturn. Throws as encode_turns.
  EncodedTurn encode_last_turn(std::vector<Message> messages, std::string_view system, std::string_view tools) const;

  /// The last message is the response being asked for (content "" when unknown); everything before it is the prompt.
  EncodedPrompt encode_prompt(std::vector<Message> messages, std::string_view system, std::string_view tools) const;

  /// The id that ends a response: the template's when it replaces EOS, else the tokenizer's; nullopt if there is none.
  std::optional<int32_t> eos_id() const noexcept { return eos_id_; }
  /// eos_id and the template's stop words that the tokenizer knows; sorted, unique.
  const std::vector<int32_t>& stop_ids() const noexcept { return stop_ids_; }
  const ChatTemplate& chat_template() const noexcept { return template_; }
  const Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
  const ThinkingOptions& thinking() const noexcept { return thinking_; }
  /// The system text of conversations that have none; "" when there is none.
  const std::string& default_system() const noexcept { return default_system_; }
  /// Covers template file, tokenizer, thinking options and default system.
  uint64_t fingerprint() const noexcept { return fingerprint_; }

 private:
  std::vector<std::vector<int32_t>> encode_messages(const std::vector<Message>& messages, std::string_view system,
                                                    std::string_view tools) const;
  void drop_thoughts_of_last_turn(std::vector<Message>& messages) const;
  void append_slot(const Slot& slot, std::string_view content, std::vector<int32_t>& ids) const;
  std::string remove_thoughts(std::string_view text) const;
  bool has_thought(std::string_view text) const;
  std::string function_text(std::string_view content) const;
  std::string tools_text(std::string_view tools) const;
  int32_t required_token(const std::string& token, std::string_view what) const;

  ChatTemplate template_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  ThinkingOptions thinking_;
  std::string default_system_;
  std::optional<int32_t> eos_id_;
  std::vector<int32_t> stop_ids_;
  std::vector<int32_t> empty_thought_ids_;
  uint64_t fingerprint_ = 0;
};

}  // namespace ftrun
