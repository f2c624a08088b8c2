// The op families, one file each.
#pragma once

#include "tests/bench/bench_machine.h"

namespace ftrun::bench {

/// Each registers its benchmarks; `machine` outlives the run.
void register_limits(Machine& machine);
void register_gemm(Machine& machine);
void register_attention(Machine& machine);
void register_elementwise(Machine& machine);
void register_cross_entropy(Machine& machine);
void register_optimizer(Machine& machine);
void register_tokenizer(Machine& machine);
void register_plugin_boundary(Machine& machine);

}  // namespace ftrun::bench
