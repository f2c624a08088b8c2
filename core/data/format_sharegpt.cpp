// The sharegpt row format: a list of messages whose roles alternate, with renamable keys and roles.
// As in LLaMA-Factory, a dataset that gives `tags` has only the roles it lists.
#include <array>

#include "core/base/error.h"
#include "core/data/answer_columns.h"
#include "core/data/call_text.h"
#include "core/data/message_fields.h"
#include "core/data/row_format.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

class SharegptConverter final : public RowConverter {
 public:
  SharegptConverter(ColumnMap columns, const ColumnMap& tags, RowKind kind)
      : columns_(std::move(columns)), kind_(kind) {
    role_tag_ = tags.contains("role_tag") ? tags.at("role_tag") : "from";
    content_tag_ = tags.contains("content_tag") ? tags.at("content_tag") : "value";
    const auto add = [&](const char* tag, MessageRole role) {
      if (tags.contains(tag)) roles_[tags.at(tag)] = role;
    };
    add("user_tag", MessageRole::kUser);
    add("assistant_tag", MessageRole::kAssistant);
    add("observation_tag", MessageRole::kObservation);
    if (tags.contains("observation_tag")) observation_tag_ = tags.at("observation_tag");
    if (tags.contains("function_tag")) function_tag_ = tags.at("function_tag");
    if (tags.contains("system_tag")) system_tag_ = tags.at("system_tag");
  }

  AlignedRow convert(const Json& row) const override {
    return align_answers(row, columns_, kind_, [this](const Json& list, std::optional<std::string>& system) {
      return read_messages(list, system);
    });
  }

 private:
  std::vector<Message> read_messages(const Json& list, std::optional<std::string>& system) const {
    const std::array<std::string_view, 2> known_keys = {role_tag_, content_tag_};
    std::vector<Message> messages;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string role = text_of(list[i], role_tag_, i);
      if (!observation_tag_.empty() && !roles_.contains(role) && role != function_tag_)
        refuse_former_result(list[i], role, observation_tag_, i);
      const auto value = list[i].find(content_tag_);
      if (value == list[i].end() || value->is_null()) require_no_other_form(list[i], known_keys, i);
      std::string content = text_of(list[i], content_tag_, i);
      if (i == 0 && !system_tag_.empty() && role == system_tag_) {
        system = std::move(content);
        check_system_fields(list[i], known_keys, i);
        continue;
      }
      messages.push_back(message_of(role, std::move(content), i));
      read_message_fields(list[i], known_keys, i, messages.back());
      refuse_second_observation(messages);
    }
    return messages;
  }

  Message message_of(const std::string& role, std::string content, size_t index) const {
    if (!function_tag_.empty() && role == function_tag_) return message_with_calls(content);
    return {role_of(role, index), std::move(content)};
  }

  /// Here one observation has the answers of all tools that were called together.
  static void refuse_second_observation(const std::vector<Message>& messages) {
    const size_t size = messages.size();
    if (size < 2 || messages[size - 1].role != MessageRole::kObservation) return;
    if (messages[size - 2].role == MessageRole::kObservation)
      throw RowError(
          fmt::format("message {} is of role observation, expected assistant or function (turns alternate)", size));
  }

  static std::string text_of(const Json& message, const std::string& key, size_t index) {
    if (!message.is_object() || !message.contains(key))
      throw RowError(fmt::format("message {} has no '{}'", index + 1, key));
    if (!message[key].is_string())
      throw RowError(fmt::format("message {}: '{}' is {}, expected a string", index + 1, key, json_kind(message[key])));
    return message[key].get<std::string>();
  }

  MessageRole role_of(const std::string& name, size_t index) const {
    const auto role = roles_.find(name);
    if (role != roles_.end()) return role->second;
    std::vector<std::string> known;
    for (const auto& [tag, value] : roles_) known.push_back(tag);
    if (!function_tag_.empty()) known.push_back(function_tag_);
    if (!system_tag_.empty() && name == system_tag_)
      throw RowError(fmt::format("message {}: '{}' is allowed as the first message only", index + 1, name));
    throw RowError(fmt::format("message {} has the role '{}', expected one of: {}", index + 1, name,
                               fmt::to_string(fmt::join(known, ", "))));
  }

  ColumnMap columns_;
  RowKind kind_;
  std::string role_tag_, content_tag_, system_tag_, observation_tag_, function_tag_;
  std::map<std::string, MessageRole, std::less<>> roles_;
};

const ColumnMap& default_tags() {
  static const ColumnMap tags = {{"role_tag", "from"},
                                 {"content_tag", "value"},
                                 {"user_tag", "human"},
                                 {"assistant_tag", "gpt"},
                                 {"system_tag", "system"},
                                 {"observation_tag", "observation"},
                                 {"function_tag", "function_call"}};
  return tags;
}

std::optional<std::pair<ColumnMap, ColumnMap>> detect(const Json& row, RowKind kind) {
  auto columns = detect_message_columns(row, kind, "from", {"conversations", "messages"});
  if (!columns) return std::nullopt;
  return std::pair{std::move(*columns), default_tags()};
}

ColumnMap default_columns(RowKind kind) { return message_default_columns(kind, "conversations"); }

std::unique_ptr<RowConverter> bind(const ColumnMap& columns, const ColumnMap& tags, RowKind kind) {
  require_message_columns("sharegpt", columns, kind);
  return std::make_unique<SharegptConverter>(columns, tags, kind);
}

}  // namespace

RowFormat sharegpt_format() { return {"sharegpt", message_column_keys, default_columns, default_tags(), detect, bind}; }

}  // namespace ftrun
