// The ftrun_host that a plugin instance is given.
// Leaves out: the engine's calls behind the sub-tables (tensor, context, ...), which the composer supplies.
#pragma once

#include <string>

#include "ftrun/collectives.h"
#include "ftrun/context.h"
#include "ftrun/data.h"
#include "ftrun/generate.h"
#include "ftrun/host.h"
#include "ftrun/shard.h"

namespace ftrun {

/// What the rest of the host supplies: complete static tables. NULL where nothing is composed yet (asking a device for
/// its count): such a host only logs, records failures, runs tasks and reads options.
struct HostServices {
  ftrun_status (*metric)(ftrun_context* ctx, ftrun_str name, double value) = nullptr;  ///< NULL: metrics are refused
  bool (*cancelled)() = nullptr;                                                       ///< NULL: never
  const ftrun_tensor_api* tensor = nullptr;
  const ftrun_context_api* context = nullptr;
  const ftrun_data_api* data = nullptr;
  const ftrun_generate_api* generate = nullptr;
  const ftrun_shard_api* shard = nullptr;
  const ftrun_collectives_api* collectives = nullptr;
};

/// A host table that lives until the process ends. `plugin_name` ("device/cpu") stands before its log lines; fail
/// records the detail that check_plugin takes; parallel_for is core/parallel's. [any-thread]
const ftrun_host* make_host_table(std::string plugin_name, const HostServices& services);

}  // namespace ftrun
