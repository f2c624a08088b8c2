// Runs the measurements and prints them as a table or as JSON.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/bench/commands.h"
#include "core/bench/gemm_peak.h"
#include "core/bench/generation_bench.h"
#include "core/bench/training_bench.h"
#include "core/parallel/thread_pool.h"
#include "core/train/progress.h"

namespace ftrun {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kMib = 1 << 20;

int64_t peak_rss_bytes() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(std::min(line.find(':') + 2, line.size()));
  }
  return "unknown";
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double median_of(const std::vector<StepTimes>& steps, double StepTimes::*phase) {
  std::vector<double> values;
  values.reserve(steps.size());
  for (const StepTimes& step : steps) values.push_back(step.*phase);
  return median(std::move(values));
}

/// 4096^3 and the step's largest products: the widest linear of a block forward and its weight gradient, and the head.
std::vector<GemmShape> measured_shapes(const TrainingBench& bench) {
  int64_t widest = 0;
  GemmShape linear;
  for (const ModelParameter& parameter : bench.model().parameters()) {
    if (parameter.role != FTRUN_PARAMETER_LINEAR || parameter.origin != ParameterOrigin::kNetwork ||
        parameter.elements <= widest) {
      continue;
    }
    widest = parameter.elements;
    linear = {bench.tokens_per_step(), parameter.shape[0], parameter.shape[1]};
  }
  const ftrun_network_info& info = bench.model().info();
  const GemmShape head = {bench.tokens_per_step(), std::min<int64_t>(info.vocab_size, 16384), info.hidden_size};
  return {{4096, 4096, 4096}, linear, {linear.n, linear.k, linear.m}, head};
}

struct Peak {
  std::vector<GemmMeasure> measures;
  GemmMeasure best;
};

/// fp32 runs are held against fp32 products, bf16 runs against whichever type this CPU multiplies faster.
Peak measure_peak(TrainingBench& bench, bool bf16) {
  Peak peak;
  const std::vector<GemmShape> shapes = measured_shapes(bench);
  std::vector<ftrun_dtype> dtypes = {FTRUN_F32};
  if (bf16) dtypes.push_back(FTRUN_BF16);
  Progress progress("measuring matrix products", static_cast<int64_t>(shapes.size() * dtypes.size()));
  int64_t done = 0;
  for (const ftrun_dtype dtype : dtypes) {
    for (const GemmShape& shape : shapes) {
      for (GemmMeasure& measure : measure_gemm(bench.context(), dtype, std::span(&shape, 1))) {
        if (measure.tflops > peak.best.tflops) peak.best = measure;
        peak.measures.push_back(std::move(measure));
      }
      progress.advance_to(++done);
    }
  }
  progress.clear();
  return peak;
}

const char* dtype_name(ftrun_dtype dtype) { return dtype == FTRUN_BF16 ? "bf16" : "fp32"; }

ordered_json describe(const GemmMeasure& measure) {
  return {{"library", measure.library}, {"dtype", dtype_name(measure.dtype)},
          {"m", measure.shape.m},       {"n", measure.shape.n},
          {"k", measure.shape.k},       {"tflops", measure.tflops}};
}

ordered_json describe_memory(const ftrun_memory_stats& stats) {
  const auto peak = [&](ftrun_memory_category category) { return stats.category_peak_bytes[category]; };
  return {{"weights", peak(FTRUN_MEMORY_WEIGHTS)},     {"gradients", peak(FTRUN_MEMORY_GRADIENTS)},
          {"optimizer", peak(FTRUN_MEMORY_OPTIMIZER)}, {"activations", peak(FTRUN_MEMORY_ACTIVATIONS)},
          {"workspace", peak(FTRUN_MEMORY_WORKSPACE)}, {"peak_allocated", stats.peak_allocated_bytes}};
}

ordered_json describe_ops(const OpProfile& profile, int64_t steps) {
  ordered_json ops = ordered_json::array();
  for (const OpShare& share : profile.shares()) {
    ops.push_back({{"op", share.name},
                   {"calls", share.calls / steps},
                   {"ms", share.seconds * 1e3 / static_cast<double>(steps)},
                   {"tflops", share.seconds > 0 ? share.flops * 1e-12 / share.seconds : 0.0}});
  }
  return ops;
}

ordered_json measure(const BenchOptions& options) {
  TrainingBench bench(options);
  OpProfile profile;
  bench.step();
  bench.context().observer = &profile;
  std::vector<StepTimes> steps;
  Progress progress("training steps", options.steps);
  for (int64_t i = 0; i < options.steps; ++i) {
    steps.push_back(bench.step());
    progress.advance_to(i + 1);
  }
  progress.clear();
  bench.context().observer = nullptr;
  const int64_t rss = peak_rss_bytes();
  const ftrun_memory_stats memory = bench.device().memory_stats();
  const Peak peak = measure_peak(bench, options.bf16);

  const double step_ms = median_of(steps, &StepTimes::total);
  const double tokens_per_second = static_cast<double>(bench.tokens_per_step()) / step_ms * 1e3;
  const double flops = bench.model_flops_per_token();
  ordered_json result;
  result["machine"] = {{"cpu", cpu_name()},
                       {"device", bench.device().name()},
                       {"isa", std::string(bench.device().properties().isa.data, bench.device().properties().isa.size)},
                       {"threads", thread_count()}};
  result["model"] = {{"config", bench.model_config().string()},
                     {"parameters", bench.model().total_elements()},
                     {"flops_per_token", flops}};
  result["run"] = {{"seq", options.seq},
                   {"batch", options.batch},
                   {"steps", options.steps},
                   {"torch_dtype", options.bf16 ? "bf16" : "fp32"},
                   {"finetuning_type", options.finetuning_type},
                   {"gradient_checkpointing", options.gradient_checkpointing}};
  result["tokens_per_second"] = tokens_per_second;
  result["step_ms"] = step_ms;
  result["phase_ms"] = {{"forward", median_of(steps, &StepTimes::forward)},
                        {"backward", median_of(steps, &StepTimes::backward)},
                        {"optimizer", median_of(steps, &StepTimes::optimizer)},
                        {"data", median_of(steps, &StepTimes::data)},
                        {"other", median_of(steps, &StepTimes::other)}};
  result["gemm_peak_tflops"] = peak.best.tflops;
  result["gemm_peak"] = describe(peak.best);
  result["mfu"] = flops * tokens_per_second * 1e-12 / peak.best.tflops;
  result["peak_rss_mib"] = rss / kMib;
  result["device_bytes"] = describe_memory(memory);
  result["ops"] = describe_ops(profile, options.steps);
  result["gemm"] = ordered_json::array();
  for (const GemmMeasure& one : peak.measures) result["gemm"].push_back(describe(one));
  return result;
}

void print_table(const ordered_json& r) {
  const auto number = [](const ordered_json& value) { return value.get<double>(); };
  fmt::print("{} ({}, {} threads), {}\n", r["machine"]["cpu"].get<std::string>(),
             r["machine"]["isa"].get<std::string>(), r["machine"]["threads"].get<int>(),
             r["model"]["config"].get<std::string>());
  fmt::print("{} tokens of {} rows per step, {}, {} recompute, median of {} steps\n\n",
             r["run"]["seq"].get<int64_t>() * r["run"]["batch"].get<int64_t>(), r["run"]["batch"].get<int64_t>(),
             r["run"]["torch_dtype"].get<std::string>(),
             r["run"]["gradient_checkpointing"].get<bool>() ? "with" : "without", r["run"]["steps"].get<int64_t>());
  fmt::print(
      "tokens per second      {:10.1f}\nmodel FLOPs utilization{:10.3f}\nGEMM peak TFLOP/s      {:10.4f}  {} {}\n",
      number(r["tokens_per_second"]), number(r["mfu"]), number(r["gemm_peak_tflops"]),
      r["gemm_peak"]["library"].get<std::string>(), r["gemm_peak"]["dtype"].get<std::string>());
  fmt::print("step ms                {:10.1f}\n", number(r["step_ms"]));
  for (const auto& [phase, ms] : r["phase_ms"].items()) fmt::print("  {:<20} {:10.1f}\n", phase, ms.get<double>());
  fmt::print("peak resident MiB      {:10}\n", r["peak_rss_mib"].get<int64_t>());
  for (const auto& [category, bytes] : r["device_bytes"].items()) {
    fmt::print("  {:<20} {:10.1f} MiB\n", category, bytes.get<double>() / kMib);
  }
  fmt::print("\nop                               calls   ms/step  TFLOP/s\n");
  for (const ordered_json& op : r["ops"]) {
    fmt::print("{:<32} {:5} {:9.1f}  {}\n", op["op"].get<std::string>(), op["calls"].get<int64_t>(),
               op["ms"].get<double>(),
               op["tflops"].get<double>() > 0 ? fmt::format("{:.4f}", op["tflops"].get<double>()) : "-");
  }
  fmt::print("\nmatrix product           m      n      k  TFLOP/s\n");
  for (const ordered_json& one : r["gemm"]) {
    fmt::print("{:<9} {:<5} {:10} {:6} {:6}  {:.4f}\n", one["library"].get<std::string>(),
               one["dtype"].get<std::string>(), one["m"].get<int64_t>(), one["n"].get<int64_t>(),
               one["k"].get<int64_t>(), one["tflops"].get<double>());
  }
}

}  // namespace

int bench_command(const CommandContext& context) {
  if (asks_for_generation(context)) return generation_bench(context);
  const ordered_json result = measure(read_bench_options(context));
  if (context.json) {
    fmt::print("{}\n", result.dump());
  } else {
    print_table(result);
  }
  return 0;
}

}  // namespace ftrun
