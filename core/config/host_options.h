// The host's own configuration keys: LLaMA-Factory's and the Hugging Face trainer's names and defaults.
// Leaves out: keys of plugins; keys that are accepted and ignored or refused with a reason (foreign_keys.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config/option_spec.h"

namespace ftrun {

/// All host keys, grouped, in the order of --help. Built once. [any-thread]
const std::vector<OptionSpec>& host_options();

/// The host key with this name or alias, or NULL.
const OptionSpec* find_host_option(std::string_view name);

/// The key that selects plugins of a kind ("paradigm" -> "stage"); the others are called as their kind.
std::string_view selector_key(std::string_view kind);
/// The kind that a key selects ("stage" -> "paradigm"), or "" for other keys.
std::string_view kind_of_selector(std::string_view key);

}  // namespace ftrun
