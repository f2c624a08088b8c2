// Values of the shared options and what contradicts them.
#include "sharding/strategy_options.h"

namespace ftrun::sharding {

std::string OptionReader::before(std::string_view key) const {
  const std::string_view origin = options_.origin(key);
  return origin == "default" ? std::string() : std::string(origin) + ": ";
}

void OptionReader::refuse(std::string_view key, const std::string& message) const {
  throw sdk::Error(FTRUN_INVALID_ARGUMENT, before(key) + std::string(key) + ": " + message);
}

ftrun_placement OptionReader::placement(std::string_view key) const {
  return text(key) == "cpu" ? FTRUN_PLACEMENT_HOST : FTRUN_PLACEMENT_DEVICE;
}

ftrun_dtype OptionReader::reduce_dtype() const {
  const std::string_view chosen = text("reduce_dtype");
  if (chosen == "fp32" && flag("pure_bf16")) {
    refuse("reduce_dtype",
           "pure_bf16 keeps gradients in bf16 throughout, so fp32 on the wire would carry bf16 values at twice the "
           "size: leave reduce_dtype out, or use bf16: true instead of pure_bf16");
  }
  if (chosen == "auto") return 0;
  return chosen == "bf16" ? FTRUN_BF16 : FTRUN_F32;
}

void OptionReader::refuse_offload_param(std::string_view strategy) const {
  if (text("offload_param") == "none") return;
  refuse("offload_param", "strategy '" + std::string(strategy) +
                              "' keeps whole weights on every device, so there are no slices to offload: use strategy "
                              "zero3 or fsdp, or leave offload_param out");
}

Expectations OptionReader::expectations() const { return Expectations(text("expects")); }

GradientDtypes gradient_dtypes(const ftrun_role_layout& layout, ftrun_dtype reduce_dtype) {
  GradientDtypes dtypes;
  dtypes.wire = reduce_dtype != 0 ? reduce_dtype : layout.gradient_dtype;
  // A wider wire is of use only when backward's fp32 sums reach it unrounded.
  dtypes.stored = dtypes.wire == FTRUN_F32 ? FTRUN_F32 : layout.gradient_dtype;
  dtypes.kept = layout.accumulation > 1 ? layout.accumulator_dtype : dtypes.stored;
  return dtypes;
}

}  // namespace ftrun::sharding
