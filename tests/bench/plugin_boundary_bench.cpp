// What it costs that ops live behind a plugin's table: the same one-element op through the host's execute, through the
// table alone, and as a direct call of the kernel that is linked into this program. Then the demo's training step, how
// often it crosses the boundary, and the share of the step that this is.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <vector>

#include "core/bench/training_bench.h"
#include "core/parallel/thread_pool.h"
#include "ftrun/ops.h"
#include "plugins/devices/kernels/isa.h"
#include "plugins/devices/kernels/op_table.h"
#include "tests/bench/families.h"

namespace ftrun::bench {
namespace {

using Clock = std::chrono::steady_clock;

/// Live allocations beside the operands, because the device looks every operand up among them: as many as the demo
/// model has tensors at the end of a forward pass, roughly.
constexpr int kLiveTensors = 500;

/// c = a + b of one element each, ready to be called in every way.
class OneElementAdd {
 public:
  static constexpr int kOperands = 3;

  explicit OneElementAdd(ExecutionContext& ctx) : ctx_(ctx), host_(test::make_test_host()) {
    for (Tensor& x : operands_) x = empty(ctx, FTRUN_F32, {1});
    auto zero = attributes<ftrun_fill_attributes>();
    for (const Tensor& x : operands_) execute(ctx, FTRUN_OP_FILL, {}, {x}, &zero);
    for (int i = 0; i < kLiveTensors; ++i) live_.push_back(empty(ctx, FTRUN_F32, {1}));
    for (size_t i = 0; i < operands_.size(); ++i) views_[i] = operands_[i].view();
    call_.head = {sizeof(call_), FTRUN_OP_CALL_TAG};
    call_.n_inputs = 2;
    call_.n_outputs = 1;
    call_.inputs = views_.data();
    call_.outputs = views_.data() + 2;
    call_.op = ctx.device->require_op(FTRUN_OP_ADD, FTRUN_F32);
    kernels::choose_isa();
    direct_ = &kernels::op_at(kernels::find_op(FTRUN_OP_ADD, FTRUN_F32));
  }
  OneElementAdd(const OneElementAdd&) = delete;
  OneElementAdd& operator=(const OneElementAdd&) = delete;

  void through_host() {
    execute(ctx_, FTRUN_OP_ADD, std::span(operands_).first(2), std::span(operands_).subspan(2, 1));
  }
  void through_table() {
    Device& device = *ctx_.device;
    device.check(device.table().execute(device.instance(), ctx_.stream, &call_), "execute");
  }
  void direct() { direct_->run(kernel_ctx_, call_); }
  /// A function of the table that does nothing on this device: what the call alone costs.
  void empty_crossing() {
    Device& device = *ctx_.device;
    benchmark::DoNotOptimize(device.table().record_stream(device.instance(), operands_[0].address(), nullptr));
  }

 private:
  /// One element needs none.
  struct NoScratch final : kernels::ScratchSource {
    void* allocate(uint64_t) override { throw kernels::KernelError(FTRUN_RESOURCE_EXHAUSTED, "no scratch here"); }
    void release(void*) override {}
  };

  ExecutionContext& ctx_;
  ftrun_host host_;
  NoScratch source_;
  kernels::Scratch scratch_{source_, source_};
  kernels::Context kernel_ctx_{kernels::Parallel(&host_), scratch_};
  std::array<Tensor, kOperands> operands_;
  std::array<ftrun_view, kOperands> views_ = {};
  ftrun_op_call call_ = {};
  std::vector<Tensor> live_;
  const kernels::Op* direct_ = nullptr;
};

using Way = void (OneElementAdd::*)();

/// Nanoseconds per call, the fastest of some rounds.
double fastest_ns(OneElementAdd& add, Way way) {
  constexpr int kRounds = 7, kCalls = 20000;
  double best = 1e300;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = Clock::now();
    for (int i = 0; i < kCalls; ++i) (add.*way)();
    best = std::min(best, std::chrono::duration<double, std::nano>(Clock::now() - begin).count() / kCalls);
  }
  return best;
}

/// Ops and operands of a step.
class CrossingCount final : public OpObserver {
 public:
  void op_ran(std::string_view, std::span<const Tensor> inputs, std::span<const Tensor> outputs, double) override {
    ++calls;
    operands += static_cast<int64_t>(inputs.size() + outputs.size());
    results += static_cast<int64_t>(outputs.size());
  }
  int64_t calls = 0, operands = 0, results = 0;
};

/// An update of configs/sft.yaml: 32 rows of the demo's questions, 22.5 tokens in the mean, without recompute, in f32.
BenchOptions demo_options(const Machine& machine) {
  BenchOptions options;
  options.seq = 22;
  options.batch = 32;
  options.bf16 = false;
  const auto set = [&](const char* key, std::string value) {
    options.sources.overrides.push_back(scalar_setting(key, std::move(value), "kernel_bench"));
  };
  set("model_name_or_path", source_path("configs/demo/model").string());
  set("finetuning_type", "full");
  set("threads", std::to_string(machine.sizes().threads > 0 ? machine.sizes().threads : thread_count()));
  return options;
}

void demo_step(benchmark::State& state, Machine& machine) {
  TrainingBench bench(demo_options(machine));
  CrossingCount count;
  bench.step();
  bench.context().observer = &count;
  bench.step();
  bench.context().observer = nullptr;
  std::vector<double> steps_ms;
  for (auto _ : state) steps_ms.push_back(bench.step().total);
  std::ranges::sort(steps_ms);
  const double step_ns = steps_ms[steps_ms.size() / 2] * 1e6;

  OneElementAdd add(bench.context());
  const double op_ns = fastest_ns(add, &OneElementAdd::through_host) - fastest_ns(add, &OneElementAdd::direct);
  const double crossing_ns = fastest_ns(add, &OneElementAdd::empty_crossing);
  // The device checks every operand, so that the cost grows with their number; every result is allocated and freed
  // through the table as well.
  const double boundary_ns = op_ns / OneElementAdd::kOperands * static_cast<double>(count.operands) +
                             2 * crossing_ns * static_cast<double>(count.results);
  state.counters["op_calls"] = static_cast<double>(count.calls);
  state.counters["operands_per_op"] = static_cast<double>(count.operands) / static_cast<double>(count.calls);
  state.counters["boundary_ns_per_op"] = op_ns;
  state.counters["boundary_share"] = boundary_ns / step_ns;
}

void add_way(const char* name, Machine& machine, Way way) {
  benchmark::RegisterBenchmark(name, [&machine, way](benchmark::State& state) {
    OneElementAdd add(machine.ctx());
    for (auto _ : state) (add.*way)();
  })->Unit(benchmark::kNanosecond);
}

}  // namespace

void register_plugin_boundary(Machine& machine) {
  add_way("plugin_boundary/through_host", machine, &OneElementAdd::through_host);
  add_way("plugin_boundary/through_table", machine, &OneElementAdd::through_table);
  add_way("plugin_boundary/direct", machine, &OneElementAdd::direct);
  add_way("plugin_boundary/empty_crossing", machine, &OneElementAdd::empty_crossing);
  benchmark::RegisterBenchmark("plugin_boundary/demo_step",
                               [&machine](benchmark::State& state) { demo_step(state, machine); })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace ftrun::bench
