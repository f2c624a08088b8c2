// A data row as every format hands it on: the messages before the response, the candidate responses, system, tools.
// Leaves out: how a row is read (row_format.h), how it becomes tokens (supervised_encoder.h), and what a Jinja
// chat_template is given of it (chat_messages.h).
#pragma once

#include <cstdint>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ftrun {

/// An observation is what one tool answered.
enum class MessageRole : uint8_t { kUser, kAssistant, kObservation };

/// Lower-case name for messages: "user", "assistant", "observation".
std::string_view role_name(MessageRole role) noexcept;

/// A tool that an assistant calls.
struct ToolCall {
  std::string name;
  nlohmann::ordered_json arguments = nullptr;  ///< any JSON value; a string where the row gives JSON as text
  nlohmann::ordered_json given = nullptr;  ///< the call as the row has it, with its id; null: it has none of its own

  bool operator==(const ToolCall& other) const { return name == other.name && arguments == other.arguments; }
};

/// One message with everything that the row says of it.
struct Message {
  MessageRole role = MessageRole::kUser;
  std::string content = {};  ///< text; of an assistant also what stands beside its calls, and thoughts written into it
  std::optional<std::string> thought = std::nullopt;  ///< an assistant's, where it has a field of its own
  std::vector<ToolCall> calls = {};                   ///< an assistant's, in the order in which they are made
  bool is_trained = true;  ///< an assistant's: false where the row says that it is not to be learnt
  /// The message as the row has it, for chat templates, with `role` and `content` under these names and the roles of
  /// chat templates (assistant, user, tool); null: everything is in the other members.
  nlohmann::ordered_json given = nullptr;

  bool is_answer() const noexcept { return role == MessageRole::kAssistant; }
  /// Whether both say the same, whatever else their rows note beside it.
  bool says_the_same(const Message& other) const {
    return role == other.role && content == other.content && thought == other.thought && calls == other.calls;
  }
};

/// One row in the common form. `prompt` alternates between what is asked (a user message, or one observation after the
/// other of tools that were called together) and assistant messages; it begins and ends with what is asked. A plain
/// row's text is its only message.
struct AlignedRow {
  std::vector<Message> prompt;
  /// One; pairwise rows: the chosen, then the rejected; plain rows: none; prompts: the good answer where there is one.
  std::vector<Message> responses;
  std::optional<std::string> system;  ///< "" is one without text, which templates write; nullopt: none of its own
  std::string tools;                  ///< JSON text of the tool descriptions, or empty
  bool desirable = false;             ///< labelled rows: the answer is a good one
  double margin = 0;                  ///< pairwise rows: by how much the chosen answer should score above the rejected
};

/// A row that cannot be written in this template or format; becomes a bad row of the ledger, not an error of the run.
class RowError : public std::exception {
 public:
  explicit RowError(std::string reason) : reason_(std::move(reason)) {}
  const char* what() const noexcept override { return reason_.c_str(); }

 private:
  std::string reason_;
};

/// messages[first, answer) ask, messages[answer] answers.
struct TurnRange {
  size_t first = 0;
  size_t answer = 0;
};

/// The turns of messages that alternate as AlignedRow says and end with an answer.
std::vector<TurnRange> turns_of(std::span<const Message> messages);

/// What an answer says, for people and scores: its text, and its calls as JSON in a line of their own.
std::string answer_text(const Message& message);

/// prompt followed by responses[response].
std::vector<Message> whole_conversation(const AlignedRow& row, size_t response = 0);

}  // namespace ftrun
