// Whoever wants to know which ops run and how long they take (ftrun bench).
#pragma once

#include <span>
#include <string_view>

namespace ftrun {

class Tensor;

/// Set in ExecutionContext::observer; called after every op of that rank. [rank-thread]
class OpObserver {
 public:
  OpObserver() = default;
  OpObserver(const OpObserver&) = delete;
  OpObserver& operator=(const OpObserver&) = delete;
  virtual ~OpObserver() = default;
  /// `seconds` of wall clock inside the device's execute; on an asynchronous device that is the queueing only.
  virtual void op_ran(std::string_view name, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                      double seconds) = 0;
};

}  // namespace ftrun
