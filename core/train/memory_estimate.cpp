// The table of the ZeRO paper (Rajbhandari et al. 2020, section 3) for one device and the dtypes in use.
#include "core/train/memory_estimate.h"

namespace ftrun {

StateBytes state_bytes(const NetworkModel& model, const Precision& precision, int64_t accumulation) {
  const auto elements = static_cast<uint64_t>(model.total_elements());
  const uint64_t compute = FTRUN_DTYPE_BYTES(precision.compute);
  StateBytes bytes;
  bytes.weights = elements * compute;
  bytes.gradients = elements * (accumulation > 1 ? 4 : compute);
  bytes.optimizer = elements * (8 + (precision.master_weights ? 4 : 0));
  return bytes;
}

}  // namespace ftrun
