// Conversations to token ids, whatever writes them: one (prompt, response) pair of id lists per answer.
// Leaves out: truncation and loss masks (supervised_encoder.h), and the two ways in which it is done: slots
// (template_encoder.h) and the tokenizer's own Jinja text (jinja_encoder.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/conversation.h"
#include "core/data/rendering_notes.h"
#include "core/data/saved_template.h"

namespace ftrun {

class Tokenizer;

struct EncodedTurn {
  std::vector<int32_t> prompt_ids;
  std::vector<int32_t> response_ids;
  std::vector<bool> learnt;   ///< of response_ids, which are the model's to learn; empty: all of them
  std::string response_text;  ///< what response_ids say, without end tokens
  bool is_trained = true;     ///< as the row says of the answer
};

/// Prompt for generation and the text the model was or would be trained to answer with.
struct EncodedPrompt {
  std::vector<int32_t> prompt_ids;  ///< up to and including the assistant header
  std::string response_text;        ///< without end tokens
};

/// Whose answers will be learnt: what a template writes otherwise once the conversation goes on matters only there.
enum class LearntAnswers : uint8_t { kAll, kLast };

/// Immutable after construction; every method may be called from any thread. `messages` alternates as AlignedRow says.
class ConversationEncoder {
 public:
  virtual ~ConversationEncoder() = default;

  /// One entry per answer; the ids of all, prompt then response, are the conversation's. `messages` ends with an
  /// answer. Sets what applies in `notes`. Throws RowError for what the template cannot write or be learnt from.
  virtual std::vector<EncodedTurn> encode_turns(std::span<const Message> messages,
                                                std::optional<std::string_view> system, std::string_view tools,
                                                LearntAnswers learnt, RenderingNotes* notes = nullptr) const = 0;

  /// The answers that one prompt was given, each as the last of its conversation: everything before it is the prompt,
  /// as written for the first of them. `prompt` ends with what is asked. Throws as encode_turns.
  virtual std::vector<EncodedTurn> encode_answers(std::span<const Message> prompt, std::span<const Message> answers,
                                                  std::optional<std::string_view> system, std::string_view tools,
                                                  RenderingNotes* notes = nullptr) const = 0;

  /// The last message is the response being asked for (content "" when unknown); everything before it is the prompt.
  virtual EncodedPrompt encode_prompt(std::span<const Message> messages, std::optional<std::string_view> system,
                                      std::string_view tools) const = 0;

  /// The ids that a model continues. `asked` ends with what is asked.
  std::vector<int32_t> ask(std::span<const Message> asked, std::optional<std::string_view> system,
                           std::string_view tools) const;

  /// The id that ends a response: the template's where it says one, else the tokenizer's; nullopt if there is none.
  virtual std::optional<int32_t> eos_id() const = 0;
  /// Ids that end a generated answer, as far as the template knows them; sorted, unique.
  virtual const std::vector<int32_t>& stop_ids() const = 0;
  /// Whether eos_id is written once, at the very end, and learnt at the first position of the next prompt before that.
  virtual bool ends_once() const { return false; }
  /// The token that ends plain texts where it is not the tokenizer's EOS; "" otherwise.
  virtual std::string document_end() const { return {}; }
  virtual const Tokenizer& tokenizer() const = 0;
  /// For people: "template 'qwen'".
  virtual std::string name() const = 0;
  /// For people: how it is known what of a conversation is learnt, "" where the template itself says it.
  virtual std::string mask_source() const { return {}; }
  /// Both.
  std::string description() const;
  /// What a tokenizer saved with a model trained this way says. May log a warning.
  virtual SavedTemplate saved_template() const = 0;
  /// Covers all that decides ids.
  virtual uint64_t fingerprint() const = 0;
};

}  // namespace ftrun
