// Typed values of options: conversion from what the user wrote, and the resolved set of one owner.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/option_spec.h"
#include "core/config/setting.h"

namespace ftrun {

enum class ValueSource { kDefault, kPluginDefault, kFile, kCommandLine };

/// A value after type, range and choices were checked.
struct OptionValue {
  ftrun_option_type type = FTRUN_OPTION_STRING;
  bool is_set = false;
  bool is_null = false;  ///< given as null, which is a value of this key (OptionSpec::is_nullable); then not set
  bool as_bool = false;
  int64_t as_int = 0;              ///< INT, BYTES
  double as_float = 0;             ///< FLOAT
  std::string text;                ///< STRING, PATH (expanded); of the other types as the user wrote it
  std::vector<std::string> items;  ///< STRING_LIST
  std::string origin = "default";  ///< "FILE:LINE", "--key" or "default"
  ValueSource source = ValueSource::kDefault;
};

/// Converts and checks, and expands ~ and ${NAME} in paths. Throws INVALID_ARGUMENT "ORIGIN: KEY: expected ..., got
/// ...". A null value gives the default, except of a key that has it as a value.
OptionValue convert_value(const OptionSpec& spec, const SettingValue& value);

/// The value when nothing is given.
OptionValue default_value(const OptionSpec& spec);

/// Text of a value for people: what one would write in YAML, "(unset)" when there is none, "null".
std::string value_text(const OptionValue& value);

/// Resolved values of one option table. Getters throw INTERNAL for a key that is not in the table or has another type,
/// and INVALID_ARGUMENT "KEY is not set: ..." for a key without a value. [any-thread] once built
class OptionValues {
 public:
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  const OptionValue* find(std::string_view key) const;
  bool is_set(std::string_view key) const;
  /// True when the file or the command line gave the value.
  bool is_given(std::string_view key) const;

  bool get_bool(std::string_view key) const;
  int64_t get_int(std::string_view key) const;
  double get_float(std::string_view key) const;
  /// STRING or PATH.
  const std::string& get_string(std::string_view key) const;
  const std::vector<std::string>& get_list(std::string_view key) const;
  /// nullopt: unset, or null where that is a value.
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<int64_t> find_int(std::string_view key) const;
  std::optional<double> find_float(std::string_view key) const;
  std::optional<std::string> find_string(std::string_view key) const;
  /// "FILE:LINE", "--key" or "default".
  const std::string& origin(std::string_view key) const;

  void set(std::string key, OptionValue value);
  /// All keys, sorted.
  const std::map<std::string, OptionValue, std::less<>>& entries() const noexcept { return values_; }

 private:
  const OptionValue& require(std::string_view key, ftrun_option_type type) const;
  std::map<std::string, OptionValue, std::less<>> values_;
};

}  // namespace ftrun
