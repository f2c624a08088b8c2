// accelerate's FSDP configuration, the trainer's `fsdp` words and JSON, as a strategy of ours.
// Leaves out: what the strategies do with it.
// Source: accelerate's commands/config and utils/dataclasses (FullyShardedDataParallelPlugin), transformers'
// TrainingArguments.fsdp; the files in LLaMA-Factory's examples/accelerate and ms-swift's swift/config/fsdp2.json.
#pragma once

#include <string_view>

#include "sharding/imported_strategy.h"

namespace ftrun::sharding {

/// `text` is the content of an accelerate YAML file or of a JSON file {"fsdp": words, "fsdp_config": {...}}, or words:
/// full_shard, shard_grad_op, hybrid_shard, hybrid_shard_zero2, no_shard, offload, auto_wrap, fsdp2. no_shard is ddp,
/// the others are fsdp. Every key is mapped, known to change nothing here, or refused by name.
ImportedStrategy read_fsdp_config(std::string_view text);

}  // namespace ftrun::sharding
