// Slots after LLaMA-Factory's Template; what is written into them, after the published templates.
#include "core/data/template_encoder.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/data/chat_messages.h"
#include "core/data/python_json.h"
#include "core/data/tokenizer/tokenizer.h"
#include "core/jinja/text_edit.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

void replace_first(std::string& text, std::string_view what, std::string_view with) {
  const size_t at = text.find(what);
  if (at != std::string::npos) text.replace(at, what.size(), with);
}

void append(std::vector<int32_t>& ids, const std::vector<int32_t>& more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

/// The pieces of `slot` with each of `contents` in the place of {{content}}, `separator` between them. Neighbouring
/// texts are one piece, because pieces are tokenised one by one.
Slot filled(const Slot& slot, std::span<const std::string_view> contents, const Slot& separator) {
  constexpr std::string_view kPlaceholder = "{{content}}";
  Slot result;
  const auto add = [&](const SlotPiece& piece) {
    const bool joins = !result.empty() && piece.kind == SlotPiece::Kind::kText && result.back().kind == piece.kind;
    if (joins) {
      result.back().text += piece.text;
    } else {
      result.push_back(piece);
    }
  };
  for (const SlotPiece& piece : slot) {
    const size_t at = piece.kind == SlotPiece::Kind::kText ? piece.text.find(kPlaceholder) : std::string::npos;
    if (at == std::string::npos) {
      result.push_back(piece);
      continue;
    }
    result.push_back({SlotPiece::Kind::kText, piece.text.substr(0, at)});
    for (size_t i = 0; i < contents.size(); ++i) {
      if (i > 0) std::ranges::for_each(separator, add);
      add({SlotPiece::Kind::kText, std::string(contents[i])});
    }
    add({SlotPiece::Kind::kText, piece.text.substr(at + kPlaceholder.size())});
  }
  return result;
}

}  // namespace

TemplateEncoder::TemplateEncoder(ChatTemplate chat_template, std::shared_ptr<const Tokenizer> tokenizer,
                                 ThinkingOptions thinking, std::optional<std::string> default_system)
    : template_(std::move(chat_template)),
      tokenizer_(std::move(tokenizer)),
      thinking_(thinking),
      default_system_(default_system.value_or(template_.default_system)),
      eos_id_(tokenizer_->eos_id()) {
  if (template_.replace_eos) eos_id_ = required_token(template_.stop_words.front(), "ends a response with");
  bool needs_eos = template_.efficient_eos;
  for (const Slot* slot : {&template_.prefix, &template_.system, &template_.user, &template_.assistant,
                           &template_.observation, &template_.observation_separator, &template_.function}) {
    for (const SlotPiece& piece : *slot) {
      needs_eos = needs_eos || piece.kind == SlotPiece::Kind::kEos;
      if (piece.kind == SlotPiece::Kind::kToken) required_token(piece.text, "uses");
    }
  }
  if (needs_eos && !eos_id_)
    throw invalid_argument("'{}' ends a response with the end-of-sequence token, and the tokenizer has none",
                           template_.name);
  if (eos_id_) stop_ids_.push_back(*eos_id_);
  for (const std::string& word : template_.stop_words) {
    if (const auto id = tokenizer_->token_to_id(word)) stop_ids_.push_back(*id);
  }
  std::sort(stop_ids_.begin(), stop_ids_.end());
  stop_ids_.erase(std::unique(stop_ids_.begin(), stop_ids_.end()), stop_ids_.end());
  if (template_.reasoning) empty_thought_ids_ = tokenizer_->encode(empty_thought());
  const std::string options = fmt::format("{}|{}|{}|{}|{}|{}|{}", tokenizer_->fingerprint(), eos_id_.value_or(-1),
                                          tokenizer_->bos_id().value_or(-1), template_.name,
                                          thinking_.enable_thinking ? static_cast<int>(*thinking_.enable_thinking) : 2,
                                          thinking_.preserve_thinking, default_system_);
  fingerprint_ = content_hash(options, template_.fingerprint);
}

int32_t TemplateEncoder::required_token(const std::string& token, std::string_view what) const {
  if (const auto id = tokenizer_->token_to_id(token)) return *id;
  throw invalid_argument(
      "'{}' {} '{}', which the tokenizer does not have; choose a template that fits the model's tokenizer",
      template_.name, what, token);
}

void TemplateEncoder::append_pieces(std::span<const SlotPiece> pieces, std::vector<int32_t>& ids) const {
  for (const SlotPiece& piece : pieces) {
    switch (piece.kind) {
      case SlotPiece::Kind::kText:
        if (!piece.text.empty()) append(ids, tokenizer_->encode(piece.text));
        break;
      case SlotPiece::Kind::kBos:
        if (const auto bos = tokenizer_->bos_id()) ids.push_back(*bos);
        break;
      case SlotPiece::Kind::kEos:
        ids.push_back(*eos_id_);
        break;
      case SlotPiece::Kind::kToken:
        ids.push_back(*tokenizer_->token_to_id(piece.text));
        break;
    }
  }
}

void TemplateEncoder::append_slot(const Slot& slot, std::string_view content, std::vector<int32_t>& ids) const {
  append_pieces(filled(slot, std::span(&content, 1), {}), ids);
}

std::optional<std::string> TemplateEncoder::system_text(std::optional<std::string_view> system,
                                                        std::string_view tools) const {
  if (!system && !default_system_.empty()) system = default_system_;
  std::optional<std::string> text = system ? std::optional(trimmed(*system)) : std::nullopt;
  const Json list = chat_tools(tools);
  if (list.is_null()) return text;
  if (!template_.tool_format)
    throw RowError(fmt::format("has tools, and template '{}' has no tool_format to write them with", template_.name));
  std::string descriptions;
  for (const Json& tool : list) {
    std::string one = template_.tool_format->tool;
    replace_first(one, "{{tool}}", python_json(tool));
    descriptions += one;
  }
  std::string tools_text = template_.tool_format->system;
  replace_first(tools_text, "{{tools}}", descriptions);
  return text ? *text + tools_text : jinja::stripped(tools_text, jinja::Side::kLeft, "\n");
}

std::string TemplateEncoder::trimmed(std::string_view text) const {
  return template_.trims_content ? jinja::stripped(text, jinja::Side::kBoth, std::nullopt) : std::string(text);
}

void TemplateEncoder::append_question(std::span<const Message> asked, std::vector<int32_t>& ids) const {
  const bool is_observation = asked.front().role == MessageRole::kObservation;
  std::vector<std::string> texts;
  for (const Message& message : asked) texts.push_back(trimmed(message.content));
  const std::vector<std::string_view> contents(texts.begin(), texts.end());
  append_pieces(
      filled(is_observation ? template_.observation : template_.user, contents, template_.observation_separator), ids);
}

std::vector<EncodedTurn> TemplateEncoder::encode_turns(std::span<const Message> messages,
                                                       std::optional<std::string_view> system, std::string_view tools,
                                                       LearntAnswers, RenderingNotes* notes) const {
  RenderingNotes unread;
  const std::optional<std::string> first_text = system_text(system, tools);
  std::vector<EncodedTurn> turns;
  for (const TurnRange& range : turns_of(messages)) {
    EncodedTurn& turn = turns.emplace_back();
    if (range.first == 0) {
      append_slot(template_.prefix, {}, turn.prompt_ids);
      if (first_text) append_slot(template_.system, *first_text, turn.prompt_ids);
    }
    append_question(messages.subspan(range.first, range.answer - range.first), turn.prompt_ids);
    const Message& message = messages[range.answer];
    const WrittenAnswer answer =
        write_answer(template_, thinking_, messages, range.answer, notes != nullptr ? *notes : unread);
    if (answer.has_empty_thought)
      append(trains_empty_thoughts() ? turn.response_ids : turn.prompt_ids, empty_thought_ids_);
    append_slot(message.calls.empty() ? template_.assistant : template_.function, answer.text, turn.response_ids);
    turn.response_text = (answer.has_empty_thought && trains_empty_thoughts() ? empty_thought() : "") + answer.text;
    turn.is_trained = message.is_trained;
    if (notes != nullptr) {
      notes->empty_thought_trained |= answer.has_empty_thought && trains_empty_thoughts() && message.is_trained;
      notes->answers_not_learnt |= !message.is_trained;
    }
  }
  return turns;
}

EncodedTurn TemplateEncoder::encode_last_turn(std::span<const Message> messages, std::optional<std::string_view> system,
                                              std::string_view tools, RenderingNotes* notes) const {
  std::vector<EncodedTurn> turns = encode_turns(messages, system, tools, LearntAnswers::kLast, notes);
  EncodedTurn last = std::move(turns.back());
  std::vector<int32_t> prompt_ids;
  for (size_t i = 0; i + 1 < turns.size(); ++i) {
    append(prompt_ids, turns[i].prompt_ids);
    append(prompt_ids, turns[i].response_ids);
  }
  append(prompt_ids, last.prompt_ids);
  last.prompt_ids = std::move(prompt_ids);
  return last;
}

std::vector<EncodedTurn> TemplateEncoder::encode_answers(std::span<const Message> prompt,
                                                         std::span<const Message> answers,
                                                         std::optional<std::string_view> system, std::string_view tools,
                                                         RenderingNotes* notes) const {
  std::vector<EncodedTurn> turns;
  std::vector<Message> messages(prompt.begin(), prompt.end());
  for (const Message& answer : answers) {
    messages.push_back(answer);
    turns.push_back(encode_last_turn(messages, system, tools, notes));
    messages.pop_back();
    // One prompt, as written for the first answer.
    turns.back().prompt_ids = turns.front().prompt_ids;
  }
  return turns;
}

SavedTemplate TemplateEncoder::saved_template() const { return ftrun::saved_template(*this); }

EncodedPrompt TemplateEncoder::encode_prompt(std::span<const Message> messages, std::optional<std::string_view> system,
                                             std::string_view tools) const {
  if (messages.empty()) return {};
  EncodedTurn turn = encode_last_turn(messages, system, tools);
  const Message& answer = messages.back();
  const bool is_unknown = answer.content.empty() && answer.calls.empty() && !answer.thought;
  return {std::move(turn.prompt_ids), is_unknown ? "" : std::move(turn.response_text)};
}

}  // namespace ftrun
