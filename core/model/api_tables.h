// The engine's sub-tables of the host table, for HostServices (core/plugin/host_table.h).
#pragma once

#include "ftrun/collectives.h"
#include "ftrun/context.h"
#include "ftrun/shard.h"
#include "ftrun/tensor.h"

namespace ftrun {

/// Static tables, complete. Their calls take the ftrun_context of a Rank. [any-thread]
const ftrun_tensor_api* tensor_api_table() noexcept;
const ftrun_context_api* context_api_table() noexcept;
const ftrun_shard_api* shard_api_table() noexcept;
const ftrun_collectives_api* collectives_api_table() noexcept;

}  // namespace ftrun
