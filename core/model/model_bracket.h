// All units of a role entered at once, so that a strategy which gathers weights gathers each unit once for many walks.
// Leaves out: the brackets of single units (unit_walk.h), which nest inside.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/model/rank.h"

namespace ftrun {

/// Left when destroyed. [rank-thread]
class ModelBracket {
 public:
  /// Enters every unit of the role for inference if the whole model leaves at least half of every rank's free device
  /// memory; otherwise holds() is false and walks gather unit by unit. Collective: the answer is the same on all ranks.
  ModelBracket(Rank& rank, int32_t role);
  ModelBracket(const ModelBracket&) = delete;
  ModelBracket& operator=(const ModelBracket&) = delete;
  ~ModelBracket();
  bool holds() const noexcept { return holds_; }

 private:
  bool holds_ = false;
  std::vector<std::unique_ptr<UnitBracket>> units_;
};

}  // namespace ftrun
