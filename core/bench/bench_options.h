// The flags of `ftrun bench`: its own, and the configuration keys that a step without data has a use for.
#pragma once

#include <cstdint>
#include <string>

#include "core/config/command_context.h"
#include "core/config/setting.h"

namespace ftrun {

struct BenchOptions {
  int64_t seq = 1024;
  int64_t batch = 2;
  int64_t steps = 5;  ///< measured, after one that is not
  bool bf16 = true;   ///< with fp32 master weights; false: fp32 throughout
  bool gradient_checkpointing = false;
  std::string finetuning_type = "full";  ///< or "lora"
  ConfigSources sources;                 ///< the configuration keys, for open_plugins
};

/// Throws INVALID_ARGUMENT for flags that bench has no use for, with the nearest one. Without --model the shipped
/// shape (configs/models/default) is measured.
BenchOptions read_bench_options(const CommandContext& context);

}  // namespace ftrun
