// Entered in walk order, left in reverse.
#include "core/model/model_bracket.h"

#include <span>

#include "core/collectives/communicator.h"

namespace ftrun {
namespace {

bool fits(Rank& rank, int32_t role) {
  const ftrun_memory_stats memory = rank.context().device->memory_stats();
  const uint64_t used = memory.allocated_bytes;
  const uint64_t free = memory.total_bytes > used ? memory.total_bytes - used : 0;
  const uint64_t weights = static_cast<uint64_t>(rank.role(role).model().total_elements()) *
                           FTRUN_DTYPE_BYTES(rank.arguments().precision.compute);
  double lacking = weights > free / 2 ? 1 : 0;
  rank.communicator().sum_host(std::span(&lacking, 1));
  return lacking == 0;
}

}  // namespace

ModelBracket::ModelBracket(Rank& rank, int32_t role) : holds_(fits(rank, role)) {
  if (!holds_) return;
  const int32_t units = rank.role(role).layout().unit_count();
  for (int32_t unit = 0; unit < units; ++unit) {
    units_.push_back(std::make_unique<UnitBracket>(rank.context(), rank.hooks(), rank.role(role), unit,
                                                   FTRUN_PHASE_INFER, MicroBatch{}));
  }
}

ModelBracket::~ModelBracket() {
  while (!units_.empty()) units_.pop_back();
}

}  // namespace ftrun
