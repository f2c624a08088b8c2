// Where the time of training steps goes. Leaves out: what is done between steps (evaluation, saving).
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>

namespace ftrun {

/// Wall-clock seconds, summed over the steps of this process. Forward is the paradigm's loss with all its forward
/// passes (a reference model's too), backward what follows until gradients are complete on this rank.
struct StepPhases {
  double data = 0;
  double forward = 0;
  double backward = 0;
  double optimizer = 0;  ///< gradient norm, clipping, update
  double total = 0;      ///< whole steps: the above and what lies between
};

/// Adds the time of its life to a phase.
class PhaseTimer {
 public:
  explicit PhaseTimer(double& seconds) : seconds_(seconds) {}
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;
  ~PhaseTimer() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

inline nlohmann::json to_json(const StepPhases& phases) {
  return {{"data", phases.data},
          {"forward", phases.forward},
          {"backward", phases.backward},
          {"optimizer", phases.optimizer},
          {"total", phases.total}};
}

}  // namespace ftrun
