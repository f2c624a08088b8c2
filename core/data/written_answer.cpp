// After the published Qwen2.5 and Qwen3 templates; with preserve_thinking after LLaMA-Factory 0.9.5's
// ReasoningTemplate.
#include "core/data/written_answer.h"

#include <fmt/format.h>

#include "core/data/python_json.h"
#include "core/jinja/text_edit.h"

namespace ftrun {
namespace {

using jinja::Side;

std::string without_breaks(std::string_view text, Side side) { return jinja::stripped(text, side, "\n"); }

/// The marks without the line breaks around them: <think>, </think>.
std::string mark(const std::string& around) { return jinja::stripped(around, Side::kBoth, std::nullopt); }

/// A message's thought, "" where it has none, and the text without it.
struct Parts {
  std::string thought, text;
  bool leaves_text_out = false;  ///< what stands before the thought, or between several, is in neither
};

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

Parts split_thought(const ChatTemplate& chat_template, const Message& message) {
  if (message.thought) return {*message.thought, message.content};
  const std::string open = mark(chat_template.thought_open), close = mark(chat_template.thought_close);
  const size_t first_close = message.content.find(close);
  if (first_close == std::string::npos) return {"", message.content};
  const std::string before = without_breaks(message.content.substr(0, first_close), Side::kRight);
  const size_t last_open = before.rfind(open);
  const std::string thought = last_open == std::string::npos ? before : before.substr(last_open + open.size());
  const size_t last_close = message.content.rfind(close);
  const std::string after = message.content.substr(last_close + close.size());
  const bool leaves_text_out =
      last_close != first_close || (last_open != std::string::npos && !is_blank(before.substr(0, last_open)));
  return {without_breaks(thought, Side::kLeft), without_breaks(after, Side::kLeft), leaves_text_out};
}

/// The last question that no tool's answer in a user's clothes is; messages.size() where there is none.
size_t last_question(std::span<const Message> messages) {
  for (size_t i = messages.size(); i > 0; --i) {
    const Message& message = messages[i - 1];
    const bool is_tool_answer =
        message.content.starts_with("<tool_response>") && message.content.ends_with("</tool_response>");
    if (message.role == MessageRole::kUser && !is_tool_answer) return i - 1;
  }
  return messages.size();
}

std::string call_text(const ToolFormat& format, const ToolCall& call) {
  const bool is_verbatim = call.arguments.is_string() && !format.quotes_arguments;
  const std::string arguments = is_verbatim ? call.arguments.get<std::string>() : python_json(call.arguments);
  std::string text = format.call;
  const std::string json = fmt::format(R"({{"name": "{}", "arguments": {}}})", call.name, arguments);
  return text.replace(text.find("{{call}}"), std::string_view("{{call}}").size(), json);
}

/// `text` beside the calls of `message`.
std::string with_calls(const ChatTemplate& chat_template, const Message& message, std::string written, bool has_text) {
  if (message.calls.empty()) return written;
  if (!chat_template.tool_format)
    throw RowError(
        fmt::format("has a tool call, and template '{}' has no tool_format to write it with", chat_template.name));
  for (size_t i = 0; i < message.calls.size(); ++i) {
    if (i > 0 || has_text) written += chat_template.tool_format->call_separator;
    written += call_text(*chat_template.tool_format, message.calls[i]);
  }
  return written;
}

/// Spans from thought_open to thought_close taken out, as LLaMA-Factory's remove_thought.
std::string remove_thoughts(const ChatTemplate& chat_template, std::string_view text) {
  std::string result;
  size_t from = 0;
  while (true) {
    const size_t open = text.find(chat_template.thought_open, from);
    if (open == std::string_view::npos) break;
    const size_t close = text.find(chat_template.thought_close, open + chat_template.thought_open.size());
    if (close == std::string_view::npos) break;
    result += text.substr(from, open - from);
    from = close + chat_template.thought_close.size();
  }
  result += text.substr(from);
  return without_breaks(result, Side::kLeft);
}

WrittenAnswer write_without_thoughts(const ChatTemplate& chat_template, const Message& message, RenderingNotes& notes) {
  notes.thoughts_without_form |= message.thought && !message.thought->empty();
  const std::string text =
      chat_template.trims_content ? jinja::stripped(message.content, Side::kBoth, std::nullopt) : message.content;
  return {false, with_calls(chat_template, message, text, !text.empty())};
}

WrittenAnswer write_as_published(const ChatTemplate& chat_template, const ThinkingOptions& thinking,
                                 std::span<const Message> messages, size_t index, RenderingNotes& notes) {
  const Message& message = messages[index];
  Parts parts = split_thought(chat_template, message);
  notes.text_left_out |= parts.leaves_text_out;
  const bool is_last = index + 1 == messages.size();
  const bool shows_thought = index > last_question(messages);
  if (!parts.thought.empty() && thinking.enable_thinking == false) {
    notes.thoughts_left_out = true;
    parts.thought.clear();
  }
  const bool has_text = !parts.text.empty();
  if (!shows_thought || (parts.thought.empty() && !is_last)) {
    notes.history_thoughts_left_out |= !parts.thought.empty();
    return {false, with_calls(chat_template, message, parts.text, has_text)};
  }
  std::string text = without_breaks(parts.text, Side::kLeft);
  const bool is_written_empty = message.content.find(mark(chat_template.thought_close)) != std::string::npos;
  const bool gets_empty = parts.thought.empty() && (!is_written_empty || thinking.enable_thinking == false);
  if (!gets_empty)
    text = chat_template.thought_open + without_breaks(parts.thought, Side::kBoth) + chat_template.thought_close + text;
  return {gets_empty, with_calls(chat_template, message, text, has_text)};
}

WrittenAnswer write_preserving(const ChatTemplate& chat_template, const ThinkingOptions& thinking,
                               std::span<const Message> messages, size_t index, RenderingNotes& notes) {
  const auto has_thought = [&](const std::string& text) {
    return text.find(mark(chat_template.thought_open)) != std::string::npos ||
           text.find(mark(chat_template.thought_close)) != std::string::npos;
  };
  const Message& message = messages[index];
  std::string text = message.content;
  if (message.thought && !message.thought->empty())
    text =
        chat_template.thought_open + without_breaks(*message.thought, Side::kBoth) + chat_template.thought_close + text;
  if (thinking.enable_thinking == false) {
    notes.thoughts_left_out |= has_thought(text);
    text = remove_thoughts(chat_template, text);
  }
  const WrittenAnswer answer{!has_thought(text), with_calls(chat_template, message, text, !text.empty())};
  RenderingNotes unread;
  const WrittenAnswer published = write_as_published(chat_template, thinking, messages, index, unread);
  const auto whole = [&](const WrittenAnswer& written) {
    return (written.has_empty_thought ? chat_template.thought_open + chat_template.thought_close : "") + written.text;
  };
  notes.thoughts_preserved |= whole(answer) != whole(published);
  return answer;
}

}  // namespace

WrittenAnswer write_answer(const ChatTemplate& chat_template, const ThinkingOptions& thinking,
                           std::span<const Message> messages, size_t index, RenderingNotes& notes) {
  const Message& message = messages[index];
  if (!chat_template.reasoning) return write_without_thoughts(chat_template, message, notes);
  if (thinking.preserve_thinking) return write_preserving(chat_template, thinking, messages, index, notes);
  return write_as_published(chat_template, thinking, messages, index, notes);
}

}  // namespace ftrun
