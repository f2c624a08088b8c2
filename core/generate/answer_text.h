// The text of one answer as its tokens arrive, up to a stop string.
// Leaves out: stop ids (generator.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/tokenizer/tokenizer.h"

namespace ftrun {

/// Special tokens are left out of the text. Pieces are whole characters of valid UTF-8; text that may turn out to begin
/// a stop string is held back until it is known. One object per answer; not thread-safe.
class AnswerText {
 public:
  /// A stop string may span tokens; it ends the answer and does not belong to it. Empty ones are INVALID_ARGUMENT.
  AnswerText(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stop_strings);

  /// Text that `id` makes certain. After a stop string nothing more comes.
  std::string feed(int32_t id);
  /// What was held back, once no more tokens come.
  std::string finish();
  /// A stop string was met.
  bool stopped() const noexcept { return stopped_; }
  /// Everything returned so far.
  const std::string& text() const noexcept { return text_; }

 private:
  std::string take(size_t size);

  StreamDecoder decoder_;
  std::vector<std::string> stop_strings_;
  std::string held_;
  std::string text_;
  bool stopped_ = false;
};

}  // namespace ftrun
