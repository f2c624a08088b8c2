// Keys of other frameworks' YAML files that ftrun knows without having them.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/option_value.h"
#include "core/config/setting.h"

namespace ftrun {

/// What a harmless key is ignored for ("no remote code is run"), or "" when the key is not on the list. Such keys
/// change nothing about the result and are accepted with one log line.
std::string_view harmless_key_reason(std::string_view key);

/// How a key that ftrun does not have is answered.
struct ForeignKey {
  std::string_view key;
  std::string_view accepted;  ///< comma-separated values that mean what ftrun does anyway; empty: none
  std::string_view reason;    ///< why other values cannot be honoured, and what to do
};

/// The entry of a key of other frameworks that is refused unless it has an accepted value; NULL for other keys.
const ForeignKey* find_foreign_key(std::string_view key);

/// True when the value says what ftrun does anyway (null always does).
bool is_accepted(const ForeignKey& key, const SettingValue& value);

/// Appends one message for each host value that is legal but not available in this build (finetuning_type oft), in the
/// order in which a reader mends them. `unreadable`: keys that were given a value of the wrong kind, so that `host` has
/// their default.
void refuse_unavailable(const OptionValues& host, const std::set<std::string, std::less<>>& unreadable,
                        std::vector<std::string>& messages);

}  // namespace ftrun
