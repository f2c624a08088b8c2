// The walk over a role's units, forward and backward, with the strategy's brackets around each.
// Leaves out: the head and the loss, which are recorded on the run's tape (rank.h, head_calls.h).
#pragma once

#include <memory>
#include <vector>

#include "core/autograd/tape.h"
#include "core/model/batch_state.h"
#include "core/model/context.h"
#include "core/model/role.h"
#include "ftrun/kinds/strategy.h"

namespace ftrun {

/// Position of a micro-batch in its update.
struct MicroBatch {
  int32_t index = 0;
  bool is_last = true;
};

/// The strategy's hooks of one rank.
class StrategyHooks {
 public:
  /// `table` is complete and outlives this object, as does `instance`.
  StrategyHooks(const ftrun_strategy& table, void* instance) : table_(&table), instance_(instance) {}
  const ftrun_strategy& table() const noexcept { return *table_; }
  void* instance() const noexcept { return instance_; }

  void enter(ftrun_context& ctx, int32_t role, int32_t unit, ftrun_phase phase, const MicroBatch& micro_batch) const;
  void exit(ftrun_context& ctx, int32_t role, int32_t unit, ftrun_phase phase, const MicroBatch& micro_batch) const;
  void grads_ready(ftrun_context& ctx, int32_t role, int32_t unit, const MicroBatch& micro_batch) const;

 private:
  const ftrun_strategy* table_;
  void* instance_;
};

/// A unit and the units it borrows tied tensors from are entered; close() leaves them in reverse and reports failures.
/// The destructor leaves what an exception left open.
class UnitBracket {
 public:
  UnitBracket(ftrun_context& ctx, const StrategyHooks& hooks, const Role& role, int32_t unit, ftrun_phase phase,
              const MicroBatch& micro_batch);
  UnitBracket(const UnitBracket&) = delete;
  UnitBracket& operator=(const UnitBracket&) = delete;
  ~UnitBracket();
  void close();

 private:
  ftrun_context& ctx_;
  const StrategyHooks& hooks_;
  const Role& role_;
  ftrun_phase phase_;
  MicroBatch micro_batch_;
  std::vector<int32_t> open_;
};

/// Which of a role's tensors a walk computes with.
enum class WalkedTensors {
  kAll,          ///< as they are, adapters on
  kAdaptersOff,  ///< adapters on linear weights are left out
  kAtStart,      ///< start copies in place of what they copy, adapters on
};

/// The role's parameter that such a walk reads for `id`.
Tensor walked_parameter(const Role& role, int32_t id, WalkedTensors tensors);

/// What units being computed see; set by the walk, read by the context calls.
struct ActiveUnit {
  Role* role = nullptr;
  const BatchState* batch = nullptr;
  int32_t unit = -1;
  int32_t dropout_site = 0;
  WalkedTensors tensors = WalkedTensors::kAll;

  Tensor parameter(int32_t id) const { return walked_parameter(*role, id, tensors); }
};

/// One recorded walk, waiting for backward: with checkpointing each unit's input, without it each unit's own tape.
class UnitWalk {
 public:
  struct Segment {
    Tensor input;
    std::shared_ptr<GradientTarget> input_gradient;
    std::unique_ptr<Tape> tape;  ///< NULL when the unit is to be replayed
    Tensor output;
  };

  UnitWalk(Role& role, std::shared_ptr<const BatchState> batch, WalkedTensors tensors = WalkedTensors::kAll)
      : role_(role), batch_(std::move(batch)), tensors_(tensors) {}
  Role& role() const noexcept { return role_; }

  /// Computes units embedding .. final norm and returns hidden[T, D]. Recorded: a leaf whose gradient starts backward.
  /// An empty batch computes nothing, but its brackets are the same.
  Tensor forward(ftrun_context& ctx, const StrategyHooks& hooks, const MicroBatch& micro_batch, bool recorded,
                 bool checkpointing);
  /// Backward of one unit, inside its bracket; units come in reverse order. Without a gradient nothing is computed.
  void backward_unit(ftrun_context& ctx, int32_t unit);

 private:
  Tensor compute(ftrun_context& ctx, int32_t unit, const Tensor& input);
  Tensor compute_recorded(ftrun_context& ctx, int32_t unit, const Tensor& input, bool checkpointing);

  Role& role_;
  std::shared_ptr<const BatchState> batch_;
  WalkedTensors tensors_;
  std::vector<Segment> segments_;
  std::shared_ptr<GradientTarget> hidden_gradient_;
  Tensor gradient_;  // of the output of the unit that comes next in backward
  bool started_ = false;
};

}  // namespace ftrun
