// What running an op needs: the device, its stream, the tape and the switches of one rank.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "core/tensor/device.h"
#include "core/tensor/op_observer.h"

namespace ftrun {

class Tape;

/// One per rank; `struct ftrun_context` of core/model derives from it. Not owned: device, host_device and tape outlive
/// it. [rank-thread]
struct ExecutionContext {
  Device* device = nullptr;       ///< where tensors live unless placed on the host
  Device* host_device = nullptr;  ///< the `cpu` device beside it; may equal `device`
  void* stream = nullptr;         ///< stream of `device` that ops are queued on
  void* host_stream = nullptr;    ///< stream of `host_device`
  Tape* tape = nullptr;           ///< where differentiable ops are recorded while `recording`
  bool recording = false;         ///< gradients are on (see RecordingScope, NoGradGuard)

  /// Reads every op's float outputs and remembers in `first_nonfinite_op` the first that holds NaN or infinity. Slow:
  /// switched on only to run a micro-batch again whose loss was not finite.
  bool check_finite = false;
  std::string first_nonfinite_op;  ///< "rms_norm (backward) in layers.3"; "" while everything was finite
  /// Cheap ops leave recipes, so that their outputs need not be kept for backward (core/autograd/saved_tensor.h).
  bool save_recipes = false;

  /// Told about every op; NULL: nobody. Not owned.
  OpObserver* observer = nullptr;
  /// Outermost op that is running, as messages name it; set by ops and the tape.
  std::string op_label;
  /// Where in the model, as messages name it ("layers.3"); set by whoever walks the units.
  std::string unit_label;

  Device& device_at(ftrun_placement placement) const {
    return placement == FTRUN_PLACEMENT_HOST && host_device != nullptr ? *host_device : *device;
  }
  void* stream_of(const Device& target) const {
    return &target == host_device && &target != device ? host_stream : stream;
  }
};

/// Names the op that runs, for check_finite and messages. Of nested forward scopes the outermost wins; a backward scope
/// always takes over.
class OpLabel {
 public:
  OpLabel(ExecutionContext& ctx, std::string_view name, bool backward = false)
      : ctx_(ctx), owner_(ctx.check_finite && (backward || ctx.op_label.empty())) {
    if (!owner_) return;
    former_ = std::move(ctx.op_label);
    ctx.op_label = name;
    if (backward) ctx.op_label += " (backward)";
  }
  OpLabel(const OpLabel&) = delete;
  OpLabel& operator=(const OpLabel&) = delete;
  ~OpLabel() {
    if (owner_) ctx_.op_label = std::move(former_);
  }

 private:
  ExecutionContext& ctx_;
  bool owner_;
  std::string former_;
};

}  // namespace ftrun
