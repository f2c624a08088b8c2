// Commands and raw reads, which unlike streams return when a signal comes.
#include "core/inference/chat_line.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/nearest_name.h"

namespace ftrun {
namespace {

constexpr std::string_view kHelp =
    "/reset        forget the conversation, keep the system prompt\n"
    "/system TEXT  another system prompt (none without TEXT), and forget the conversation\n"
    "/help         this text\n"
    "/exit         leave; so does Ctrl-D, or Ctrl-C twice (once stops an answer)\n"
    "A line that ends in '\\' goes on in the next one. A space before a '/' makes a line a question.\n";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace

std::string_view chat_help() noexcept { return kHelp; }

ChatLine parse_chat_line(const std::string& line) {
  const std::string_view text = trimmed(line);
  if (text.empty()) return {ChatAction::kNothing, ""};
  if (line.front() != '/') return {ChatAction::kAsk, line};
  const std::string_view word = text.substr(0, text.find_first_of(" \t\n"));
  const std::string_view rest = trimmed(text.substr(word.size()));
  if (word == "/system") return {ChatAction::kSystem, std::string(rest)};
  if (!rest.empty()) return {ChatAction::kAsk, line};
  if (word == "/reset") return {ChatAction::kReset, ""};
  if (word == "/help") return {ChatAction::kHelp, ""};
  if (word == "/exit" || word == "/quit") return {ChatAction::kExit, ""};
  const std::vector<std::string> known = {"/reset", "/system", "/help", "/exit", "/quit"};
  throw invalid_argument("unknown command '{}'{}; known: {}", word, did_you_mean(std::string(word), known),
                         fmt::join(known, ", "));
}

ChatInput::Status ChatInput::read_part(std::string& part) {
  while (true) {
    if (const size_t end = pending_.find('\n'); end != std::string::npos) {
      part = pending_.substr(0, end);
      if (part.ends_with('\r')) part.pop_back();
      pending_.erase(0, end + 1);
      return Status::kLine;
    }
    char buffer[4096];
    const ssize_t count = ::read(descriptor_, buffer, sizeof(buffer));
    if (count > 0) {
      pending_.append(buffer, static_cast<size_t>(count));
      continue;
    }
    if (count < 0 && errno == EINTR) {
      pending_.clear();
      return Status::kInterrupted;
    }
    if (count < 0) throw io_error("standard input: {}", std::strerror(errno));
    part = std::exchange(pending_, {});
    return Status::kEnd;
  }
}

}  // namespace ftrun
