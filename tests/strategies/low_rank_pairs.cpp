// Pairs as parameters of the weight's unit.
#include "tests/strategies/low_rank_pairs.h"

namespace ftrun::test {
namespace {

int32_t add_pair_parameter(NetworkModel& model, int32_t weight, const std::string& part, std::vector<int64_t> shape) {
  const std::string& name = model.parameter(weight).name;
  ModelParameter parameter;
  parameter.name = name.substr(0, name.rfind('.')) + "." + part;
  parameter.unit = model.parameter(weight).unit;
  parameter.shape = std::move(shape);
  parameter.initializer_std = 0.1;
  parameter.origin = ParameterOrigin::kAdapter;
  return model.add_parameter(std::move(parameter));
}

}  // namespace

void add_low_rank_pairs(NetworkModel& model, const LowRankPairs& pairs) {
  const auto declared = static_cast<int32_t>(model.parameters().size());
  for (int32_t id = 0; id < declared; ++id) {
    const ModelParameter& weight = model.parameter(id);
    const bool in_block = model.units()[static_cast<size_t>(weight.unit)].kind == FTRUN_UNIT_BLOCK;
    if (weight.role != FTRUN_PARAMETER_LINEAR || !in_block) continue;
    const std::vector<int64_t> shape = weight.shape;
    const bool has_magnitude = pairs.magnitudes && weight.name.find("down_proj") != std::string::npos;
    LinearAdapter adapter;
    adapter.weight = id;
    adapter.scale = 2.0;
    adapter.dropout = pairs.dropout;
    adapter.a = add_pair_parameter(model, id, "lora_A.weight", {pairs.rank, shape[1]});
    adapter.b = add_pair_parameter(model, id, "lora_B.weight", {shape[0], pairs.rank});
    if (has_magnitude) adapter.magnitude = add_pair_parameter(model, id, "lora_magnitude_vector", {shape[0]});
    model.add_adapter(adapter);
  }
}

}  // namespace ftrun::test
