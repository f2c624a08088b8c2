// A conversation with a model: system prompt, turns so far, answers as they are made.
// Leaves out: lines and commands (chat_line.h), the terminal (chat_command.cpp).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/inference/inference_model.h"
#include "core/inference/inference_setup.h"

namespace ftrun {

struct ChatReply {
  std::string text;
  int64_t prompt_tokens = 0;
  int64_t new_tokens = 0;
  int64_t reused_tokens = 0;  ///< of the prompt, from the last turn's cache
  int64_t dropped_turns = 0;  ///< oldest ones that no longer fit into the model's positions; they stay forgotten
  bool is_complete = false;   ///< ended by the model or a stop string, not by max_new_tokens, the positions or a stop
};

/// [rank-thread]. Borrowed: setup and model, which outlive it.
class ChatSession {
 public:
  ChatSession(const InferenceSetup& setup, InferenceModel& model);

  /// Answers, and remembers question and answer (an interrupted one as far as it came). `on_text` gets the answer in
  /// pieces of whole characters. Throws INVALID_ARGUMENT when the question does not even fit alone; it is then not
  /// remembered, and the conversation goes on.
  ChatReply ask(const std::string& question, const std::function<void(std::string_view)>& on_text,
                const std::function<bool()>& cancelled);
  /// Forgets the turns.
  void reset();
  /// Another system prompt ("": the template's own, if it has one); forgets the turns.
  void set_system(std::string system);
  int64_t turns() const noexcept { return static_cast<int64_t>(messages_.size() / 2); }

 private:
  std::vector<int32_t> prompt_of(const std::string& question, int64_t& dropped_turns);

  const InferenceSetup& setup_;
  InferenceModel& model_;
  ConversationGenerator generator_;
  std::string system_;
  std::vector<Message> messages_;
  uint64_t questions_ = 0;
};

}  // namespace ftrun
