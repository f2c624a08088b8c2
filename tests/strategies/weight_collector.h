// The trained role's weights of all ranks, put together from what each owns.
// Leaves out: comparing them.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/model/rank.h"

namespace ftrun::test {

/// Elements that several ranks own must be equal bit by bit, and none may be missing. Any rank's thread may add.
class WeightCollector {
 public:
  /// `model` outlives this object.
  explicit WeightCollector(const NetworkModel& model);

  /// Everything `rank` owns of role 0.
  void add(Rank& rank);
  /// By parameter, once every rank has added.
  std::map<std::string, std::vector<float>> take();

 private:
  void add(Rank& rank, int32_t unit, ftrun_part part);
  void put(const ParameterPiece& piece, const std::vector<float>& found);

  const NetworkModel& model_;
  std::mutex mutex_;
  std::map<std::string, std::vector<float>> values_;
  std::map<std::string, std::vector<bool>> seen_;
};

}  // namespace ftrun::test
