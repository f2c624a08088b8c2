// The end of the text that is a beginning of some stop string is held back.
#include "core/generate/answer_text.h"

#include <algorithm>

#include "core/base/error.h"

namespace ftrun {
namespace {

/// Length of the longest proper beginning of `stop` that `text` ends with.
size_t begun(std::string_view text, std::string_view stop) {
  for (size_t size = std::min(text.size(), stop.size() - 1); size > 0; --size) {
    if (text.ends_with(stop.substr(0, size))) return size;
  }
  return 0;
}

}  // namespace

AnswerText::AnswerText(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stop_strings)
    : decoder_(std::move(tokenizer), true), stop_strings_(std::move(stop_strings)) {
  for (const std::string& stop : stop_strings_) {
    if (stop.empty()) throw invalid_argument("stop: an empty text would end every answer");
  }
}

std::string AnswerText::take(size_t size) {
  std::string piece = held_.substr(0, size);
  held_.erase(0, size);
  text_ += piece;
  return piece;
}

std::string AnswerText::feed(int32_t id) {
  if (stopped_) return {};
  held_ += decoder_.feed(id);
  size_t stop_at = std::string::npos;
  size_t held = 0;
  for (const std::string& stop : stop_strings_) {
    stop_at = std::min(stop_at, held_.find(stop));
    held = std::max(held, begun(held_, stop));
  }
  if (stop_at == std::string::npos) return take(held_.size() - held);
  stopped_ = true;
  std::string piece = take(stop_at);
  held_.clear();
  return piece;
}

std::string AnswerText::finish() {
  if (stopped_) return {};
  held_ += decoder_.finish();
  return take(held_.size());
}

}  // namespace ftrun
