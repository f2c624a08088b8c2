// PiSSA: a pair starts as the principal part of its weight, and the base keeps the rest.
// Leaves out: which weights have pairs (core/train/adapters.h), how the result is saved (core/train/model_saving.cpp).
// Source: Meng et al. 2024, "PiSSA: Principal Singular Values and Singular Vectors Adaptation", eq. 2 to 4; PEFT
// tuners/lora/layer.py, pissa_init.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/model/adapter_weights.h"
#include "core/model/weight_source.h"

namespace ftrun {

/// B0 [O, R] = U sqrt(S / scale), A0 [R, I] = sqrt(S / scale) V^T of the R largest singular values: scale B0 A0 is the
/// best approximation of W of rank R.
struct PrincipalPair {
  std::vector<float> a_RI;
  std::vector<float> b_OR;
};

/// Of a row-major W [O, I]. `iterations` < 0: by the whole singular value decomposition; else by that many rounds of
/// subspace iteration from fixed pseudo-random vectors (Halko et al. 2011, algorithm 4.4). Deterministic; signs of
/// singular vectors are arbitrary. Any thread.
PrincipalPair principal_pair(std::span<const float> weight_OI, int64_t rows, int64_t columns, int64_t rank,
                             double scale, int64_t iterations);

/// The pairs of one model's adapters, each computed when it is first asked for. [rank-thread]
class PrincipalPairs {
 public:
  PrincipalPairs(const NetworkModel& model, int64_t iterations) : model_(model), iterations_(iterations) {}
  /// `base` gives the whole weight. Empty factors where only shapes are computed.
  const PrincipalPair& of(ExecutionContext& ctx, WeightSource& base, const LinearAdapter& adapter);

 private:
  const NetworkModel& model_;
  int64_t iterations_;
  std::map<int32_t, PrincipalPair> pairs_;  ///< by weight
};

/// Pairs as above, W - scale B0 A0 for their weights, everything else from the base.
class PissaWeights : public WeightSource {
 public:
  PissaWeights(std::unique_ptr<WeightSource> base, const NetworkModel& model, std::shared_ptr<PrincipalPairs> pairs)
      : base_(std::move(base)), model_(model), pairs_(std::move(pairs)) {}
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override;

 private:
  std::unique_ptr<WeightSource> base_;
  const NetworkModel& model_;
  std::shared_ptr<PrincipalPairs> pairs_;
};

/// The base less the principal parts that the pairs of an adapter began as, W - scale B0 A0 with rank and scale of the
/// adapter's pair, for the weights that have one: what the adapter's factors stand beside where its init_lora_weights
/// is "pissa". Everything else from the base. Source: PEFT, which computes the same anew whenever it loads such an
/// adapter.
class PrincipalRestWeights : public WeightSource {
 public:
  PrincipalRestWeights(std::unique_ptr<WeightSource> base, std::shared_ptr<const PeftAdapter> adapter)
      : base_(std::move(base)), adapter_(std::move(adapter)) {}
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override;

 private:
  std::unique_ptr<WeightSource> base_;
  std::shared_ptr<const PeftAdapter> adapter_;
  // Of the weight that was asked for last: weights are read in pieces, one after the other.
  std::string weight_;
  PrincipalPair pair_;
};

/// Values of pairs from an adapter that was saved converted, [A; A0] and [B, -B0]: A and B. Whole modules likewise;
/// everything else from the base.
class ConvertedPissaWeights : public WeightSource {
 public:
  ConvertedPissaWeights(std::unique_ptr<WeightSource> base, std::shared_ptr<const PeftAdapter> adapter,
                        const NetworkModel& model)
      : whole_(std::move(base), adapter), adapter_(std::move(adapter)), model_(model) {}
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override;

 private:
  AdapterFileWeights whole_;
  std::shared_ptr<const PeftAdapter> adapter_;
  const NetworkModel& model_;
};

}  // namespace ftrun
