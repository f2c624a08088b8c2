// Forward, recorded losses and their backward: head first, then units in reverse, each inside its bracket.
#include "core/base/error.h"
#include "core/model/rank.h"

namespace ftrun {
namespace {

/// Runs `leave` at the end of the scope, also after an exception.
template <typename Leave>
class ScopeExit {
 public:
  explicit ScopeExit(Leave leave) : leave_(std::move(leave)) {}
  ScopeExit(const ScopeExit&) = delete;
  ScopeExit& operator=(const ScopeExit&) = delete;
  ~ScopeExit() { leave_(); }

 private:
  Leave leave_;
};

}  // namespace

Tensor Rank::forward(int32_t index, const ftrun_batch& batch) {
  const WalkedRole& target = walked(index);
  const bool recorded = is_recorded(target);
  auto walk =
      std::make_unique<UnitWalk>(*target.role, make_batch_state(context_, target.role->model(), batch), target.tensors);
  Tensor hidden = walk->forward(context_, hooks_, micro_batch_, recorded, arguments_.gradient_checkpointing);
  if (recorded) walks_.push_back(std::move(walk));
  return hidden;
}

Tensor Rank::train_micro_batch(int32_t index, int32_t count, const std::function<Tensor()>& loss_of) {
  if (training_) throw failed_precondition("train_micro_batch inside a loss");
  micro_batch_ = {index, index + 1 == count};
  training_ = true;
  const ScopeExit leave([this] {
    training_ = false;
    walks_.clear();
    context_.unit_label.clear();
  });
  if (index == 0) final_gradients_.clear();
  for (const auto& role : roles_) role->hold_gradients(false);
  Tape tape;
  Tensor loss;
  {
    const RecordingScope recording(context_, tape);
    loss = loss_of();
  }
  if (!loss || loss.element_count() != 1) {
    throw invalid_argument("the loss must have one element, it is {}", loss ? loss.text() : "missing");
  }
  backward(tape, loss);
  return loss.detach();
}

Tensor Rank::evaluate(const std::function<Tensor()>& loss_of) {
  if (training_) throw failed_precondition("evaluate inside a loss");
  micro_batch_ = {};
  const NoGradGuard off(context_);
  return loss_of();
}

void Rank::backward(Tape& tape, const Tensor& loss) {
  for (const auto& role : roles_) {
    int32_t walks = 0;
    for (const auto& walk : walks_) walks += &walk->role() == role.get() ? 1 : 0;
    // Several walks share their parameters: their contributions meet in f32.
    if (walks > 1) role->hold_gradients(true);
  }
  backward_heads(tape, loss);
  for (auto role = roles_.rbegin(); role != roles_.rend(); ++role) {
    if ((*role)->trained()) backward_role(**role);
  }
}

void Rank::backward_heads(Tape& tape, const Tensor& loss) {
  std::vector<std::unique_ptr<UnitBracket>> brackets;
  for (const auto& role : roles_) {
    if (!role->trained()) continue;
    brackets.push_back(std::make_unique<UnitBracket>(context_, hooks_, *role, role->model().head_unit(),
                                                     FTRUN_PHASE_BACKWARD, micro_batch_));
  }
  context_.unit_label = "head and loss";
  // Without any target, or without tokens, the loss is a constant.
  if (loss.autograd().tape_id != 0) tape.backward(context_, loss);
  context_.unit_label.clear();
  for (auto bracket = brackets.rbegin(); bracket != brackets.rend(); ++bracket) (*bracket)->close();
  for (auto role = roles_.rbegin(); role != roles_.rend(); ++role) ready(**role, (*role)->model().head_unit());
}

void Rank::backward_role(Role& role) {
  for (int32_t unit = role.model().walked_units() - 1; unit >= role.lowest_trained_unit(); --unit) {
    UnitBracket bracket(context_, hooks_, role, unit, FTRUN_PHASE_BACKWARD, micro_batch_);
    for (auto walk = walks_.rbegin(); walk != walks_.rend(); ++walk) {
      if (&(*walk)->role() == &role) (*walk)->backward_unit(context_, unit);
    }
    bracket.close();
    ready(role, unit);
  }
}

void Rank::ready(Role& role, int32_t unit) {
  if (!role.layout().has_trained(unit)) return;
  role.settle_gradients(context_, unit);
  hooks_.grads_ready(context_, role.index(), unit, micro_batch_);
}

}  // namespace ftrun
