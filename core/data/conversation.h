// A data row as every format hands it on: the messages before the response, the candidate responses, system, tools.
// Leaves out: how a row is read (row_format.h) and how it becomes tokens (supervised_encoder.h).
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ftrun {

enum class MessageRole : uint8_t { kUser, kAssistant, kObservation, kFunction };

/// Lower-case name for messages: "user", "assistant", "observation", "function".
std::string_view role_name(MessageRole role) noexcept;

/// What stands between the answers of tools that were called together, in one observation; from LLaMA-Factory.
inline constexpr std::string_view kToolAnswerSeparator = "\n</tool_response>\n<tool_response>\n";

struct Message {
  MessageRole role = MessageRole::kUser;
  std::string content;
};

/// One row in the common form. `prompt` has odd length and alternates user|observation with assistant|function,
/// beginning with the former; a plain row's text is its only message.
struct AlignedRow {
  std::vector<Message> prompt;
  /// One; pairwise rows: the chosen, then the rejected; plain rows: none; prompts: the good answer where there is one.
  std::vector<Message> responses;
  std::string system;
  std::string tools;       ///< JSON text of the tool descriptions, or empty
  bool desirable = false;  ///< labelled rows: the answer is a good one
  double margin = 0;       ///< pairwise rows: by how much the chosen answer should score above the rejected
};

/// A row that cannot be written in this template or format; becomes a bad row of the ledger, not an error of the run.
class RowError : public std::exception {
 public:
  explicit RowError(std::string reason) : reason_(std::move(reason)) {}
  const char* what() const noexcept override { return reason_.c_str(); }

 private:
  std::string reason_;
};

/// prompt followed by responses[response].
std::vector<Message> whole_conversation(const AlignedRow& row, size_t response = 0);

}  // namespace ftrun
