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

struct Message {
  MessageRole role = MessageRole::kUser;
  std::string content;
};

/// One row in the common form. Supervised rows have exactly one response; a preference format would have two.
/// `prompt` has odd length and alternates user|observation with assistant|function, beginning with the former.
struct AlignedRow {
  std::vector<Message> prompt;
  std::vector<Message> responses;
  std::string system;
  std::string tools;  ///< JSON text of the tool descriptions, or empty
};

/// A row that cannot be written in this template or format; becomes a bad row of the ledger, not an error of the run.
class RowError : public std::exception {
 public:
  explicit RowError(std::string reason) : reason_(std::move(reason)) {}
  const char* what() const noexcept override { return reason_.c_str(); }

 private:
  std::string reason_;
};

/// prompt followed by responses[0].
std::vector<Message> whole_conversation(const AlignedRow& row);

}  // namespace ftrun
