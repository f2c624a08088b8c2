// Ratios are computed here, because Google Benchmark prints every rate with "/s".
#include "tests/bench/op_measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace ftrun::bench {
namespace {

/// Runs the loop of `state` over body() and returns seconds per call.
template <class Body>
double seconds_per_call(benchmark::State& state, const Body& body) {
  const auto begin = std::chrono::steady_clock::now();
  for (auto _ : state) body();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return seconds.count() / static_cast<double>(state.iterations());
}

/// A kernel cannot beat its limit by more than noise, except when data stays in the caches.
void report(benchmark::State& state, const char* counter, double share) {
  state.counters[counter] = share;
  if (share > 1.1) state.SetLabel("above its limit: a busy machine, or operands in the caches");
}

void call(Machine& machine, const OpRun& run) {
  execute(machine.ctx(), run.name, run.inputs, run.outputs, run.attributes);
}

/// Copies of all operands; an output that is an input stays one.
OpRun duplicate(Machine& machine, const OpRun& run) {
  OpRun result{run.name, {}, {}, run.attributes};
  for (const Tensor& x : run.inputs) result.inputs.push_back(x ? machine.duplicate(x) : Tensor());
  for (const Tensor& y : run.outputs) {
    const auto same = std::ranges::find_if(run.inputs, [&](const Tensor& x) { return x && y && x.get() == y.get(); });
    if (same != run.inputs.end()) {
      result.outputs.push_back(result.inputs[static_cast<size_t>(same - run.inputs.begin())]);
    } else {
      result.outputs.push_back(y ? machine.duplicate(y) : Tensor());
    }
  }
  return result;
}

}  // namespace

double moved_bytes(const OpRun& run) {
  double bytes = 0;
  for (const auto* list : {&run.inputs, &run.outputs}) {
    for (const Tensor& x : *list) bytes += x ? static_cast<double>(x.bytes()) : 0.0;
  }
  return bytes;
}

void against_gemm_peak(benchmark::State& state, Machine& machine, const OpRun& run, double flops, ftrun_dtype dtype) {
  const double peak = machine.peak_flops(dtype);
  call(machine, run);
  const double reached = flops / seconds_per_call(state, [&] { call(machine, run); });
  report(state, "of_gemm_peak", reached / peak);
  state.counters["TFLOP/s"] = reached * 1e-12;
}

void against_bandwidth(benchmark::State& state, Machine& machine, const OpRun& run, double bytes) {
  const double limit = machine.bandwidth();
  const double held = moved_bytes(run);
  if (bytes <= 0) bytes = held;
  const double stream = static_cast<double>(machine.sizes().stream_mib << 20);
  std::vector<OpRun> sets = {run};
  const auto count = static_cast<size_t>(std::ceil(stream / held));
  while (sets.size() < count) sets.push_back(duplicate(machine, run));
  for (const OpRun& set : sets) call(machine, set);
  size_t next = 0;
  const double reached = bytes / seconds_per_call(state, [&] {
                           call(machine, sets[next]);
                           next = next + 1 < sets.size() ? next + 1 : 0;
                         });
  report(state, "of_bandwidth", reached / limit);
  state.counters["GB/s"] = reached * 1e-9;
}

void register_dtypes(const std::string& name, Machine& machine, const DtypeBody& body) {
  for (const ftrun_dtype dtype : {FTRUN_F32, FTRUN_BF16}) {
    const std::string full = name + "/" + std::string(dtype_label(dtype));
    benchmark::RegisterBenchmark(full.c_str(),
                                 [&machine, body, dtype](benchmark::State& state) { body(state, machine, dtype); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace ftrun::bench
