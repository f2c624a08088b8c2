// What a message has beside role, text and calls: thoughts, whether it is to be learnt, and what cannot be honoured.
// Leaves out: role, text and calls, which each format writes in its own way.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "core/data/conversation.h"

namespace ftrun {

/// Fills `message` (role and text already there) from the keys of `json` that are not in `known_keys`:
/// - reasoning_content, thinking, reasoning: the thought of an assistant;
/// - loss, loss_scale (ms-swift), weight (OpenAI, Mistral), train, training (axolotl), loss_weight (LLaMA-Factory v1):
///   0 or false for an answer that is not to be learnt, 1 or true for one that is; of other messages 0 or false;
/// - id, name, tool_call_id and what only describes a message (its time, model, language, score and the like): no part
///   of the text, and left to chat templates;
/// - null, "", [] and {} under any key: nothing.
/// Anything else cannot be honoured, and neither can marks that contradict each other: throws RowError naming message
/// and key. `index` counts from 0.
void read_message_fields(const nlohmann::ordered_json& json, std::span<const std::string_view> known_keys, size_t index,
                         Message& message);

/// For a message without text, whose meaning may stand under a key of another form (function_call, refusal, audio):
/// throws RowError naming the first key that read_message_fields cannot honour.
void require_no_other_form(const nlohmann::ordered_json& json, std::span<const std::string_view> known_keys,
                           size_t index);

/// For a message of the role "function", which OpenAI's former form gives to what a function answered: throws RowError
/// saying that such a message has the role `observation` here, where it has a name as only answers do.
void refuse_former_result(const nlohmann::ordered_json& json, std::string_view role, std::string_view observation,
                          size_t index);

/// read_message_fields for a system message, which has no thoughts and is never learnt.
void check_system_fields(const nlohmann::ordered_json& json, std::span<const std::string_view> known_keys,
                         size_t index);

/// Whether a key says nothing of what is learnt: it only describes (id, time, model and the like), or its value is
/// null,
/// "", [] or {}.
bool is_harmless_field(std::string_view key, const nlohmann::ordered_json& value);

}  // namespace ftrun
