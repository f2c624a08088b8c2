// yaml-cpp nodes to settings.
#include "core/config/document.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/overrides.h"
#include "core/config/yaml_reader.h"

namespace ftrun {
namespace {

// Aliases may repeat a node exponentially often; no honest configuration has this many values.
constexpr size_t kMaxValues = 100'000;

class Converter {
 public:
  // origin: fixed text, or empty to derive FILE:LINE from each node's mark
  Converter(std::string file, std::string fixed_origin)
      : file_(std::move(file)), fixed_origin_(std::move(fixed_origin)) {}

  SettingValue value(const YAML::Node& node, const std::string& key_origin, int depth = 0) {
    if (++count_ > kMaxValues) throw invalid_argument("{}: more than {} values in all", key_origin, kMaxValues);
    if (depth > kMaxYamlDepth) throw too_deep_yaml(origin(node, key_origin));
    SettingValue result;
    result.origin = origin(node, key_origin);
    const std::string& tag = node.Tag();
    const bool is_text_tag = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!tag.empty() && tag != "?" && !is_text_tag) {
      throw invalid_argument("{}: YAML tag '{}' is not supported", result.origin, tag);
    }
    if (node.IsScalar()) {
      result.kind = SettingValue::Kind::kScalar;
      result.scalar = node.Scalar();
      result.quoted = is_text_tag;
    } else if (node.IsSequence()) {
      result.kind = SettingValue::Kind::kList;
      for (const YAML::Node& item : node) result.items.push_back(value(item, result.origin, depth + 1));
    } else if (node.IsMap()) {
      result.kind = SettingValue::Kind::kMap;
      result.entries = entries(node, result.origin, depth + 1);
    }
    return result;
  }

  std::vector<Setting> entries(const YAML::Node& map, const std::string& map_origin, int depth) {
    std::vector<Setting> result;
    std::vector<Setting> merged;
    std::map<std::string, std::string, std::less<>> origins;  // of the keys so far
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        throw invalid_argument("{}: a key must be plain text", origin(entry.first, map_origin));
      }
      Setting setting;
      setting.key = entry.first.Scalar();
      setting.origin = origin(entry.first, map_origin);
      setting.value = value(entry.second, setting.origin, depth);
      if (setting.key == "<<") {
        add_merge(setting, merged);
        continue;
      }
      if (const auto [first, is_new] = origins.emplace(setting.key, setting.origin); !is_new) {
        throw invalid_argument("{}: duplicate key '{}', first given at {}", setting.origin, setting.key, first->second);
      }
      result.push_back(std::move(setting));
    }
    for (Setting& setting : merged) {
      if (origins.emplace(setting.key, setting.origin).second) result.push_back(std::move(setting));
    }
    return result;
  }

  std::string origin(const YAML::Node& node, const std::string& fallback) const {
    if (!fixed_origin_.empty()) return fixed_origin_;
    const YAML::Mark mark = node.Mark();
    return mark.line < 0 ? fallback : fmt::format("{}:{}", file_, mark.line + 1);
  }

 private:
  static void add_merge(const Setting& merge, std::vector<Setting>& merged) {
    const auto add_map = [&](const SettingValue& map) {
      if (map.kind != SettingValue::Kind::kMap) {
        throw invalid_argument("{}: '<<' merges maps, got {}", merge.origin, map.description());
      }
      merged.insert(merged.end(), map.entries.begin(), map.entries.end());
    };
    if (merge.value.kind == SettingValue::Kind::kList) {
      for (const SettingValue& item : merge.value.items) add_map(item);
    } else {
      add_map(merge.value);
    }
  }

  std::string file_;
  std::string fixed_origin_;
  size_t count_ = 0;
};

// Line of the marker that opens the second document, 0 when there is none: yaml-cpp also splits where a list is
// followed by keys, and keeps no position of documents.
size_t second_document_line(std::string_view text) {
  bool has_content = false;
  size_t line = 0;
  for (size_t begin = 0; begin < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view content = text.substr(begin, end - begin);
    const bool marker = content.starts_with("---") && (content.size() == 3 || content.find_first_of(" \t\r") == 3);
    if (marker && has_content) return line + 1;
    const size_t first = content.find_first_not_of(" \t\r");
    has_content =
        has_content || marker || (first != std::string_view::npos && content[first] != '#' && content[0] != '%');
    begin = end + 1;
  }
  return 0;
}

}  // namespace

std::vector<Setting> parse_config_text(std::string_view text, const std::filesystem::path& file) {
  const std::string name = file.string();
  const std::vector<YAML::Node> documents = load_yaml(text, {name});
  if (documents.empty() || (documents.size() == 1 && documents[0].IsNull())) return {};
  const size_t second = documents.size() > 1 ? second_document_line(text) : 0;
  if (second > 0) {
    throw invalid_argument("{}:{}: a second YAML document begins ('---'): expected one in a file", name, second);
  }
  const YAML::Node& root = documents.front();
  Converter converter(name, "");
  if (!root.IsMap()) {
    throw invalid_argument("{}: expected 'key: value' lines at the top level, got {}", converter.origin(root, name),
                           root.IsSequence() ? "a list" : "plain text");
  }
  if (documents.size() > 1) {
    throw invalid_argument("{}: expected 'key: value' lines only", converter.origin(documents[1], name));
  }
  return converter.entries(root, name, 0);
}

std::vector<Setting> read_config_file(const std::filesystem::path& file) {
  return parse_config_text(read_file(file), file);
}

SettingValue parse_config_value(std::string_view text, const std::string& origin) {
  const std::vector<YAML::Node> documents = load_yaml(text, {origin, false});
  if (documents.size() != 1) throw invalid_argument("{}: '{}': expected one YAML value", origin, text);
  return Converter("", origin).value(documents.front(), origin);
}

ConfigSources read_config(const std::filesystem::path& file, std::span<const std::string> override_arguments) {
  ConfigSources sources;
  sources.file = file;
  sources.overrides = parse_overrides(override_arguments);
  if (!file.empty()) sources.document = read_config_file(file);
  return sources;
}

}  // namespace ftrun
