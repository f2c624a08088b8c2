// The sharegpt row format: a list of messages whose roles alternate, with renamable keys and roles.
// As in LLaMA-Factory, a dataset that gives `tags` has only the roles it lists.
#include "core/base/error.h"
#include "core/data/row_format.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

class SharegptConverter final : public RowConverter {
 public:
  SharegptConverter(ColumnMap columns, const ColumnMap& tags) : columns_(std::move(columns)) {
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
    if (!row.is_object()) throw RowError(fmt::format("is {}, expected an object", json_kind(row)));
    const std::string& column = columns_.at("messages");
    const Json* list = mapped_value(row, columns_, "messages");
    if (list == nullptr) throw RowError(fmt::format("has no column '{}'", column));
    if (!list->is_array())
      throw RowError(fmt::format("column '{}' is {}, expected an array", column, json_kind(*list)));
    std::string system = mapped_text(row, columns_, "system");
    std::vector<Message> messages;
    for (size_t i = 0; i < list->size(); ++i) {
      const std::string role = text_of((*list)[i], role_tag_, i);
      std::string content = text_of((*list)[i], content_tag_, i);
      if (i == 0 && !system_tag_.empty() && role == system_tag_) {
        system = std::move(content);
        continue;
      }
      messages.push_back({role_of(role, i), std::move(content)});
    }
    return align_messages(std::move(messages), std::move(system), mapped_tools(row, columns_));
  }

 private:
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

std::optional<std::pair<ColumnMap, ColumnMap>> detect(const Json& row) {
  for (const char* column : {"conversations", "messages"}) {
    const auto list = row.find(column);
    if (list == row.end() || !list->is_array() || list->empty() || !list->front().contains("from")) continue;
    return std::pair{ColumnMap{{"messages", column}, {"system", "system"}, {"tools", "tools"}}, default_tags()};
  }
  return std::nullopt;
}

std::unique_ptr<RowConverter> bind(const ColumnMap& columns, const ColumnMap& tags) {
  if (!columns.contains("messages")) throw invalid_argument("columns: the sharegpt format needs 'messages'");
  return std::make_unique<SharegptConverter>(columns, tags);
}

}  // namespace

RowFormat sharegpt_format() {
  return {"sharegpt", {"messages", "system", "tools"}, {{"messages", "conversations"}}, default_tags(), detect, bind};
}

}  // namespace ftrun
