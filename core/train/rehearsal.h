// Makes the device allocate, before the first step, what the longest micro-batch will need.
// Leaves out: how the device keeps it (the device plugin's heap).
#pragma once

#include "core/train/run.h"

namespace ftrun {

/// Walks a made-up micro-batch of plan.max_micro_batch_tokens tokens through the trained model, forward and backward,
/// without computing anything: tensors and the kernels' scratch are allocated and freed in the order of a real step, so
/// that a device which keeps freed memory takes nothing more from the system later. Ends with the strategy's step, in
/// which nothing is updated. A warning says when it does not fit: shorter micro-batches may still. Other errors are
/// left to the first step. Does nothing where the paradigm did not say how long its micro-batches get, or the device is
/// not the host's own. [rank-thread]
void rehearse_longest_micro_batch(Run& run);

}  // namespace ftrun
