// Random fills.
#include "core/ops/random.h"

#include "core/ops/checks.h"

namespace ftrun::ops {
namespace {

void run(ExecutionContext& ctx, std::string_view name, const Tensor& y, const ftrun_random_attributes& values) {
  const OpLabel label(ctx, name);
  require_float(name, "y", y);
  if (y.element_count() > 0) execute(ctx, name, {}, {y}, &values);
}

ftrun_random_attributes values_of(uint64_t seed, uint64_t stream, uint64_t offset, double a, double b) {
  auto values = attributes<ftrun_random_attributes>();
  values.seed = seed;
  values.stream = stream;
  values.offset = offset;
  values.a = a;
  values.b = b;
  return values;
}

}  // namespace

void random_normal(ExecutionContext& ctx, const Tensor& y, uint64_t seed, uint64_t stream, uint64_t offset, double mean,
                   double standard_deviation) {
  run(ctx, FTRUN_OP_RANDOM_NORMAL, y, values_of(seed, stream, offset, mean, standard_deviation));
}

void random_uniform(ExecutionContext& ctx, const Tensor& y, uint64_t seed, uint64_t stream, uint64_t offset, double low,
                    double high) {
  run(ctx, FTRUN_OP_RANDOM_UNIFORM, y, values_of(seed, stream, offset, low, high));
}

}  // namespace ftrun::ops
