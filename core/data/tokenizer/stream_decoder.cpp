// StreamDecoder: text of ids that arrive one by one.
#include "core/base/utf8_text.h"
#include "core/data/tokenizer/tokenizer_state.h"

namespace ftrun {

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special_tokens)
    : tokenizer_(std::move(tokenizer)), skip_special_tokens_(skip_special_tokens) {}

std::string StreamDecoder::feed(int32_t id) {
  tokenizer_->state_->append_bytes(id, skip_special_tokens_, any_token_, pending_);
  size_t complete = 0;
  while (complete < pending_.size()) {
    const Utf8Part part = first_utf8_part(std::string_view(pending_).substr(complete));
    if (part.truncated) break;
    complete += part.size_bytes;
  }
  std::string text = replace_ill_formed(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text = replace_ill_formed(pending_);
  pending_.clear();
  any_token_ = false;
  return text;
}

}  // namespace ftrun
