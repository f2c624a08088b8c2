// Which plugins the configuration asks for, before any of them is loaded.
// Leaves out: finding the network from config.json (plugin/open_plugins.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/config/setting.h"

namespace ftrun {

/// One `strategy: name` or `strategy: {name: ..., option: ...}` (or element of the `reward` list).
struct PluginSelection {
  std::string kind;              ///< FTRUN_KIND_*
  std::string id;                ///< empty: not given and without a default (network, collectives)
  std::string origin;            ///< of the name, "default" when neither it nor a map was given
  bool is_named = false;         ///< the configuration says the name
  std::vector<Setting> options;  ///< the map's other entries, the command line's already winning
  double weight = 1.0;           ///< of a reward
};

/// One entry per kind (paradigm, strategy, device, collectives, network, in this order), then one per reward. Throws
/// INVALID_ARGUMENT listing every selector that is neither a name nor a map, lacks its name, or has an unusable weight;
/// and a missing stage.
std::vector<PluginSelection> select_plugins(const ConfigSources& sources);

/// The raw text of a host key before plugins are known: the command line's, the file's or the default; nullopt when
/// unset.
std::optional<std::string> peek_text(const ConfigSources& sources, std::string_view key);

/// Likewise for a list.
std::vector<std::string> peek_list(const ConfigSources& sources, std::string_view key);

/// Where the value of a host key stands: "FILE:LINE", "--key" or "default".
std::string peek_origin(const ConfigSources& sources, std::string_view key);

}  // namespace ftrun
