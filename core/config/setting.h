// One setting as the user wrote it: key, raw value and where both stand.
// Leaves out: types and meaning (option_value.h, resolve.h).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun {

struct Setting;

/// A YAML value before it has a type.
struct SettingValue {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  std::string scalar;               ///< raw text of a kScalar, quotes removed
  bool quoted = false;              ///< the scalar stood in quotes: it is a string whatever it looks like
  std::string origin;               ///< "FILE:LINE" or "--key"
  std::vector<SettingValue> items;  ///< of a kList
  std::vector<Setting> entries;     ///< of a kMap, in order, keys unique

  /// One line for messages: the scalar, "null", "a list of 3" or "a map of 2 keys".
  std::string description() const;
};

/// A key with its value. `origin` is where the key stands.
struct Setting {
  std::string key;
  std::string origin;
  SettingValue value;
};

/// The settings of one file (or none) and the command line's, which win over them.
struct ConfigSources {
  std::filesystem::path file;      ///< empty: no file
  std::vector<Setting> document;   ///< top level of the file, keys unique
  std::vector<Setting> overrides;  ///< from the command line; keys may be dotted ("strategy.offload_optimizer")
};

/// A scalar setting, for settings that do not come from a file.
Setting scalar_setting(std::string key, std::string text, std::string origin);

}  // namespace ftrun
