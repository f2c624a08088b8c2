// Values of start copies: those that the parameters they copy begin with.
// Leaves out: which parameters are copied (NetworkModel::add_start_copy).
#pragma once

#include <memory>
#include <utility>

#include "core/model/weight_source.h"

namespace ftrun {

/// `initial` is where the originals' first values come from; `model` outlives the source.
class StartWeights : public WeightSource {
 public:
  StartWeights(std::unique_ptr<WeightSource> initial, const NetworkModel& model)
      : initial_(std::move(initial)), model_(model) {}
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override {
    const bool is_copy = parameter.origin == ParameterOrigin::kStartCopy;
    const ModelParameter& source =
        is_copy ? model_.parameter(model_.original_of(model_.find(parameter.name))) : parameter;
    initial_->fill(ctx, source, begin, end, destination);
  }

 private:
  std::unique_ptr<WeightSource> initial_;
  const NetworkModel& model_;
};

}  // namespace ftrun
