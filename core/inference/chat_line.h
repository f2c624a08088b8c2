// Lines of a chat: what is typed, and what it asks for.
// Leaves out: answering (chat_session.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ftrun {

enum class ChatAction { kAsk, kNothing, kReset, kSystem, kHelp, kExit };

struct ChatLine {
  ChatAction action = ChatAction::kAsk;
  std::string text;  ///< of kAsk and kSystem
};

/// "/reset", "/system TEXT", "/help", "/exit" (or "/quit"); blank lines are kNothing, everything else is kAsk. Throws
/// INVALID_ARGUMENT with the nearest command for a line that is one other word after a '/'.
ChatLine parse_chat_line(const std::string& line);

/// What /help prints.
std::string_view chat_help() noexcept;

/// Lines of a file descriptor, a terminal or a pipe. A line that ends in '\' goes on in the next one, with a line break
/// between. Not thread-safe.
class ChatInput {
 public:
  explicit ChatInput(int descriptor) : descriptor_(descriptor) {}
  enum class Status { kLine, kEnd, kInterrupted };
  /// Waits for a line. kInterrupted: a signal came; what was typed so far is forgotten. Throws DATA_LOSS when reading
  /// fails. `between` is called before each further line of one text.
  template <class Between>
  Status read(std::string& line, const Between& between) {
    line.clear();
    while (true) {
      std::string part;
      const Status status = read_part(part);
      if (status == Status::kInterrupted || (status == Status::kEnd && line.empty() && part.empty())) return status;
      const bool goes_on = status == Status::kLine && part.ends_with('\\');
      if (goes_on) part.back() = '\n';
      line += part;
      if (!goes_on) return Status::kLine;
      between();
    }
  }

 private:
  Status read_part(std::string& part);

  int descriptor_;
  std::string pending_;
};

}  // namespace ftrun
