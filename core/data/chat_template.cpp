// Reads template files: every key known, every slot checked, errors with file and line.
#include "core/data/chat_template.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>
#include <system_error>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/nearest_name.h"
#include "core/config/yaml_reader.h"

namespace ftrun {
namespace {

constexpr std::string_view kPlaceholder = "{{content}}";

/// A YAML value with the file it came from, for messages.
struct Value {
  const std::filesystem::path& file;
  std::string key;
  YAML::Node node;

  template <typename... Args>
  Error error(fmt::format_string<Args...> format, Args&&... args) const {
    return invalid_argument("{}:{}: {}: {}", file.string(), node.Mark().line + 1, key,
                            fmt::format(format, std::forward<Args>(args)...));
  }
};

std::string read_string(const Value& value) {
  if (!value.node.IsScalar()) throw value.error("expected a string");
  return value.node.Scalar();
}

bool read_bool(const Value& value) {
  bool result = false;
  if (!value.node.IsScalar() || !YAML::convert<bool>::decode(value.node, result))
    throw value.error("expected true or false");
  return result;
}

std::vector<std::string> read_strings(const Value& value) {
  if (!value.node.IsSequence()) throw value.error("expected a list of strings");
  std::vector<std::string> result;
  for (const YAML::Node& item : value.node) result.push_back(read_string({value.file, value.key, item}));
  return result;
}

std::vector<uint64_t> read_hashes(const Value& value) {
  std::vector<uint64_t> hashes;
  for (const std::string& text : read_strings(value)) {
    uint64_t hash = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), hash, 16);
    if (text.size() != 16 || status != std::errc() || end != text.data() + text.size())
      throw value.error("expected hashes of 16 hexadecimal digits, got '{}'", text);
    hashes.push_back(hash);
  }
  return hashes;
}

SlotPiece read_piece(const Value& value) {
  if (value.node.IsScalar()) return {SlotPiece::Kind::kText, value.node.Scalar()};
  if (value.node.IsMap() && value.node.size() == 1) {
    const std::string kind = value.node.begin()->first.as<std::string>();
    const std::string name = read_string({value.file, value.key, value.node.begin()->second});
    if (kind == "token") return {SlotPiece::Kind::kToken, name};
    if (kind == "special" && name == "bos") return {SlotPiece::Kind::kBos, {}};
    if (kind == "special" && name == "eos") return {SlotPiece::Kind::kEos, {}};
  }
  throw value.error("expected a string, {{special: bos}}, {{special: eos}} or {{token: NAME}}");
}

Slot read_slot(const Value& value, bool needs_content) {
  Slot slot;
  if (value.node.IsSequence()) {
    for (const YAML::Node& item : value.node) slot.push_back(read_piece({value.file, value.key, item}));
  } else {
    slot.push_back(read_piece(value));
  }
  const bool has_content = std::any_of(slot.begin(), slot.end(), [](const SlotPiece& piece) {
    return piece.text.find(kPlaceholder) != std::string::npos;
  });
  if (needs_content && !has_content) throw value.error("the slot needs {} somewhere", kPlaceholder);
  if (!needs_content && has_content) throw value.error("{} has no meaning here", kPlaceholder);
  return slot;
}

using Readers = std::map<std::string, std::function<void(const Value&)>, std::less<>>;

void read_map(const std::filesystem::path& file, const YAML::Node& map, const Readers& readers) {
  std::vector<std::string> known;
  for (const auto& [key, reader] : readers) known.push_back(key);
  std::set<std::string> seen;
  for (const auto& entry : map) {
    const Value key{file, "template", entry.first};
    const std::string name = read_string(key);
    const auto reader = readers.find(name);
    if (reader == readers.end()) throw key.error("unknown key '{}'{}", name, did_you_mean(name, known));
    if (!seen.insert(name).second) throw key.error("key '{}' appears twice", name);
    reader->second({file, name, entry.second});
  }
}

ToolFormat read_tool_format(const Value& value) {
  if (!value.node.IsMap()) throw value.error("expected a map");
  ToolFormat result;
  const auto text = [](std::string& target, std::string_view placeholder) {
    return [&target, placeholder](const Value& item) {
      target = read_string(item);
      if (target.find(placeholder) == std::string::npos) throw item.error("needs {} somewhere", placeholder);
    };
  };
  read_map(value.file, value.node,
           {{"system", text(result.system, "{{tools}}")},
            {"tool", text(result.tool, "{{tool}}")},
            {"call", text(result.call, "{{call}}")},
            {"call_separator", [&](const Value& item) { result.call_separator = read_string(item); }},
            {"quotes_arguments", [&](const Value& item) { result.quotes_arguments = read_bool(item); }}});
  if (result.system.empty() || result.tool.empty() || result.call.empty())
    throw value.error("needs the keys system, tool and call");
  return result;
}

Readers readers_of(ChatTemplate& result) {
  const auto slot = [](Slot& target, bool needs_content) {
    return [&target, needs_content](const Value& value) { target = read_slot(value, needs_content); };
  };
  const auto text = [](std::string& target) { return [&target](const Value& value) { target = read_string(value); }; };
  const auto flag = [](bool& target) { return [&target](const Value& value) { target = read_bool(value); }; };
  return {{"prefix", slot(result.prefix, false)},
          {"system", slot(result.system, true)},
          {"user", slot(result.user, true)},
          {"assistant", slot(result.assistant, true)},
          {"observation", slot(result.observation, true)},
          {"observation_separator", slot(result.observation_separator, false)},
          {"function", slot(result.function, true)},
          {"default_system", text(result.default_system)},
          {"stop_words", [&](const Value& value) { result.stop_words = read_strings(value); }},
          {"replace_eos", flag(result.replace_eos)},
          {"efficient_eos", flag(result.efficient_eos)},
          {"reasoning", flag(result.reasoning)},
          {"document_end", text(result.document_end)},
          {"thought_open", text(result.thought_open)},
          {"thought_close", text(result.thought_close)},
          {"trims_content", flag(result.trims_content)},
          {"jinja", text(result.jinja)},
          {"equal_jinja", [&](const Value& value) { result.equal_jinja = read_hashes(value); }},
          {"replace_jinja_template", flag(result.replace_jinja_template)},
          {"tool_format", [&](const Value& value) { result.tool_format = read_tool_format(value); }}};
}

void fill_default_slots(ChatTemplate& result) {
  const Slot content = {{SlotPiece::Kind::kText, std::string(kPlaceholder)}};
  if (result.user.empty()) result.user = content;
  if (result.system.empty()) result.system = content;
  if (result.assistant.empty()) {
    result.assistant = content;
    if (!result.efficient_eos) result.assistant.push_back({SlotPiece::Kind::kEos, {}});
  }
  if (result.observation.empty()) result.observation = result.user;
  if (result.function.empty()) result.function = result.assistant;
  // LLaMA-Factory's, for every template.
  if (result.observation_separator.empty())
    result.observation_separator = {{SlotPiece::Kind::kText, "\n</tool_response>\n<tool_response>\n"}};
}

}  // namespace

ChatTemplate ChatTemplate::load(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  const std::vector<YAML::Node> documents = load_yaml(text, {file.string()});
  if (documents.size() > 1) throw invalid_argument("{}: more than one YAML document", file.string());
  const YAML::Node root = documents.empty() ? YAML::Node() : documents.front();
  if (!root.IsMap()) throw invalid_argument("{}:1: a chat template is a map of slots", file.string());
  ChatTemplate result;
  result.name = file.stem().string();
  result.fingerprint = content_hash(text);
  read_map(file, root, readers_of(result));
  if (result.replace_eos && result.stop_words.empty())
    throw invalid_argument("{}: replace_eos needs stop_words: the first one becomes the end token", file.string());
  if (result.reasoning && (result.thought_open.empty() || result.thought_close.empty()))
    throw invalid_argument("{}: reasoning needs thought_open and thought_close", file.string());
  if (result.replace_jinja_template && result.jinja.empty())
    throw invalid_argument("{}: replace_jinja_template needs jinja: the text to replace it with", file.string());
  fill_default_slots(result);
  return result;
}

std::vector<std::string> chat_template_names(std::span<const std::filesystem::path> search_path) {
  std::set<std::string> names;
  for (const auto& folder : search_path) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".yaml") names.insert(entry.path().stem().string());
    }
  }
  return {names.begin(), names.end()};
}

ChatTemplate find_chat_template(std::string_view name, std::span<const std::filesystem::path> search_path,
                                std::string_view place) {
  const bool is_name = !name.empty() && name.find('/') == std::string_view::npos && name.front() != '.';
  for (const auto& folder : search_path) {
    const std::filesystem::path file = folder / (std::string(name) + ".yaml");
    if (is_name && std::filesystem::is_regular_file(file)) return ChatTemplate::load(file);
  }
  const std::vector<std::string> known = chat_template_names(search_path);
  if (known.empty()) {
    std::vector<std::string> folders;
    for (const auto& folder : search_path) folders.push_back(folder.string());
    throw not_found("{}: '{}': no template files (*.yaml) in: {}", place, name,
                    fmt::to_string(fmt::join(folders, ", ")));
  }
  throw invalid_argument("{}: '{}' is not known{}; templates: {}", place, name, did_you_mean(name, known),
                         fmt::to_string(fmt::join(known, ", ")));
}

}  // namespace ftrun
