// yaml-cpp nodes to settings.
#include "core/config/document.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/overrides.h"

namespace ftrun {
namespace {

// Aliases may repeat a node exponentially often; no honest configuration has this many values.
constexpr size_t kMaxValues = 100'000;
constexpr int kMaxDepth = 64;

class Converter {
 public:
  // origin: fixed text, or empty to derive FILE:LINE from each node's mark
  Converter(std::string file, std::string fixed_origin)
      : file_(std::move(file)), fixed_origin_(std::move(fixed_origin)) {}

  SettingValue value(const YAML::Node& node, const std::string& key_origin, int depth = 0) {
    if (++count_ > kMaxValues || depth > kMaxDepth) {
      throw invalid_argument("{}: more than {} values or {} levels of nesting", key_origin, kMaxValues, kMaxDepth);
    }
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
      if (const Setting* first = find(result, setting.key); first != nullptr) {
        throw invalid_argument("{}: duplicate key '{}', first given at {}", setting.origin, setting.key, first->origin);
      }
      result.push_back(std::move(setting));
    }
    for (Setting& setting : merged) {
      if (find(result, setting.key) == nullptr) result.push_back(std::move(setting));
    }
    return result;
  }

  std::string origin(const YAML::Node& node, const std::string& fallback) const {
    if (!fixed_origin_.empty()) return fixed_origin_;
    const YAML::Mark mark = node.Mark();
    return mark.line < 0 ? fallback : fmt::format("{}:{}", file_, mark.line + 1);
  }

 private:
  static const Setting* find(const std::vector<Setting>& settings, std::string_view key) {
    const auto found = std::ranges::find(settings, key, &Setting::key);
    return found == settings.end() ? nullptr : &*found;
  }
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

Error malformed(const std::string& place, const YAML::Exception& error) {
  return invalid_argument("{}:{}:{}: not valid YAML: {}", place, error.mark.line + 1, error.mark.column + 1, error.msg);
}

}  // namespace

std::vector<Setting> parse_config_text(std::string_view text, const std::filesystem::path& file) {
  const std::string name = file.string();
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n') + 1;
    throw invalid_argument("{}:{}: not valid YAML: a zero byte; is this a text file?", name, line);
  }
  try {
    // yaml-cpp takes an open quote that runs to the last line break for a closed one, and notices it without the break.
    YAML::LoadAll(std::string(text.substr(0, text.find_last_not_of(" \t\r\n") + 1)));
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.empty() || (documents.size() == 1 && documents[0].IsNull())) return {};
    if (documents.size() > 1) {
      throw invalid_argument("{}: {} YAML documents ('---'), expected one", name, documents.size());
    }
    const YAML::Node& root = documents.front();
    Converter converter(name, "");
    if (!root.IsMap()) {
      throw invalid_argument("{}: expected 'key: value' lines at the top level, got {}", converter.origin(root, name),
                             root.IsSequence() ? "a list" : "plain text");
    }
    return converter.entries(root, name, 0);
  } catch (const YAML::Exception& error) {
    throw malformed(name, error);
  }
}

std::vector<Setting> read_config_file(const std::filesystem::path& file) {
  return parse_config_text(read_file(file), file);
}

SettingValue parse_config_value(std::string_view text, const std::string& origin) {
  try {
    return Converter("", origin).value(YAML::Load(std::string(text)), origin);
  } catch (const YAML::Exception& error) {
    throw invalid_argument("{}: '{}' is not valid YAML: {}", origin, text, error.msg);
  }
}

ConfigSources read_config(const std::filesystem::path& file, std::span<const std::string> override_arguments) {
  ConfigSources sources;
  sources.file = file;
  sources.overrides = parse_overrides(override_arguments);
  if (!file.empty()) sources.document = read_config_file(file);
  return sources;
}

}  // namespace ftrun
