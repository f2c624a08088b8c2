// A checked copy of one ftrun_option, and the reader of option tables.
// Leaves out: values (option_value.h).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "ftrun/option.h"

namespace ftrun {

/// What a key accepts. A copy, so that it outlives nothing and its strings are checked once.
struct OptionSpec {
  std::string key;
  std::vector<std::string> aliases;
  ftrun_option_type type = FTRUN_OPTION_STRING;
  ftrun_option_flags flags = 0;
  std::string default_text;
  double min = 0;
  double max = 0;
  std::vector<std::string> choices;
  std::string doc;
  std::string group;         ///< heading in --help
  bool is_nullable = false;  ///< null is a value of its own, not the default; host keys only

  /// True for the key and its aliases.
  bool has_name(std::string_view name) const noexcept {
    return key == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end();
  }
  bool is_flat() const noexcept { return (flags & (FTRUN_OPTION_FLAT | FTRUN_OPTION_OF_HOST)) != 0; }
  /// Values are, or may be, paths.
  bool holds_paths() const noexcept { return type == FTRUN_OPTION_PATH || (flags & FTRUN_OPTION_MAY_BE_PATH) != 0; }
  bool is_of_host() const noexcept { return (flags & FTRUN_OPTION_OF_HOST) != 0; }
  bool has_default() const noexcept { return (flags & FTRUN_OPTION_UNSET) == 0; }
  bool has_range() const noexcept { return (flags & FTRUN_OPTION_RANGE) != 0; }
  /// "integer >= 1", "one of linear, cosine", "true or false": what a value must be, for messages and help.
  std::string expectation() const;
};

/// Copies and checks a table: heads and sizes, key grammar, unique keys and aliases, known types and flags, a default
/// that its own rules accept, a doc line. NULL gives an empty list. Throws INVALID_ARGUMENT that starts with `owner`
/// (for example "plugin 'device/cpu'") and names the entry. `dotted_keys` allows '.' in keys (the host's own table).
std::vector<OptionSpec> read_option_table(const ftrun_option_table* table, std::string_view owner,
                                          bool dotted_keys = false);

}  // namespace ftrun
