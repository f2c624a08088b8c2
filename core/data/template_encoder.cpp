// Slots, thoughts and tool calls after LLaMA-Factory's Template, ReasoningTemplate and FunctionFormatter.
#include "core/data/template_encoder.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/data/python_json.h"
#include "core/data/tokenizer/tokenizer.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

void replace_first(std::string& text, std::string_view what, std::string_view with) {
  const size_t at = text.find(what);
  if (at != std::string::npos) text.replace(at, what.size(), with);
}

/// First span of `text` from `open` to the nearest following `close`, both included.
std::optional<std::pair<size_t, size_t>> find_enclosed(std::string_view text, std::string_view open,
                                                       std::string_view close, size_t from = 0) {
  const size_t begin = text.find(open, from);
  if (begin == std::string_view::npos) return std::nullopt;
  const size_t end = text.find(close, begin + open.size());
  if (end == std::string_view::npos) return std::nullopt;
  return std::pair{begin, end + close.size()};
}

std::string_view stripped(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string without_all(std::string text, const std::string& what) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) text.erase(at, what.size());
  return text;
}

void append(std::vector<int32_t>& ids, const std::vector<int32_t>& more) {
  ids.insert(ids.end(), more.begin(), more.end());
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
                           &template_.observation, &template_.function}) {
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
  if (template_.reasoning) empty_thought_ids_ = tokenizer_->encode(template_.thought_open + template_.thought_close);
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

void TemplateEncoder::append_slot(const Slot& slot, std::string_view content, std::vector<int32_t>& ids) const {
  for (const SlotPiece& piece : slot) {
    switch (piece.kind) {
      case SlotPiece::Kind::kText: {
        std::string text = piece.text;
        replace_first(text, "{{content}}", content);
        if (!text.empty()) append(ids, tokenizer_->encode(text));
        break;
      }
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

std::string TemplateEncoder::remove_thoughts(std::string_view text) const {
  std::string result;
  size_t from = 0;
  while (const auto thought = find_enclosed(text, template_.thought_open, template_.thought_close, from)) {
    result += text.substr(from, thought->first - from);
    from = thought->second;
  }
  result += text.substr(from);
  return result.substr(std::min(result.find_first_not_of('\n'), result.size()));
}

bool TemplateEncoder::has_thought(std::string_view text) const {
  return text.find(stripped(template_.thought_open)) != std::string_view::npos ||
         text.find(stripped(template_.thought_close)) != std::string_view::npos;
}

std::string TemplateEncoder::tools_text(std::string_view tools) const {
  const Json parsed = Json::parse(tools, nullptr, false);
  if (!parsed.is_array()) throw RowError("tools: expected a JSON array of tool descriptions");
  if (parsed.empty()) return {};
  if (!template_.tool_format)
    throw RowError(fmt::format("has tools, and template '{}' has no tool_format to write them with", template_.name));
  std::string list;
  for (const Json& tool : parsed) {
    if (!tool.is_object()) throw RowError("tools: expected an array of objects");
    const bool wrapped = tool.contains("type") && tool["type"] == "function";
    std::string text = template_.tool_format->tool;
    replace_first(text, "{{tool}}", python_json(wrapped ? tool : Json{{"type", "function"}, {"function", tool}}));
    list += text;
  }
  std::string text = template_.tool_format->system;
  replace_first(text, "{{tools}}", list);
  return text;
}

std::string TemplateEncoder::function_text(std::string_view content) const {
  if (!template_.tool_format)
    throw RowError(
        fmt::format("has a tool call, and template '{}' has no tool_format to write it with", template_.name));
  std::string around;
  std::string calls_json(content);
  if (const auto call = find_enclosed(content, template_.call_open, template_.call_close)) {
    const std::string whole(content.substr(call->first, call->second - call->first));
    around = without_all(std::string(content), whole);
    calls_json = whole.substr(template_.call_open.size(),
                              whole.size() - template_.call_open.size() - template_.call_close.size());
  } else if (const auto thought = find_enclosed(content, template_.thought_open, template_.thought_close)) {
    around = std::string(content.substr(thought->first, thought->second - thought->first));
    calls_json = without_all(std::string(content), around);
  }
  Json calls = Json::parse(calls_json, nullptr, false);
  if (calls.is_object()) calls = Json::array({calls});
  if (!calls.is_array() || calls.empty()) throw RowError("a tool call is not JSON: expected {\"name\", \"arguments\"}");
  std::string text;
  for (const Json& call : calls) {
    if (!call.is_object() || !call.contains("name") || !call.contains("arguments"))
      throw RowError("a tool call needs the keys name and arguments");
    std::string one = template_.tool_format->call;
    replace_first(one, "{{call}}", python_json({{"name", call["name"]}, {"arguments", call["arguments"]}}));
    if (!text.empty()) text += template_.tool_format->call_separator;
    text += one;
  }
  return around + text;
}

std::vector<std::vector<int32_t>> TemplateEncoder::encode_messages(const std::vector<Message>& messages,
                                                                   std::string_view system,
                                                                   std::string_view tools) const {
  std::vector<std::vector<int32_t>> encoded(messages.size());
  std::string system_text(system.empty() ? std::string_view(default_system_) : system);
  const bool has_system = !system_text.empty() || !tools.empty();
  if (!tools.empty()) system_text += tools_text(tools);
  for (size_t i = 0; i < messages.size(); ++i) {
    std::vector<int32_t>& ids = encoded[i];
    if (i == 0) append_slot(template_.prefix, {}, ids);
    if (i == 0 && has_system) append_slot(template_.system, system_text, ids);
    const std::string& content = messages[i].content;
    switch (messages[i].role) {
      case MessageRole::kUser:
        append_slot(template_.user, content, ids);
        break;
      case MessageRole::kAssistant:
        append_slot(template_.assistant, content, ids);
        break;
      case MessageRole::kObservation:
        append_slot(template_.observation, content, ids);
        break;
      case MessageRole::kFunction:
        append_slot(template_.function, function_text(content), ids);
        break;
    }
  }
  return encoded;
}

std::vector<EncodedTurn> TemplateEncoder::encode_turns(std::vector<Message> messages, std::string_view system,
                                                       std::string_view tools, bool discard_history_thoughts) const {
  const bool discards = template_.reasoning && discard_history_thoughts && !thinking_.preserve_thinking;
  if (template_.reasoning) {
    const bool removes_all = thinking_.enable_thinking == false;
    for (size_t i = 1; i < messages.size(); i += 2) {
      const bool is_last = i + 1 == messages.size();
      if (removes_all || (discards && !is_last)) messages[i].content = remove_thoughts(messages[i].content);
    }
  }
  std::vector<std::vector<int32_t>> encoded = encode_messages(messages, system, tools);
  std::vector<EncodedTurn> turns(messages.size() / 2);
  for (size_t turn = 0; turn < turns.size(); ++turn) {
    std::vector<int32_t>& prompt = encoded[2 * turn];
    std::vector<int32_t>& response = encoded[2 * turn + 1];
    const bool considered = template_.reasoning && (!discards || turn + 1 == turns.size());
    if (considered && !has_thought(messages[2 * turn + 1].content)) {
      if (thinking_.enable_thinking.value_or(false)) {
        response.insert(response.begin(), empty_thought_ids_.begin(), empty_thought_ids_.end());
      } else {
        append(prompt, empty_thought_ids_);
      }
    }
    turns[turn] = {std::move(prompt), std::move(response)};
  }
  return turns;
}

void TemplateEncoder::drop_thoughts_of_last_turn(std::vector<Message>& messages) const {
  if (!template_.reasoning) return;
  if (!thinking_.preserve_thinking) {
    for (size_t i = 1; i + 1 < messages.size(); i += 2) messages[i].content = remove_thoughts(messages[i].content);
  }
  if (thinking_.enable_thinking == false) messages.back().content = remove_thoughts(messages.back().content);
}

EncodedTurn TemplateEncoder::encode_last_turn(std::vector<Message> messages, std::string_view system,
                                              std::string_view tools) const {
  drop_thoughts_of_last_turn(messages);
  EncodedTurn turn;
  std::vector<std::vector<int32_t>> encoded = encode_messages(messages, system, tools);
  turn.response_ids = std::move(encoded.back());
  encoded.pop_back();
  for (const auto& ids : encoded) append(turn.prompt_ids, ids);
  if (!template_.reasoning || has_thought(messages.back().content)) return turn;
  if (thinking_.enable_thinking.value_or(false)) {
    turn.response_ids.insert(turn.response_ids.begin(), empty_thought_ids_.begin(), empty_thought_ids_.end());
  } else {
    append(turn.prompt_ids, empty_thought_ids_);
  }
  return turn;
}

EncodedPrompt TemplateEncoder::encode_prompt(std::vector<Message> messages, std::string_view system,
                                             std::string_view tools) const {
  EncodedPrompt result;
  if (messages.empty()) return result;
  drop_thoughts_of_last_turn(messages);
  const Message response = std::move(messages.back());
  messages.pop_back();
  for (const auto& ids : encode_messages(messages, system, tools)) append(result.prompt_ids, ids);
  result.response_text = response.role == MessageRole::kFunction ? function_text(response.content) : response.content;
  if (template_.reasoning && !has_thought(response.content)) {
    if (!thinking_.enable_thinking.value_or(false)) {
      append(result.prompt_ids, empty_thought_ids_);
    } else if (!response.content.empty()) {
      result.response_text = template_.thought_open + template_.thought_close + result.response_text;
    }
  }
  return result;
}

}  // namespace ftrun
