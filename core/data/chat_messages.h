// What a Jinja chat_template is given of a conversation: messages and tools as apply_chat_template takes them.
// Leaves out: rendering (core/jinja/chat_template_renderer.h).
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "core/data/conversation.h"

namespace ftrun {

struct ThinkingOptions;
struct TokenizerConfig;

/// The role's name in chat templates: "user", "assistant", "tool".
std::string_view chat_role(MessageRole role) noexcept;

/// The messages, with a system message before them where there is one. A message that the row has in the form of
/// chat templates is handed on as it is there, with ids of calls, names of tools and reasoning_content; another is made
/// from its parts. [any-thread]
nlohmann::ordered_json chat_messages(std::span<const Message> messages, std::optional<std::string_view> system);

/// The tool descriptions, each {"type": "function", "function": {...}} (bare descriptions are wrapped, as
/// LLaMA-Factory does); null for "" and for an empty list. Throws RowError for what is not an array of objects.
/// [any-thread]
nlohmann::ordered_json chat_tools(std::string_view tools);

/// {"bos_token": ...} of those that the tokenizer has: what apply_chat_template lets a template see. [any-thread]
nlohmann::ordered_json chat_special_tokens(const TokenizerConfig& config);

/// Variables of the template: enable_thinking unless it is null, preserve_thinking where it is true. [any-thread]
nlohmann::ordered_json chat_variables(const ThinkingOptions& thinking);

}  // namespace ftrun
