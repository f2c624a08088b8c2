// Where parameter values come from: a model folder, initial values keyed by name, or host numbers (a checkpoint).
// Leaves out: which slice of which buffer is filled (role.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "core/io/model_weights.h"
#include "core/model/network_model.h"
#include "core/tensor/tensor.h"

namespace ftrun {

/// Values of a role's parameters by element, so that every rank reads only what it owns. [rank-thread]: one object per
/// rank.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  /// Fills `destination` (flat, contiguous, end - begin elements, f32 or bf16, any device of ctx) with elements
  /// [begin, end) of the parameter, rounded once.
  virtual void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
                    const Tensor& destination) = 0;
};

/// Weights from safetensors files. Reads nothing but what is asked for, straight from the mapped file.
class FileWeights : public WeightSource {
 public:
  /// Checks the whole folder before anything is read: every parameter of the network is there (a tied one under either
  /// name) with its shape in a floating-point dtype, and nothing is left over but tied names and rotary inv_freq
  /// buffers; a model with a scalar head `score.weight` has that in its files and may lack the head that it does not
  /// use (zeros). Throws INVALID_ARGUMENT listing what is missing, left over or misshapen.
  FileWeights(std::shared_ptr<const ModelWeights> weights, const NetworkModel& model);
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override;

 private:
  const TensorEntry& entry_of(const ModelParameter& parameter) const;
  bool is_missing_head(const ModelParameter& parameter) const;

  std::shared_ptr<const ModelWeights> weights_;
  std::string unused_head_;  ///< of a sequence classifier: the head's name
};

/// Initial values as the network declared them: element i of a normal parameter is number i of the Philox stream keyed
/// by (seed, FNV-1a hash of the name), computed in f32 and rounded once; so every shard initialises alone.
class InitialWeights : public WeightSource {
 public:
  explicit InitialWeights(uint64_t seed) : seed_(seed) {}
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override;

 private:
  uint64_t seed_;
};

/// Values that a function writes as f32: resuming from a checkpoint's master weights.
class HostWeights : public WeightSource {
 public:
  using Reader = std::function<void(const ModelParameter& parameter, int64_t begin, std::span<float> values)>;
  explicit HostWeights(Reader reader) : reader_(std::move(reader)) {}
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override;

 private:
  Reader reader_;
};

/// 64-bit FNV-1a, the stream key of a name.
uint64_t stream_of_name(std::string_view name) noexcept;

/// Maps f32 and bf16 to the files' types. Throws INTERNAL for others.
StoredDtype stored_dtype_of(ftrun_dtype dtype);

}  // namespace ftrun
