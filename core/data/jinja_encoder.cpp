// The whole is rendered and tokenized once; beginnings of it only to find places.
#include "core/data/jinja_encoder.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/logging.h"
#include "core/data/chat_messages.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;
using Ranges = std::vector<TokenRange>;

constexpr size_t kShownBytes = 60;

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm time{};
  ::localtime_r(&now, &time);
  return time;
}

/// The end of a text and what follows in it, for messages; whole characters.
std::string around(std::string_view text, size_t at) {
  size_t begin = at > kShownBytes ? at - kShownBytes : 0;
  size_t end = std::min(text.size(), at + kShownBytes);
  const auto inside = [&](size_t k) { return k < text.size() && (static_cast<unsigned char>(text[k]) & 0xC0) == 0x80; };
  while (begin > 0 && inside(begin)) --begin;
  while (inside(end)) ++end;
  return Json(std::string(text.substr(begin, end - begin))).dump();
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool writes(std::string_view whole, std::string_view text) {
  return whole.find(trimmed(text)) != std::string_view::npos;
}

/// Whether the text of a message, what it calls and what it thinks stand in the whole.
bool writes_message(std::string_view whole, const Message& message) {
  const bool calls = std::all_of(message.calls.begin(), message.calls.end(),
                                 [&](const ToolCall& call) { return writes(whole, call.name); });
  return calls && writes(whole, message.content);
}

}  // namespace

/// A conversation as the template gets it, with the rendering of all of it.
struct JinjaEncoder::Chat {
  Json messages;
  Json tools;
  size_t first = 0;             ///< messages before those of the row: the system message
  std::vector<size_t> answers;  ///< indices into `messages`
  RenderedChat whole;
  bool begins_otherwise = false;  ///< as RenderingNotes
  std::string last_prompt;        ///< what the last answer is asked with, with add_generation_prompt
  TokenizedText tokens;
};

JinjaEncoder::JinjaEncoder(std::shared_ptr<const Tokenizer> tokenizer, const std::string& chat_template,
                           std::string file, JinjaOptions options)
    : tokenizer_(std::move(tokenizer)),
      file_(std::move(file)),
      options_(std::move(options)),
      renderer_(chat_template, file_),
      special_tokens_(chat_special_tokens(tokenizer_->config())),
      variables_(chat_variables(options_.thinking)) {
  leaves_thoughts_out_ =
      options_.thinking.enable_thinking == false && chat_template.find("enable_thinking") != std::string::npos;
  if (!options_.now) options_.now = local_time();
  if (const auto eos = tokenizer_->eos_id()) stop_ids_.push_back(*eos);
  const std::string parts = fmt::format("jinja|{}|{}|{}|{}", tokenizer_->fingerprint(), special_tokens_.dump(),
                                        variables_.dump(), Json(options_.default_system).dump());
  fingerprint_ = content_hash(parts, content_hash(chat_template));
}

std::string JinjaEncoder::mask_source() const {
  return renderer_.has_generation_marks() ? "masks from its generation marks, of pairs from rendered prefixes"
                                          : "masks from rendered prefixes";
}

SavedTemplate JinjaEncoder::saved_template() const { return unchanged_template(tokenizer_->config()); }

RenderedChat JinjaEncoder::render(const Chat& chat, size_t messages, bool add_generation_prompt) const {
  ChatTemplateInput input;
  input.messages = Json(chat.messages.begin(), chat.messages.begin() + static_cast<std::ptrdiff_t>(messages));
  input.tools = chat.tools;
  input.add_generation_prompt = add_generation_prompt;
  input.special_tokens = special_tokens_;
  input.extra = variables_;
  input.now = options_.now;
  try {
    return renderer_.render_marked_chat(input);
  } catch (const Error& error) {
    // What a chat_template refuses is a fault of the row.
    if (error.code() != FTRUN_INVALID_ARGUMENT) throw;
    throw RowError(error.what());
  }
}

JinjaEncoder::Chat JinjaEncoder::chat_of(std::span<const Message> messages, std::optional<std::string_view> system,
                                         std::string_view tools) const {
  Chat chat;
  if (!system && !options_.default_system.empty()) system = options_.default_system;
  chat.messages = chat_messages(messages, system);
  chat.tools = chat_tools(tools);
  chat.first = chat.messages.size() - messages.size();
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].is_answer()) chat.answers.push_back(chat.first + i);
  }
  return chat;
}

JinjaEncoder::Chat JinjaEncoder::unwritten(const Chat& chat) {
  Chat other;
  other.messages = chat.messages;
  other.tools = chat.tools;
  return other;
}

void JinjaEncoder::write(Chat& chat) const {
  chat.whole = render(chat, chat.messages.size(), false);
  chat.last_prompt = render(chat, chat.answers.back(), true).text;
  chat.tokens = tokenizer_->encode_with_offsets(chat.whole.text);
}

void JinjaEncoder::refuse(const Chat& chat, size_t answer) const {
  const std::string prompt = render(chat, chat.answers[answer], true).text;
  const std::string& whole = chat.whole.text;
  const auto [theirs, ours] = std::mismatch(prompt.begin(), prompt.end(), whole.begin(), whole.end());
  const bool begins = theirs == prompt.end();
  const std::string alone = begins ? render(chat, chat.answers[answer] + 1, false).text : prompt;
  const auto parts = std::mismatch(alone.begin(), alone.end(), whole.begin(), whole.end());
  const auto at = static_cast<size_t>(parts.first - alone.begin());
  const std::string advice = answer + 1 < chat.answers.size()
                                 ? "; with mask_history: true only the last answer has to be told"
                                 : std::string();
  throw RowError(fmt::format(
      "chat_template of '{}': answer {} of {} cannot be told from its prompt: up to {} the template writes {}, and in "
      "the whole conversation {}{}",
      file_, answer + 1, chat.answers.size(), begins ? "that answer" : "it", around(alone, at), around(whole, at),
      advice));
}

std::vector<Ranges> JinjaEncoder::find_marked(const Chat& chat, const std::vector<bool>& wanted) const {
  std::vector<RenderedChat::Range> marks = chat.whole.generated;
  std::sort(marks.begin(), marks.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::vector<Ranges> places(chat.answers.size());
  const bool all_wanted = std::find(wanted.begin(), wanted.end(), false) == wanted.end();
  const bool one_each = marks.size() == chat.answers.size();
  size_t done = 0;
  for (size_t answer = 0; answer < chat.answers.size(); ++answer) {
    const bool is_last = answer + 1 == chat.answers.size();
    size_t end = is_last ? marks.size() : answer + 1;
    // The next answer's prompt has the marks so far, and none of what is marked at the end of a conversation.
    if (!is_last && !(all_wanted && one_each)) end = render(chat, chat.answers[answer + 1], true).generated.size();
    if (end < done || end > marks.size())
      throw RowError(
          fmt::format("chat_template of '{}': its generation marks are not the same once answer {} is followed", file_,
                      answer + 1));
    for (; done < end; ++done) places[answer].push_back(marked_tokens(chat.tokens, marks[done]));
  }
  return places;
}

std::string JinjaEncoder::header_before(const Chat& chat, size_t answer) const {
  Chat other = unwritten(chat);
  const auto with = [&](const char* text) {
    other.messages[chat.answers[answer]] = {{"role", "assistant"}, {"content", text}};
    return render(other, chat.answers[answer] + 1, false).text;
  };
  const std::string one = with("One"), two = with("Two");
  return one.substr(
      0, static_cast<size_t>(std::mismatch(one.begin(), one.end(), two.begin(), two.end()).first - one.begin()));
}

std::optional<TokenRange> JinjaEncoder::find_nested(Chat& chat, size_t answer, bool is_wanted) const {
  const size_t index = chat.answers[answer];
  AnswerPrefixes prefixes;
  prefixes.prompt = answer + 1 == chat.answers.size() ? chat.last_prompt : render(chat, index, true).text;
  if (!chat.whole.text.starts_with(prefixes.prompt)) {
    prefixes.asked = render(chat, index, false).text;
    prefixes.header = header_before(chat, answer);
    chat.begins_otherwise |= is_wanted;
  }
  prefixes.answered = index + 1 == chat.messages.size() ? chat.whole.text : render(chat, index + 1, false).text;
  return nested_tokens(chat.whole.text, chat.tokens, prefixes, *tokenizer_);
}

std::vector<Ranges> JinjaEncoder::find_nested(Chat& chat, const std::vector<bool>& wanted) const {
  std::vector<Ranges> places(chat.answers.size());
  for (size_t answer = 0; answer < chat.answers.size(); ++answer) {
    if (const auto range = find_nested(chat, answer, wanted[answer])) {
      places[answer].push_back(*range);
    } else if (wanted[answer]) {
      refuse(chat, answer);
    }
  }
  return places;
}

std::vector<Ranges> JinjaEncoder::find_answers(Chat& chat, const std::vector<bool>& wanted) const {
  if (!renderer_.has_generation_marks()) return find_nested(chat, wanted);
  chat.begins_otherwise = wanted.back() && !chat.whole.text.starts_with(chat.last_prompt);
  return find_marked(chat, wanted);
}

namespace {

/// Cuts the tokens of a conversation into turns; what no answer has belongs to the prompt of the next one.
class TurnCutter {
 public:
  explicit TurnCutter(const std::vector<int32_t>& ids) : ids_(ids) {}

  EncodedTurn cut(const Ranges& places, bool is_last) {
    const auto at = [&](size_t index) { return ids_.begin() + static_cast<std::ptrdiff_t>(index); };
    // An answer may share its first token with what stands before it.
    const size_t begin = places.empty() ? (is_last ? ids_.size() : done_) : std::max(places.front().begin, done_);
    const size_t end = is_last ? ids_.size() : std::max(begin, places.empty() ? begin : places.back().end);
    EncodedTurn turn;
    turn.prompt_ids.assign(at(done_), at(begin));
    turn.response_ids.assign(at(begin), at(end));
    turn.learnt.assign(end - begin, false);
    for (const TokenRange& range : places) {
      for (size_t t = std::max(range.begin, begin); t < range.end; ++t) turn.learnt[t - begin] = true;
    }
    done_ = end;
    return turn;
  }

 private:
  const std::vector<int32_t>& ids_;
  size_t done_ = 0;
};

}  // namespace

bool JinjaEncoder::writes_thought(const Chat& chat, size_t message, size_t messages) const {
  Chat other = unwritten(chat);
  for (const char* key : {"reasoning_content", "reasoning", "thinking"}) {
    if (other.messages[message].contains(key)) other.messages[message][key] = "another thought";
  }
  const bool is_whole = messages == chat.messages.size();
  return render(other, messages, false).text != (is_whole ? chat.whole.text : render(chat, messages, false).text);
}

void JinjaEncoder::note(const Chat& chat, std::span<const Message> messages, std::optional<std::string_view> system,
                        RenderingNotes& notes) const {
  const std::string& whole = chat.whole.text;
  notes.text_left_out |= !writes(whole, system.value_or(""));
  for (const Message& message : messages) {
    notes.text_left_out |= !writes_message(whole, message);
    notes.answers_not_learnt |= message.is_answer() && !message.is_trained;
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    const bool is_lost = messages[i].thought && !messages[i].thought->empty() &&
                         !writes_thought(chat, chat.first + i, chat.messages.size());
    if (!is_lost) continue;
    const bool is_written_at_first =
        i + 1 < messages.size() && writes_thought(chat, chat.first + i, chat.first + i + 1);
    (is_written_at_first    ? notes.history_thoughts_left_out
     : leaves_thoughts_out_ ? notes.thoughts_left_out
                            : notes.thoughts_without_form) = true;
  }
  notes.begins_otherwise |= chat.begins_otherwise;
}

std::vector<EncodedTurn> JinjaEncoder::encode_turns(std::span<const Message> messages,
                                                    std::optional<std::string_view> system, std::string_view tools,
                                                    LearntAnswers learnt, RenderingNotes* notes) const {
  Chat chat = chat_of(messages, system, tools);
  write(chat);
  std::vector<bool> wanted;
  for (const size_t index : chat.answers) {
    const bool is_last = index + 1 == chat.messages.size();
    wanted.push_back(messages[index - chat.first].is_trained && (learnt == LearntAnswers::kAll || is_last));
  }
  const std::vector<Ranges> places = find_answers(chat, wanted);
  std::vector<EncodedTurn> turns;
  TurnCutter cutter(chat.tokens.ids);
  for (size_t answer = 0; answer < places.size(); ++answer) {
    const Message& message = messages[chat.answers[answer] - chat.first];
    turns.push_back(cutter.cut(places[answer], answer + 1 == places.size()));
    turns.back().is_trained = message.is_trained;
    turns.back().response_text = answer_text(message);
  }
  if (notes != nullptr) note(chat, messages, system, *notes);
  return turns;
}

std::vector<EncodedTurn> JinjaEncoder::encode_answers(std::span<const Message> prompt, std::span<const Message> answers,
                                                      std::optional<std::string_view> system, std::string_view tools,
                                                      RenderingNotes* notes) const {
  std::vector<EncodedTurn> turns;
  size_t shared = SIZE_MAX;
  for (const Message& answer : answers) {
    std::vector<Message> messages(prompt.begin(), prompt.end());
    messages.push_back(answer);
    Chat chat = chat_of(messages, system, tools);
    write(chat);
    const auto range = find_nested(chat, chat.answers.size() - 1, true);
    if (!range) refuse(chat, chat.answers.size() - 1);
    EncodedTurn& turn = turns.emplace_back();
    turn.response_text = answer_text(answer);
    turn.is_trained = answer.is_trained;
    turn.response_ids = std::move(chat.tokens.ids);
    const auto& first = turns.front().response_ids;
    const auto parting = std::mismatch(first.begin(), first.end(), turn.response_ids.begin(), turn.response_ids.end());
    shared = std::min(
        {shared, range->begin, turns.size() == 1 ? SIZE_MAX : static_cast<size_t>(parting.first - first.begin())});
    if (notes != nullptr) note(chat, messages, system, *notes);
  }
  for (EncodedTurn& turn : turns) {
    const auto end = turn.response_ids.begin() + static_cast<std::ptrdiff_t>(shared);
    turn.prompt_ids.assign(turn.response_ids.begin(), end);
    turn.response_ids.erase(turn.response_ids.begin(), end);
  }
  return turns;
}

EncodedPrompt JinjaEncoder::encode_prompt(std::span<const Message> messages, std::optional<std::string_view> system,
                                          std::string_view tools) const {
  EncodedPrompt result;
  if (messages.empty()) return result;
  const Chat chat = chat_of(messages.first(messages.size() - 1), system, tools);
  // Special tokens stand in the text already, a leading bos too.
  result.prompt_ids = tokenizer_->encode(render(chat, chat.messages.size(), true).text);
  result.response_text = answer_text(messages.back());
  return result;
}

void JinjaEncoder::require_learnable() const {
  const auto asked = [](const char* text) { return Message{MessageRole::kUser, text}; };
  const auto answered = [](const char* text) { return Message{MessageRole::kAssistant, text}; };
  const std::vector<Message> messages = {asked("First question"), answered("First answer"), asked("Second question"),
                                         answered("Second answer")};
  std::vector<EncodedTurn> turns;
  try {
    turns = encode_turns(messages, std::nullopt, "", LearntAnswers::kLast);
  } catch (const RowError& reason) {
    throw invalid_argument("{}", reason.what());
  }
  const EncodedTurn& last = turns.back();
  const bool learns = std::find(last.learnt.begin(), last.learnt.end(), true) != last.learnt.end();
  if (!learns) throw invalid_argument("the template marks nothing of a plain answer as generated");
  const EncodedTurn& first = turns.front();
  for (size_t t = first.response_ids.size(); t-- > 0;) {
    if (!first.learnt[t] || trimmed(tokenizer_->decode({&first.response_ids[t], 1}, false)).empty()) continue;
    const bool ends = tokenizer_->is_special(first.response_ids[t]) ||
                      std::find(stop_ids_.begin(), stop_ids_.end(), first.response_ids[t]) != stop_ids_.end();
    if (ends) return;
    break;
  }
  if (first.response_ids.empty()) return;  // earlier answers cannot be told: only rows say whether that matters
  log_warning(
      "'{}': what this chat_template writes at the end of an answer is no special token: the model does not learn "
      "to stop",
      file_);
}

}  // namespace ftrun
