// The `cpu` device plugin on the process's thread pool, and what this machine can do at most.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/bench/gemm_peak.h"
#include "tests/tensor/reference_engine.h"

namespace ftrun::bench {

/// What the command line sets. The defaults are one update of configs/models/qwen2.5-0.5b.
struct Sizes {
  int64_t tokens = 2048;
  int64_t seq = 1024;  ///< tokens of one row; divides `tokens`
  int64_t vocabulary = 151936;
  int64_t peak = 4096;       ///< side of the square product that defines the peak
  int64_t stream_mib = 256;  ///< what is streamed through memory so that no cache holds it
  int32_t threads = 0;       ///< 0: one per core
};

/// Widths of configs/models/qwen2.5-0.5b/config.json.
inline constexpr int64_t kHidden = 896;
inline constexpr int64_t kFeedForward = 4864;
inline constexpr int64_t kQueryHeads = 14;
inline constexpr int64_t kKeyValueHeads = 2;
inline constexpr int64_t kHeadDim = 64;

/// One device, opened from the plugin file. Limits are measured when asked for, on all threads of the pool.
/// [rank-thread]
class Machine {
 public:
  explicit Machine(const Sizes& sizes);

  const Sizes& sizes() const { return sizes_; }
  ExecutionContext& ctx() { return engine_->ctx(); }
  std::string isa();

  /// The best of the libraries at hand on one square product: in f32, and for bf16 in the faster of the two types.
  /// Measured once.
  const GemmMeasure& gemm_peak(ftrun_dtype dtype);
  /// FLOP/s of it.
  double peak_flops(ftrun_dtype dtype) { return gemm_peak(dtype).tflops * 1e12; }
  /// Bytes per second, read and written, of copying memory to memory or of updating it in place: the most seen so far,
  /// measured again by every call, because it is quick and others may have slowed it before.
  double bandwidth();

  /// Normally distributed numbers, scaled.
  Tensor random(ftrun_dtype dtype, const Shape& shape, double scale = 1.0);
  Tensor zeros(ftrun_dtype dtype, const Shape& shape);
  Tensor integers(const Shape& shape, int32_t limit);
  /// A tensor of its own memory with the same elements.
  Tensor duplicate(const Tensor& x);

 private:
  Sizes sizes_;
  std::unique_ptr<test::ReferenceEngine> engine_;
  std::optional<GemmMeasure> peak_f32_, peak_bf16_;
  double bandwidth_ = 0;
  uint64_t streams_ = 0;
};

/// "f32" or "bf16", for names of benchmarks.
std::string_view dtype_label(ftrun_dtype dtype);

/// FTRUN_SOURCE_DIR / path.
std::filesystem::path source_path(std::string_view path);

}  // namespace ftrun::bench
