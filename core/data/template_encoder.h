// Messages to token ids by the slots of a chat template and a tokenizer: a (prompt, response) pair of id lists per
// turn. Leaves out: truncation and loss masks (supervised_encoder.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/chat_template.h"
#include "core/data/conversation_encoder.h"
#include "core/data/written_answer.h"

namespace ftrun {

/// Immutable after construction; every method may be called from any thread.
class TemplateEncoder final : public ConversationEncoder {
 public:
  /// `default_system` replaces the template's own when given, also by "". Throws INVALID_ARGUMENT when the tokenizer
  /// lacks the template's end token or a token it names.
  TemplateEncoder(ChatTemplate chat_template, std::shared_ptr<const Tokenizer> tokenizer, ThinkingOptions thinking = {},
                  std::optional<std::string> default_system = std::nullopt);

  /// The first prompt starts with prefix and system. All of it is one rendering, whatever is learnt of it: the text
  /// that the template's jinja makes of the conversation (see write_answer). Throws RowError for tools or calls that
  /// this template cannot write.
  std::vector<EncodedTurn> encode_turns(std::span<const Message> messages, std::optional<std::string_view> system,
                                        std::string_view tools, LearntAnswers learnt = LearntAnswers::kAll,
                                        RenderingNotes* notes = nullptr) const override;
  std::vector<EncodedTurn> encode_answers(std::span<const Message> prompt, std::span<const Message> answers,
                                          std::optional<std::string_view> system, std::string_view tools,
                                          RenderingNotes* notes = nullptr) const override;
  EncodedPrompt encode_prompt(std::span<const Message> messages, std::optional<std::string_view> system,
                              std::string_view tools) const override;

  /// The same ids as encode_turns as one turn: the last message is its response, everything before it the prompt.
  EncodedTurn encode_last_turn(std::span<const Message> messages, std::optional<std::string_view> system,
                               std::string_view tools, RenderingNotes* notes = nullptr) const;

  std::optional<int32_t> eos_id() const override { return eos_id_; }
  /// eos_id and the template's stop words that the tokenizer knows.
  const std::vector<int32_t>& stop_ids() const override { return stop_ids_; }
  bool ends_once() const override { return template_.efficient_eos; }
  std::string document_end() const override { return template_.document_end; }
  std::string name() const override { return "template '" + template_.name + "'"; }
  SavedTemplate saved_template() const override;
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  const ChatTemplate& chat_template() const noexcept { return template_; }
  const ThinkingOptions& thinking() const noexcept { return thinking_; }
  /// The system text of conversations that have none; "" when there is none.
  const std::string& default_system() const noexcept { return default_system_; }
  /// Covers template file, tokenizer, thinking options and default system.
  uint64_t fingerprint() const override { return fingerprint_; }

 private:
  void append_pieces(std::span<const SlotPiece> pieces, std::vector<int32_t>& ids) const;
  void append_slot(const Slot& slot, std::string_view content, std::vector<int32_t>& ids) const;
  void append_question(std::span<const Message> asked, std::vector<int32_t>& ids) const;
  /// nullopt: there is nothing to write.
  std::optional<std::string> system_text(std::optional<std::string_view> system, std::string_view tools) const;
  std::string trimmed(std::string_view text) const;
  std::string empty_thought() const { return template_.thought_open + template_.thought_close; }
  bool trains_empty_thoughts() const { return thinking_.enable_thinking.value_or(false); }
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
