// Every kernel of the `cpu` device on the shapes of configs/models/qwen2.5-0.5b, against this machine's limits.
//   kernel_bench [--tokens=N] [--seq=N] [--vocabulary=N] [--peak=N] [--stream_mib=N] [--threads=N] [--benchmark_...]
// of_gemm_peak: FLOP/s against the best matrix product of the libraries at hand. of_bandwidth: bytes against streaming
// memory. Needs a quiet machine: a limit that was measured while others ran is too low, and kernels above it are
// marked. Google Benchmark's warning about a debug library is about itself, not about the kernels.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "core/parallel/thread_pool.h"
#include "tests/bench/families.h"

namespace {

using namespace ftrun::bench;

/// "--NAME=POSITIVE" into `value`; false when it is another flag.
template <class Integer>
bool take(std::string_view argument, std::string_view name, Integer* value) {
  if (!argument.starts_with("--") || !argument.substr(2).starts_with(name)) return false;
  argument.remove_prefix(2 + name.size());
  if (!argument.starts_with('=')) return false;
  argument.remove_prefix(1);
  const auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), *value);
  return error == std::errc() && end == argument.data() + argument.size() && *value > 0;
}

/// Takes our flags out of the arguments.
Sizes read_sizes(std::vector<char*>& arguments) {
  Sizes sizes;
  std::erase_if(arguments, [&](const char* argument) {
    return take(argument, "tokens", &sizes.tokens) || take(argument, "seq", &sizes.seq) ||
           take(argument, "vocabulary", &sizes.vocabulary) || take(argument, "peak", &sizes.peak) ||
           take(argument, "stream_mib", &sizes.stream_mib) || take(argument, "threads", &sizes.threads);
  });
  return sizes;
}

/// The program's exit code.
int run(std::vector<char*> arguments) {
  const Sizes sizes = read_sizes(arguments);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  if (sizes.tokens % sizes.seq != 0) {
    std::fputs("kernel_bench: --seq must divide --tokens\n", stderr);
    return 2;
  }
  Machine machine(sizes);
  benchmark::AddCustomContext("isa", machine.isa());
  benchmark::AddCustomContext("threads", std::to_string(ftrun::thread_count()));
  benchmark::AddCustomContext("tokens", std::to_string(sizes.tokens));
  for (auto* family : {register_limits, register_gemm, register_attention, register_elementwise, register_cross_entropy,
                       register_optimizer, register_tokenizer, register_plugin_boundary}) {
    family(machine);
  }
  benchmark::RunSpecifiedBenchmarks();
  // The benchmarks refer to the machine.
  benchmark::Shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Libraries that measure_gemm loads read it; ours is the one thread pool.
  ::setenv("OMP_NUM_THREADS", "1", 1);
  try {
    return run({argv, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kernel_bench: %s\n", error.what());
    return 1;
  }
}
