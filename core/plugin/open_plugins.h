// From a configuration to loaded plugins and resolved options: what a run is composed of.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/config/resolve.h"
#include "core/config/selection.h"
#include "core/plugin/registry.h"

namespace ftrun {

/// A plugin in use with its resolved options.
struct ChosenPlugin {
  const Plugin* plugin = nullptr;          ///< NULL: the run has none of this kind
  const ftrun_options* options = nullptr;  ///< for create and open
};

struct ChosenReward {
  ChosenPlugin chosen;
  double weight = 1.0;
};

/// Everything a run is composed of, before anything is created. Keep it alive as long as the plugins' instances.
struct OpenedPlugins {
  ResolvedConfig config;
  ChosenPlugin paradigm;
  ChosenPlugin strategy;
  ChosenPlugin device;
  ChosenPlugin host_device;  ///< `cpu`; the same as device when that is the chosen one
  ChosenPlugin collectives;  ///< plugin NULL when none was asked for and the default is not installed
  ChosenPlugin network;      ///< plugin NULL when neither `network` nor a model folder is given
  std::vector<ChosenReward> rewards;
};

/// What a command cannot do without. kOneProcess: no paradigm, and no other process of a launcher's.
enum class Needs { kParadigm, kNoParadigm, kOneProcess };

/// Loads the plugins the configuration selects (the network from the model's config.json unless named, the strategy
/// from a DeepSpeed or FSDP file when given) and resolves all keys. Throws listing every error of a stage: selection,
/// loading, resolution. [control-thread]
/// Without a paradigm a missing `stage` leaves `paradigm` empty.
OpenedPlugins open_plugins(Registry& registry, const ConfigSources& sources, Needs needs = Needs::kParadigm);

/// Registry over --plugin_path (or the configuration's plugin_path), $FTRUN_PLUGIN_PATH and the install. Sets
/// OMP_NUM_THREADS=1 first, because libraries read it while they are loaded.
Registry open_registry(const ConfigSources& sources);

/// open_registry for commands without a configuration: --plugin_path is the only flag they take.
Registry open_tool_registry(std::span<const std::string> override_arguments);

}  // namespace ftrun
