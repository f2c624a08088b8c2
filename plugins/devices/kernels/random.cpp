// Random fills: the SDK's Philox formulas, split over threads.
#include "ftrun/cpp/reference_kernels/random.hpp"

#include "plugins/devices/kernels/op_table.h"

namespace ftrun::kernels {
namespace {

void fill_parallel(Context& ctx, const ftrun_op_call& call, bool normal) {
  reference::require_random(call);
  const auto& attributes = reference::attributes_of<ftrun_random_attributes>(call);
  const ftrun_view& y = call.outputs[0];
  ctx.parallel.ranges(reference::element_count(y), 8192,
                      [&](int64_t begin, int64_t end) { reference::fill_random(y, attributes, normal, begin, end); });
}

}  // namespace

void op_random_normal(Context& ctx, const ftrun_op_call& call) { fill_parallel(ctx, call, true); }
void op_random_uniform(Context& ctx, const ftrun_op_call& call) { fill_parallel(ctx, call, false); }

}  // namespace ftrun::kernels
