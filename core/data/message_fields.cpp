// One table of keys; the rest is refused, so that nothing of a message is lost without a word.
#include "core/data/message_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/nearest_name.h"
#include "core/data/row_format.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 3> kThoughtKeys = {"reasoning_content", "thinking", "reasoning"};
constexpr std::array<std::string_view, 6> kWeightKeys = {"loss",  "loss_scale", "weight",
                                                         "train", "training",   "loss_weight"};
constexpr std::array<std::string_view, 22> kMetadataKeys = {
    "id",      "name",       "tool_call_id", "message_id", "parent_id", "timestamp", "time",     "date",
    "created", "created_at", "create_time",  "updated_at", "model",     "lang",      "language", "source",
    "tokens",  "num_tokens", "token_count",  "score",      "rating",    "metadata"};

template <typename Keys>
bool has(const Keys& keys, std::string_view key) {
  return std::ranges::find(keys, key) != keys.end();
}

bool says_nothing(const Json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  return value.is_null() || (value.is_structured() && value.empty());
}

/// 0 and false, 1 and true.
bool read_weight(const Json& value, const std::string& key, size_t index) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number() && (value == 0 || value == 1)) return value == 1;
  throw RowError(fmt::format("message {}: '{}' is {}, and an answer is learnt or not: expected 0, 1, true or false",
                             index + 1, key, value.dump()));
}

/// `mark` is what an earlier key of the message has said.
void take_weight(const Json& value, const std::string& key, size_t index, std::optional<bool>& mark, Message& message) {
  const bool weight = read_weight(value, key, index);
  if (mark.value_or(weight) != weight)
    throw RowError(fmt::format("message {}: '{}' is {}, and another mark of the message says otherwise", index + 1, key,
                               value.dump()));
  mark = weight;
  if (message.is_answer()) {
    message.is_trained = message.is_trained && weight;
  } else if (weight) {
    throw RowError(
        fmt::format("message {}: '{}' is {}, and only what an assistant says is learnt", index + 1, key, value.dump()));
  }
}

void take_thought(const Json& value, const std::string& key, size_t index, Message& message) {
  if (!value.is_string())
    throw RowError(fmt::format("message {}: '{}' is {}, expected a string", index + 1, key, json_kind(value)));
  if (!message.is_answer())
    throw RowError(fmt::format("message {}: has '{}', and only an assistant thinks", index + 1, key));
  const auto thought = value.get<std::string>();
  if (message.thought && *message.thought != thought)
    throw RowError(fmt::format("message {}: '{}' is another thought than the message has already", index + 1, key));
  message.thought = thought;
}

/// What to write in the place of a key of another form; "" where nothing is known of it.
std::string_view other_form(std::string_view key, bool has_tool_calls) {
  if (key == "refusal") return ": write it as the text of the message if it is to be learnt";
  if (key != "function_call" && key != "tool_calls") return {};
  return has_tool_calls ? R"(: write the call as "tool_calls": [{"function": {"name": ..., "arguments": ...}}])"
                        : ": write the call as the text of a message of its own whose role says so";
}

[[noreturn]] void throw_lost(const std::string& key, std::span<const std::string_view> known_keys, size_t index) {
  if (const std::string_view advice = other_form(key, has(known_keys, "tool_calls")); !advice.empty())
    throw RowError(fmt::format("message {}: '{}' is not read here{}", index + 1, key, advice));
  std::vector<std::string> known(known_keys.begin(), known_keys.end());
  known.insert(known.end(), kThoughtKeys.begin(), kThoughtKeys.end());
  known.insert(known.end(), kWeightKeys.begin(), kWeightKeys.end());
  throw RowError(
      fmt::format("message {}: '{}' is neither text nor a mark that is known here{}: its meaning would be lost",
                  index + 1, key, did_you_mean(key, known)));
}

}  // namespace

void require_no_other_form(const Json& json, std::span<const std::string_view> known_keys, size_t index) {
  for (const auto& item : json.items()) {
    const std::string& key = item.key();
    const bool is_read = has(known_keys, key) || has(kThoughtKeys, key) || has(kWeightKeys, key);
    if (!is_read && !is_harmless_field(key, item.value())) throw_lost(key, known_keys, index);
  }
}

void refuse_former_result(const Json& json, std::string_view role, std::string_view observation, size_t index) {
  if (role != "function" || !json.contains("name") || !json["name"].is_string()) return;
  throw RowError(fmt::format("message {}: a result of the function '{}' has the role '{}' here", index + 1,
                             json["name"].get<std::string>(), observation));
}

bool is_harmless_field(std::string_view key, const Json& value) {
  return says_nothing(value) || has(kMetadataKeys, key);
}

void read_message_fields(const Json& json, std::span<const std::string_view> known_keys, size_t index,
                         Message& message) {
  std::optional<bool> mark;
  for (const auto& item : json.items()) {
    const std::string& key = item.key();
    if (has(known_keys, key)) continue;
    const bool is_thought = has(kThoughtKeys, key);
    if (is_thought && item.value().is_string() && message.is_answer()) {
      take_thought(item.value(), key, index, message);
      continue;
    }
    if (is_harmless_field(key, item.value())) continue;
    if (is_thought) {
      take_thought(item.value(), key, index, message);
    } else if (has(kWeightKeys, key)) {
      take_weight(item.value(), key, index, mark, message);
    } else {
      throw_lost(key, known_keys, index);
    }
  }
}

void check_system_fields(const Json& json, std::span<const std::string_view> known_keys, size_t index) {
  Message message;  // neither thinks nor is learnt, as a user
  read_message_fields(json, known_keys, index, message);
}

}  // namespace ftrun
