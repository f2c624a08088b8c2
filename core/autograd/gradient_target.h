// Where the gradient of a leaf goes: into a bound buffer (written by the op itself) or into a captured tensor.
#pragma once

#include <memory>

#include "core/tensor/tensor.h"

namespace ftrun {

/// Where an op's backward writes a gradient: `tensor`, overwriting, or adding to it when `accumulate`. An empty tensor
/// means that nobody wants it.
struct GradientDestination {
  Tensor tensor;
  bool accumulate = false;
  explicit operator bool() const noexcept { return static_cast<bool>(tensor); }
};

/// Receives the gradient of one leaf. Two kinds:
/// - bound: contributions are written (the first since `has_value` was false) or added straight into `buffer`, f32 or
/// bf16, of the
///   leaf's element count. Where the buffer is narrower than f32 and several contributions of one backward meet, they
///   are summed in an f32 staging tensor and stored once: at the leaf's last use on the tape, or at flush() while
///   `hold` is set.
/// - captured: the sum is kept as a tensor of the leaf's dtype and taken with take().
/// [rank-thread]
class GradientTarget {
 public:
  /// Captured: for inputs of a replayed unit.
  static std::shared_ptr<GradientTarget> capture();
  /// Bound to `buffer`. `has_value`: the buffer already holds contributions to add to.
  static std::shared_ptr<GradientTarget> into(Tensor buffer, bool has_value = false);

  /// Changes the buffer (an empty Tensor unbinds: contributions are then an error).
  void bind(Tensor buffer, bool has_value);
  const Tensor& buffer() const noexcept { return buffer_; }
  bool is_capture() const noexcept { return capture_; }

  /// False until a contribution arrived since bind / zero; for a buffer: its content is meaningful.
  bool has_value() const noexcept { return has_value_; }
  /// The next contribution overwrites. A held staging sum is dropped.
  void zero() noexcept;
  /// Fills a bound buffer that got no contribution with zeros, so that its content is defined. Flushes first.
  void fill_if_empty(ExecutionContext& ctx);

  /// While held, contributions of several tapes (a tied tensor: its head use and its embedding use) are summed in f32
  /// staging and reach a narrower buffer only by flush().
  void hold(bool on) noexcept { hold_ = on; }
  /// Stores the staged sum in the buffer, rounded once. No-op without staging.
  void flush(ExecutionContext& ctx);

  /// The captured gradient, empty when none arrived; forgets it.
  Tensor take();

  // For the tape and ops:

  /// Where the next contribution of a leaf of `shape` and `dtype` goes; counts it as written.
  GradientDestination destination(ExecutionContext& ctx, const Shape& shape, ftrun_dtype dtype);
  /// Adds a finished gradient; takes it over without a copy when captured and first.
  void contribute(ExecutionContext& ctx, const Shape& shape, ftrun_dtype dtype, Tensor gradient);
  /// One more, or one fewer, node on a tape that may contribute.
  void add_use() noexcept { ++uses_; }
  void release_use(ExecutionContext* ctx);

 private:
  bool wants_staging() const noexcept;

  bool capture_ = false;
  bool has_value_ = false;
  bool hold_ = false;
  int32_t uses_ = 0;
  Tensor buffer_;   // bound, or the captured sum
  Tensor staging_;  // f32
};

/// A new handle on x's memory that is a leaf with this target: gradients of ops on it go there.
Tensor make_leaf(const Tensor& x, std::shared_ptr<GradientTarget> target);

}  // namespace ftrun
