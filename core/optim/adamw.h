// AdamW with decoupled weight decay, as torch.optim.AdamW.
#pragma once

#include <memory>

#include "core/optim/optimizer.h"

namespace ftrun {

/// States "exp_avg" and "exp_avg_sq". INVALID_ARGUMENT for betas outside [0, 1) or a negative eps.
std::unique_ptr<Optimizer> make_adamw(const OptimizerArguments& arguments);

}  // namespace ftrun
