// Opens the plugin and measures the limits.
#include "tests/bench/bench_machine.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <span>
#include <stdexcept>
#include <vector>

#include "core/ops/random.h"
#include "core/parallel/thread_pool.h"
#include "ftrun/ops.h"
#include "ftrun/plugin.h"

namespace ftrun::bench {
namespace {

const ftrun_device* cpu_table() {
  void* library = ::dlopen(FTRUN_CPU_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(::dlerror());
  const auto query = reinterpret_cast<ftrun_plugin_query_v1_function>(::dlsym(library, "ftrun_plugin_query_v1"));
  const ftrun_plugin* plugin = nullptr;
  if (query == nullptr || query(0, &plugin) != FTRUN_OK) throw std::runtime_error("no plugin in " FTRUN_CPU_PLUGIN);
  return static_cast<const ftrun_device*>(plugin->table);
}

ftrun_host pool_host() {
  ftrun_host host = test::make_test_host();
  host.parallel_for = [](const ftrun_host*, int64_t count, ftrun_task task, void* argument) {
    parallel_for(count, task, argument);
  };
  host.thread_count = [](const ftrun_host*) -> int32_t { return thread_count(); };
  host.thread_index = [](const ftrun_host*) -> int32_t { return thread_index(); };
  return host;
}

struct Streams {
  float* destination;
  const float* source;
};

/// Elements of a piece. Threads take pieces as they come: a slab per thread would wait for whichever core others use.
constexpr int64_t kPiece = 1 << 18;

void copy_piece(void* argument, int64_t index) {
  const auto& s = *static_cast<const Streams*>(argument);
  std::memcpy(s.destination + index * kPiece, s.source + index * kPiece, kPiece * sizeof(float));
}

/// Moves nothing that is not counted, where a copy may first read the lines that it overwrites.
void update_piece(void* argument, int64_t index) {
  float* x = static_cast<const Streams*>(argument)->destination + index * kPiece;
  for (int64_t i = 0; i < kPiece; ++i) x[i] = 1.0f - x[i];
}

}  // namespace

Machine::Machine(const Sizes& sizes) : sizes_(sizes) {
  configure_threads(sizes.threads);
  engine_ = std::make_unique<test::ReferenceEngine>(cpu_table(), pool_host());
}

std::string Machine::isa() {
  const ftrun_str isa = engine_->device().properties().isa;
  return {isa.data, isa.size};
}

const GemmMeasure& Machine::gemm_peak(ftrun_dtype dtype) {
  std::optional<GemmMeasure>& peak = dtype == FTRUN_BF16 ? peak_bf16_ : peak_f32_;
  if (peak) return *peak;
  if (dtype == FTRUN_BF16) peak = gemm_peak(FTRUN_F32);
  const GemmShape shape = {sizes_.peak, sizes_.peak, sizes_.peak};
  for (const GemmMeasure& measure : measure_gemm(ctx(), dtype, std::span(&shape, 1))) {
    if (!peak || measure.tflops > peak->tflops) peak = measure;
  }
  return *peak;
}

double Machine::bandwidth() {
  constexpr int kRepetitions = 6;
  const int64_t bytes = sizes_.stream_mib << 20;
  const Tensor source = zeros(FTRUN_F32, {bytes / 4}), destination = zeros(FTRUN_F32, {bytes / 4});
  Streams streams{static_cast<float*>(destination.address()), static_cast<const float*>(source.address())};
  for (int i = 0; i < kRepetitions; ++i) {
    for (const ftrun_task task : {copy_piece, update_piece}) {
      const auto begin = std::chrono::steady_clock::now();
      parallel_for(bytes / (kPiece * 4), task, &streams);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      bandwidth_ = std::max(bandwidth_, 2.0 * static_cast<double>(bytes) / seconds.count());
    }
  }
  return bandwidth_;
}

Tensor Machine::random(ftrun_dtype dtype, const Shape& shape, double scale) {
  const Tensor result = empty(ctx(), dtype, shape);
  ops::random_normal(ctx(), result, 1, streams_++, 0, 0.0, scale);
  return result;
}

Tensor Machine::zeros(ftrun_dtype dtype, const Shape& shape) {
  const Tensor result = empty(ctx(), dtype, shape);
  const auto values = attributes<ftrun_fill_attributes>();
  execute(ctx(), FTRUN_OP_FILL, {}, {result}, &values);
  return result;
}

Tensor Machine::integers(const Shape& shape, int32_t limit) {
  std::mt19937_64 generator(streams_++);
  std::vector<int32_t> values(static_cast<size_t>(shape.element_count()));
  for (int32_t& value : values) value = static_cast<int32_t>(generator() % static_cast<uint64_t>(limit));
  return from_host(ctx(), FTRUN_I32, shape, values.data());
}

Tensor Machine::duplicate(const Tensor& x) {
  const Tensor result = empty(ctx(), x.dtype(), x.shape());
  execute(ctx(), FTRUN_OP_COPY, {x}, {result});
  return result;
}

std::string_view dtype_label(ftrun_dtype dtype) { return dtype == FTRUN_BF16 ? "bf16" : "f32"; }

std::filesystem::path source_path(std::string_view path) { return std::filesystem::path(FTRUN_SOURCE_DIR) / path; }

}  // namespace ftrun::bench
