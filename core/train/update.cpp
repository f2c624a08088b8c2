// Calls of the paradigm's table.
#include "core/train/update.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/model/abi_struct.h"

namespace ftrun {

UpdateScope::UpdateScope(Run& run, ftrun_split split, int64_t epoch, int64_t index) : paradigm_(run.paradigm()) {
  auto request = make_abi_struct<ftrun_update_request>(FTRUN_UPDATE_REQUEST_TAG);
  request.split = split;
  request.epoch = epoch;
  request.update = index;
  update_ = make_abi_struct<ftrun_update>(FTRUN_UPDATE_TAG);
  check_plugin(paradigm_.table().next_update(paradigm_.self(), run.context(), &request, &update_), paradigm_.plugin(),
               "next_update");
}

UpdateScope::~UpdateScope() { paradigm_.table().release_update(paradigm_.self(), &update_); }

Denominators UpdateScope::denominators(Run& run) const {
  Denominators result;
  std::copy_n(update_.denominators, result.size(), result.begin());
  run.communicator().sum_host(result);
  return result;
}

Tensor paradigm_loss(Run& run, const ftrun_update& update, int32_t micro_batch, const double* denominators) {
  ftrun_tensor* loss = nullptr;
  const ParadigmInstance& paradigm = run.paradigm();
  check_plugin(paradigm.table().loss(paradigm.self(), run.context(), &update, micro_batch, denominators, &loss),
               paradigm.plugin(), "loss");
  return Tensor::adopt(loss);
}

double value_of(Run& run, const Tensor& loss) { return read_floats(*run.context(), loss).at(0); }

std::map<std::string, double> take_metrics(Run& run) { return std::exchange(run.services().metrics, {}); }

void require_positive(const Run& run, const Denominators& denominators, int64_t step) {
  const auto& names = run.paradigm().denominators();
  for (size_t i = 0; i < names.size(); ++i) {
    if (denominators[i] > 0) continue;
    throw failed_precondition("step {}: the update has no {}: its loss would be divided by zero", step, names[i]);
  }
}

}  // namespace ftrun
