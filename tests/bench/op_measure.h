// Times one device op and holds it against the limit that applies to it: the machine's matrix products or its memory.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/bench/bench_machine.h"

namespace ftrun::bench {

/// One call of a device op. Operands may be empty: absent.
struct OpRun {
  std::string name;  ///< of the op
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  const void* attributes = nullptr;  ///< outlives the measurement
};

/// Bytes of all operands, each memory counted once when read and once when written.
double moved_bytes(const OpRun& run);

/// Reports `of_gemm_peak` and TFLOP/s: `flops` per call against the peak for `dtype`. Operands stay warm, as far as
/// they fit.
void against_gemm_peak(benchmark::State& state, Machine& machine, const OpRun& run, double flops, ftrun_dtype dtype);

/// Reports `of_bandwidth` and GB/s: `bytes` per call against Machine::bandwidth(). Calls go round as many sets of
/// operands as it takes to leave the caches. `bytes` 0: moved_bytes(run).
void against_bandwidth(benchmark::State& state, Machine& machine, const OpRun& run, double bytes = 0);

/// Registers BODY(state, machine, dtype) as NAME/f32 and NAME/bf16, measured in wall-clock time.
using DtypeBody = std::function<void(benchmark::State&, Machine&, ftrun_dtype)>;
void register_dtypes(const std::string& name, Machine& machine, const DtypeBody& body);

}  // namespace ftrun::bench
