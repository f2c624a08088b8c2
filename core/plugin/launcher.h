// Processes that mpirun or Slurm started as ranks of one job find the transport that reaches the others.
// Leaves out: the transports (collectives plugins), which alone know how ranks are numbered.
#pragma once

#include <cstdint>
#include <vector>

#include "core/config/selection.h"
#include "core/plugin/registry.h"

namespace ftrun {

/// Ranks of the job that a launcher says this process belongs to, from its environment; 0: no launcher.
int32_t launcher_world();

/// Throws INVALID_ARGUMENT where a launcher started several processes, each of which would do the whole work.
void require_one_process();

/// Under a launcher: selects the collectives plugin that takes part in its world, where none was asked for. Throws
/// INVALID_ARGUMENT when there is none for several ranks, or the one that was asked for does not. [control-thread]
void select_launcher_transport(Registry& registry, std::vector<PluginSelection>& selections);

/// NPROC_PER_NODE becomes the value of nproc where nothing else sets it and no launcher started the ranks, as in
/// ms-swift and torchrun scripts.
void add_environment_settings(ConfigSources& sources);

}  // namespace ftrun
