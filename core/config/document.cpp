// yaml-cpp nodes to settings.
#include "core/config/document.h"

#include <yaml-cpp/depthguard.h>
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

Error too_deep(const std::string& place) {
  return invalid_argument("{}: lists and maps are nested too deeply: expected at most {} levels", place, kMaxDepth);
}

class Converter {
 public:
  // origin: fixed text, or empty to derive FILE:LINE from each node's mark
  Converter(std::string file, std::string fixed_origin)
      : file_(std::move(file)), fixed_origin_(std::move(fixed_origin)) {}

  SettingValue value(const YAML::Node& node, const std::string& key_origin, int depth = 0) {
    if (++count_ > kMaxValues) throw invalid_argument("{}: more than {} values in all", key_origin, kMaxValues);
    if (depth > kMaxDepth) throw too_deep(origin(node, key_origin));
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

size_t line_at(std::string_view text, size_t offset) {
  return static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n')) + 1;
}

// Bytes of the UTF-8 character at the start of `text`, 0 when it is none (RFC 3629, section 4).
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xC2 && lead <= 0xDF   ? 2
                      : (lead & 0xF0) == 0xE0        ? 3
                      : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                     : 0;
  if (size == 0 || size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xED && byte(1) > 0x9F;
  const bool beyond = lead == 0xF4 && byte(1) > 0x8F;
  return overlong || surrogate || beyond ? 0 : size;
}

void require_text(std::string_view text, const std::string& name) {
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '\0') {
      throw invalid_argument("{}:{}: not valid YAML: a zero byte; is this a text file?", name, line_at(text, at));
    }
    const size_t size = character_bytes(text.substr(at));
    if (size == 0) {
      throw invalid_argument("{}:{}: not valid UTF-8: byte 0x{:02X}; save the file as UTF-8", name, line_at(text, at),
                             static_cast<unsigned>(static_cast<unsigned char>(text[at])));
    }
    at += size;
  }
}

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

Error malformed(const std::string& place, const YAML::Exception& error) {
  return invalid_argument("{}:{}:{}: not valid YAML: {}", place, error.mark.line + 1, error.mark.column + 1, error.msg);
}

}  // namespace

std::vector<Setting> parse_config_text(std::string_view text, const std::filesystem::path& file) {
  const std::string name = file.string();
  require_text(text, name);
  try {
    // yaml-cpp takes an open quote that runs to the last line break for a closed one, and notices it without the break.
    YAML::LoadAll(std::string(text.substr(0, text.find_last_not_of(" \t\r\n") + 1)));
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
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
  } catch (const YAML::DeepRecursion& error) {
    throw too_deep(fmt::format("{}:{}", name, error.mark.line + 1));
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
  } catch (const YAML::DeepRecursion&) {
    throw too_deep(origin);
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
