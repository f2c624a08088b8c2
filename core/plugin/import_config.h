// Configurations of other frameworks (a DeepSpeed JSON file, ...), read by the strategy plugins that know them.
#pragma once

#include <vector>

#include "core/config/selection.h"
#include "core/plugin/registry.h"

namespace ftrun {

/// A strategy plugin with the extension ftrun.import_config/1 declares the top-level keys it imports from as options of
/// its own. Offers the file (or literal value) given under such a key to each of those plugins and turns the answer of
/// the one that takes it into the strategy selection; options written beside it win. Throws INVALID_ARGUMENT when no
/// plugin or several take it, or `strategy` names another one. [control-thread]
void import_foreign_config(Registry& registry, const ConfigSources& sources, std::vector<PluginSelection>& selections);

}  // namespace ftrun
