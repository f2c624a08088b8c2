// Command line arguments to settings.
#include "core/config/overrides.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/config/document.h"

namespace ftrun {
namespace {

bool is_flag(std::string_view argument) { return argument.size() > 2 && argument.starts_with("--"); }

bool is_key(std::string_view key) {
  const auto legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  };
  return !key.empty() && std::ranges::all_of(key, legal) && key.front() != '.' && key.back() != '.' &&
         key.find("..") == std::string_view::npos;
}

Setting make_setting(std::string key, const std::string& text) {
  const std::string origin = "--" + key;
  if (text == "null" || text == "~") {
    Setting setting = scalar_setting(std::move(key), "", origin);
    setting.value.kind = SettingValue::Kind::kNull;
    return setting;
  }
  if (!text.starts_with('{') && !text.starts_with('[')) return scalar_setting(std::move(key), text, origin);
  Setting setting;
  setting.key = std::move(key);
  setting.origin = origin;
  setting.value = parse_config_value(text, origin);
  return setting;
}

}  // namespace

std::vector<Setting> parse_overrides(std::span<const std::string> arguments) {
  std::vector<Setting> result;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!is_flag(argument)) {
      throw invalid_argument("unexpected argument '{}': expected --KEY VALUE", argument);
    }
    const size_t equals = argument.find('=');
    std::string key = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    std::ranges::replace(key, '-', '_');
    if (!is_key(key)) throw invalid_argument("unexpected argument '{}': not a configuration key", argument);
    std::string text = "true";
    if (equals != std::string::npos) {
      text = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size() && !is_flag(arguments[i + 1])) {
      text = arguments[++i];
    }
    if (std::ranges::find(result, key, &Setting::key) != result.end()) {
      throw invalid_argument("--{} is given more than once: give it once (a list as --{} A,B)", key, key);
    }
    result.push_back(make_setting(std::move(key), text));
  }
  return result;
}

}  // namespace ftrun
