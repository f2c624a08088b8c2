// Conversations by the tokenizer's own Jinja chat_template, as transformers' apply_chat_template writes them: one text,
// tokenized at once, and the answers' places in it.
// Leaves out: the language (core/jinja), what a template is given (chat_messages.h), finding tokens (answer_tokens.h).
#pragma once

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/data/answer_tokens.h"
#include "core/data/conversation_encoder.h"
#include "core/data/tokenizer/tokenizer.h"
#include "core/data/written_answer.h"
#include "core/jinja/chat_template_renderer.h"

namespace ftrun {

struct JinjaOptions {
  std::string default_system;  ///< of conversations without a system text; "" for none
  ThinkingOptions thinking;    ///< handed on as variables, see chat_variables
  std::optional<std::tm> now;  ///< what strftime_now shows; absent: the time at construction
};

/// Answers are what {% generation %} blocks have written, where the template has them: transformers'
/// return_assistant_tokens_mask. Otherwise what each answer adds to the text before it, with add_generation_prompt: the
/// text of a beginning must begin the text of the whole, or the row is refused.
class JinjaEncoder final : public ConversationEncoder {
 public:
  /// `file` is what messages call the text. Throws INVALID_ARGUMENT when it cannot be parsed.
  JinjaEncoder(std::shared_ptr<const Tokenizer> tokenizer, const std::string& chat_template, std::string file,
               JinjaOptions options);

  std::vector<EncodedTurn> encode_turns(std::span<const Message> messages, std::optional<std::string_view> system,
                                        std::string_view tools, LearntAnswers learnt,
                                        RenderingNotes* notes = nullptr) const override;
  /// Tokens of the prompt that only some of the answers share with it belong to the answers.
  std::vector<EncodedTurn> encode_answers(std::span<const Message> prompt, std::span<const Message> answers,
                                          std::optional<std::string_view> system, std::string_view tools,
                                          RenderingNotes* notes = nullptr) const override;
  EncodedPrompt encode_prompt(std::span<const Message> messages, std::optional<std::string_view> system,
                              std::string_view tools) const override;

  std::optional<int32_t> eos_id() const override { return tokenizer_->eos_id(); }
  const std::vector<int32_t>& stop_ids() const override { return stop_ids_; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  std::string name() const override { return "chat_template of '" + file_ + "'"; }
  /// "masks from its generation marks, of pairs from rendered prefixes" or "masks from rendered prefixes".
  std::string mask_source() const override;
  SavedTemplate saved_template() const override;
  uint64_t fingerprint() const override { return fingerprint_; }

  /// Throws INVALID_ARGUMENT with the reason when a question with its answer cannot be learnt by this template. Logs a
  /// warning when what it writes at the end of an answer ends no generation.
  void require_learnable() const;

 private:
  using Json = nlohmann::ordered_json;
  struct Chat;
  Chat chat_of(std::span<const Message> messages, std::optional<std::string_view> system, std::string_view tools) const;
  /// The same messages, to be changed.
  static Chat unwritten(const Chat& chat);
  void write(Chat& chat) const;
  void note(const Chat& chat, std::span<const Message> messages, std::optional<std::string_view> system,
            RenderingNotes& notes) const;
  RenderedChat render(const Chat& chat, size_t messages, bool add_generation_prompt) const;
  /// The places of each answer that is `wanted`, [answers]; none of another that cannot be told.
  std::vector<std::vector<TokenRange>> find_answers(Chat& chat, const std::vector<bool>& wanted) const;
  std::vector<std::vector<TokenRange>> find_marked(const Chat& chat, const std::vector<bool>& wanted) const;
  std::vector<std::vector<TokenRange>> find_nested(Chat& chat, const std::vector<bool>& wanted) const;
  std::optional<TokenRange> find_nested(Chat& chat, size_t answer, bool is_wanted) const;
  /// Whether the thought of that message stands in the text of the first `messages`.
  bool writes_thought(const Chat& chat, size_t message, size_t messages) const;
  /// What the template writes between the question and whatever is answered.
  std::string header_before(const Chat& chat, size_t answer) const;
  [[noreturn]] void refuse(const Chat& chat, size_t answer) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::string file_;
  JinjaOptions options_;
  ChatTemplateRenderer renderer_;
  Json special_tokens_;
  Json variables_;
  std::vector<int32_t> stop_ids_;
  bool leaves_thoughts_out_ = false;  ///< enable_thinking: false says so, and the template reads it
  uint64_t fingerprint_ = 0;
};

}  // namespace ftrun
