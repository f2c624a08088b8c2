// Counter-based random numbers on the device.
#pragma once

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// Element i of y depends on (seed, stream, offset + i) only. normal(mean, standard_deviation). In place.
void random_normal(ExecutionContext& ctx, const Tensor& y, uint64_t seed, uint64_t stream, uint64_t offset, double mean,
                   double standard_deviation);
/// uniform[low, high). In place.
void random_uniform(ExecutionContext& ctx, const Tensor& y, uint64_t seed, uint64_t stream, uint64_t offset, double low,
                    double high);

}  // namespace ftrun::ops
