// The sharegpt row format: a list of messages whose roles alternate, with renamable keys and roles.
// As in LLaMA-Factory, a dataset that gives `tags` has only the roles it lists.
#include "core/base/error.h"
#include "core/data/answer_columns.h"
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
    add("function_tag", MessageRole::kFunction);
    if (tags.contains("system_tag")) system_tag_ = tags.at("system_tag");
  }

  AlignedRow convert(const Json& row) const override {
    return align_answers(row, columns_, kind_,
                         [this](const Json& list, std::string& system) { return read_messages(list, system); });
  }

 private:
  std::vector<Message> read_messages(const Json& list, std::string& system) const {
    std::vector<Message> messages;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string role = text_of(list[i], role_tag_, i);
      std::string content = text_of(list[i], content_tag_, i);
      if (i == 0 && !system_tag_.empty() && role == system_tag_) {
        system = std::move(content);
        continue;
      }
      messages.push_back({role_of(role, i), std::move(content)});
    }
    return messages;
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
    if (!system_tag_.empty() && name == system_tag_)
      throw RowError(fmt::format("message {}: '{}' is allowed as the first message only", index + 1, name));
    throw RowError(fmt::format("message {} has the role '{}', expected one of: {}", index + 1, name,
                               fmt::to_string(fmt::join(known, ", "))));
  }

  ColumnMap columns_;
  RowKind kind_;
  std::string role_tag_, content_tag_, system_tag_;
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
