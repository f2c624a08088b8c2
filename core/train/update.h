// One update of the paradigm: taken, summed over ranks, released; its loss and what was measured of it.
// Leaves out: gradients and the optimizer's step (trainer.h), evaluations (evaluation.h).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "core/tensor/tensor.h"
#include "core/train/run.h"

namespace ftrun {

using Denominators = std::array<double, FTRUN_MAX_DENOMINATORS>;

/// An update of the paradigm, released with the scope. [rank-thread]
class UpdateScope {
 public:
  /// The `index`-th update of `epoch`. Throws what the paradigm fails with.
  UpdateScope(Run& run, ftrun_split split, int64_t epoch, int64_t index);
  UpdateScope(const UpdateScope&) = delete;
  UpdateScope& operator=(const UpdateScope&) = delete;
  ~UpdateScope();
  const ftrun_update& update() const noexcept { return update_; }

  /// Summed over ranks. Collective.
  Denominators denominators(Run& run) const;

 private:
  const ParadigmInstance& paradigm_;
  ftrun_update update_;
};

/// The paradigm's loss of one micro-batch on this rank, already divided by the global denominators; a scalar.
Tensor paradigm_loss(Run& run, const ftrun_update& update, int32_t micro_batch, const double* denominators);

/// Reads a scalar; waits for it.
double value_of(Run& run, const Tensor& loss);

/// What the paradigm measured of an update that is over, on this rank.
std::map<std::string, double> take_metrics(Run& run);

/// Throws FAILED_PRECONDITION naming `step` and the denominator that is zero.
void require_positive(const Run& run, const Denominators& denominators, int64_t step);

}  // namespace ftrun
