// The whole conversation is written anew for every question; what the cache has of it is not computed again.
#include "core/inference/chat_session.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/generate/answer_text.h"

namespace ftrun {
namespace {

// An answer should have some room: dropping old turns starts before the last position is taken.
constexpr int64_t kAnswerShareOfPositions = 4;

/// What a template refuses to write is a fault of the question.
std::vector<int32_t> written(const ConversationEncoder& prompts, const std::vector<Message>& messages,
                             std::optional<std::string_view> system) {
  try {
    return prompts.ask(messages, system, "");
  } catch (const RowError& reason) {
    throw invalid_argument("{}", reason.what());
  }
}

}  // namespace

ChatSession::ChatSession(const InferenceSetup& setup, InferenceModel& model)
    : setup_(setup), model_(model), generator_(model.rank()) {}

void ChatSession::reset() { messages_.clear(); }

void ChatSession::set_system(std::string system) {
  system_ = std::move(system);
  reset();
}

std::vector<int32_t> ChatSession::prompt_of(const std::string& question, int64_t& dropped_turns) {
  const int64_t positions = model_.max_positions();
  const int64_t room = std::min(setup_.generation.max_new_tokens, positions / kAnswerShareOfPositions);
  while (true) {
    const auto old = static_cast<std::ptrdiff_t>(2 * dropped_turns);
    std::vector<Message> messages(messages_.begin() + old, messages_.end());
    messages.push_back({MessageRole::kUser, question});
    std::vector<int32_t> ids =
        written(*setup_.prompts, messages, system_.empty() ? std::nullopt : std::optional<std::string_view>(system_));
    const auto length = static_cast<int64_t>(ids.size());
    if (positions == 0 || length + room <= positions) return ids;
    if (2 * dropped_turns < static_cast<int64_t>(messages_.size())) {
      ++dropped_turns;
      continue;
    }
    if (length < positions) return ids;
    throw invalid_argument(
        "the question is {} tokens (with system prompt and template), and the model has {} positions: shorten it",
        length, positions);
  }
}

ChatReply ChatSession::ask(const std::string& question, const std::function<void(std::string_view)>& on_text,
                           const std::function<bool()>& cancelled) {
  ChatReply reply;
  const std::vector<int32_t> ids = prompt_of(question, reply.dropped_turns);
  messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(2 * reply.dropped_turns));
  AnswerText answer(setup_.run.tokenizer, setup_.generation.stop_strings);
  const auto show = [&](const std::string& piece) {
    if (!piece.empty() && on_text) on_text(piece);
  };
  GenerationRequest request = model_.request();
  request.prompts = {ids};
  request.prompt_keys = {questions_++};
  request.cancelled = cancelled;
  request.on_token = [&](size_t, int32_t id) {
    show(answer.feed(id));
    return !answer.stopped();
  };
  const GeneratedSequence sequence = generator_.generate(request);
  show(answer.finish());
  reply.text = answer.text();
  reply.prompt_tokens = static_cast<int64_t>(ids.size());
  reply.new_tokens = static_cast<int64_t>(sequence.ids.size());
  reply.reused_tokens = generator_.reused_tokens();
  reply.is_complete = sequence.stopped;
  messages_.push_back({MessageRole::kUser, question});
  messages_.push_back({MessageRole::kAssistant, reply.text});
  return reply;
}

}  // namespace ftrun
