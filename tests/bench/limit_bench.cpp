// The limits themselves, first in the output.
#include <benchmark/benchmark.h>

#include "tests/bench/families.h"
#include "tests/bench/op_measure.h"

namespace ftrun::bench {
namespace {

void gemm_peak(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  for (auto _ : state) machine.gemm_peak(dtype);
  const GemmMeasure& peak = machine.gemm_peak(dtype);
  state.counters["TFLOP/s"] = peak.tflops;
  state.SetLabel(peak.library + " " + std::string(dtype_label(peak.dtype)));
}

void bandwidth(benchmark::State& state, Machine& machine) {
  double bytes_per_second = 0;
  for (auto _ : state) bytes_per_second = machine.bandwidth();
  state.counters["GB/s"] = bytes_per_second * 1e-9;
}

}  // namespace

void register_limits(Machine& machine) {
  for (const ftrun_dtype dtype : {FTRUN_F32, FTRUN_BF16}) {
    const std::string name = "limit/gemm_peak/" + std::string(dtype_label(dtype));
    benchmark::RegisterBenchmark(name.c_str(),
                                 [&machine, dtype](benchmark::State& state) { gemm_peak(state, machine, dtype); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond)
        ->Iterations(1);
  }
  benchmark::RegisterBenchmark("limit/bandwidth", [&machine](benchmark::State& state) { bandwidth(state, machine); })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(1);
}

}  // namespace ftrun::bench
