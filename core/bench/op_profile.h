// Where the time of a step goes, by device op.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/tensor/op_observer.h"

namespace ftrun {

/// One op's share. Seconds are wall clock inside the device.
struct OpShare {
  std::string name;
  int64_t calls = 0;
  double seconds = 0;
  double flops = 0;  ///< of the matrix products that the op's shapes imply; 0 for other ops
};

/// Sums what it is told. [rank-thread]
class OpProfile : public OpObserver {
 public:
  void op_ran(std::string_view name, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
              double seconds) override;
  void reset() { shares_.clear(); }
  /// Longest first.
  std::vector<OpShare> shares() const;

 private:
  std::map<std::string, OpShare, std::less<>> shares_;
};

}  // namespace ftrun
