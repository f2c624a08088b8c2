// Weights of a model that ties tensors, for a network that holds each of them under its own name.
// Leaves out: networks that agree with their files (weight_source.h).
#pragma once

#include <memory>
#include <utility>

#include "core/model/weight_source.h"

namespace ftrun {

/// Every name of a tied tensor is filled with that tensor's values.
class UntiedWeights : public WeightSource {
 public:
  /// `tied` is the network that `weights` is a source for. Parameters asked for go by a name or tied name of it, with
  /// its shape.
  UntiedWeights(std::unique_ptr<WeightSource> weights, std::shared_ptr<const NetworkModel> tied)
      : weights_(std::move(weights)), tied_(std::move(tied)) {}
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override {
    weights_->fill(ctx, tied_->parameter(tied_->find(parameter.name)), begin, end, destination);
  }

 private:
  std::unique_ptr<WeightSource> weights_;
  std::shared_ptr<const NetworkModel> tied_;
};

}  // namespace ftrun
