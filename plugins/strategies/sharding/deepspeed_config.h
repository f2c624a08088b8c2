// DeepSpeed's JSON configuration, and the names that ms-swift gives to such files, as a strategy of ours.
// Leaves out: what the strategies do with it.
// Source: deepspeed.ai/docs/config-json; the files in LLaMA-Factory's examples/deepspeed and ms-swift's swift/config.
#pragma once

#include <string_view>

#include "sharding/imported_strategy.h"

namespace ftrun::sharding {

/// `text` is the file's content, or zero0 to zero3, zero2_offload, zero3_offload. Stages 0 to 3 are ddp, zero1, zero2,
/// zero3. Every key is mapped, known to change nothing here, or refused by name.
ImportedStrategy read_deepspeed_config(std::string_view text);

}  // namespace ftrun::sharding
