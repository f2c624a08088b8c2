// One rank's models: roles, forward, backward, optimizer, values. What core/train and core/generate build on.
//
// Life cycle:
//   Rank rank(arguments);                                        devices open, strategy instance created
//   int32_t role = rank.add_role("policy", model, all_trained, std::make_unique<FileWeights>(...));
//   rank.attach();                                               strategy allocates, binds, loads; then files may go:
//   rank.release_weight_sources();
//   per update:
//     for each micro-batch i of n: Tensor loss = rank.train_micro_batch(i, n, [&] { return paradigm's loss; });
//     double norm = rank.finish_grads();
//     rank.step(clip coefficient, learning rate);
//   evaluation: Tensor loss = rank.evaluate([&] { return paradigm's loss; });
//   generation: AttentionScope scope(rank, &cache); hidden = rank.forward(role, batch); logits = rank.head_logits(...);
//   saving: for_each_value_chunk() (model_values.h); optimizer_pieces() for checkpoints;
//   resuming: add_role with HostWeights that read the checkpoint's values, attach, OptimizerPiece::write, set_steps.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/collectives/communicator.h"
#include "core/model/attention_backend.h"
#include "core/model/context.h"
#include "core/model/optimizer_slice.h"
#include "core/model/role.h"
#include "core/model/unit_walk.h"
#include "ftrun/context.h"
#include "ftrun/kinds/strategy.h"

namespace ftrun {

/// How numbers are kept. bf16 with fp32 master weights, bf16 throughout, or fp32.
struct Precision {
  ftrun_dtype compute = FTRUN_F32;
  bool master_weights = false;  ///< f32 copy in the optimizer; only with bf16

  static Precision f32() { return {FTRUN_F32, false}; }
  static Precision bf16() { return {FTRUN_BF16, true}; }
  static Precision pure_bf16() { return {FTRUN_BF16, false}; }
};

/// Pointers are not owned and outlive the rank.
struct RankArguments {
  int32_t rank = 0;  ///< of the communicator, as is `world`
  int32_t world = 1;
  Communicator* communicator = nullptr;  ///< NULL: a world of one
  Device* device = nullptr;
  Device* host_device = nullptr;  ///< may equal device
  void* stream = nullptr;         ///< NULL: the device's default stream
  void* host_stream = nullptr;
  const ftrun_strategy* strategy = nullptr;
  void* strategy_instance = nullptr;
  Precision precision;
  bool gradient_checkpointing = true;
  bool offload_activations = false;  ///< checkpoints wait for backward on the host device
  int32_t accumulation = 1;          ///< micro-batches per update
  uint64_t seed = 42;
  const Optimizer* optimizer = nullptr;  ///< NULL: nothing will be trained
  double weight_decay = 0;
};

/// One named state of a piece of a parameter, for checkpoints. Borrowed from the rank.
struct OptimizerPiece {
  int32_t role = 0;
  int32_t parameter = 0;
  int64_t begin = 0;  ///< elements [begin, end) of the parameter
  int64_t end = 0;
  std::string_view state;  ///< "exp_avg"
  Tensor values;           ///< f32[end - begin], a view of the state

  void read(ExecutionContext& ctx, std::span<float> out) const;
  void write(ExecutionContext& ctx, std::span<const float> in) const;
};

/// [rank-thread] but construction and destruction ([control-thread]). Errors: what plugins and ops fail with, prefixed
/// by the unit. After an exception out of train_micro_batch the recorded state is dropped; gradients of the update are
/// undefined.
class Rank {
 public:
  explicit Rank(const RankArguments& arguments);
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;
  ~Rank();

  ftrun_context& context() noexcept { return context_; }
  const RankArguments& arguments() const noexcept { return arguments_; }
  Communicator& communicator() noexcept { return *arguments_.communicator; }

  /// Adds a role before attach; `is_trained` by parameter id, NULL: none.
  int32_t add_role(std::string name, std::shared_ptr<const NetworkModel> model,
                   const std::function<bool(int32_t id)>& is_trained, std::unique_ptr<WeightSource> weights);
  /// Another way to walk a role: with its adapters switched off, never recorded. Returns the index for forward and head
  /// calls, which count roles and these together in the order they are added; everything else (layouts, strategies)
  /// knows `role` only.
  int32_t add_adapter_off_role(std::string name, int32_t role);
  /// Another way to walk a role: with the start copies of its model in place of what they copy; else likewise.
  int32_t add_at_start_role(std::string name, int32_t role);
  /// What the strategy will hold and move with the roles added so far; nothing is attached. UNIMPLEMENTED when the
  /// strategy does not say.
  ftrun_schedule schedule();
  /// Lets the strategy allocate, bind and load every role that it has not attached yet.
  void attach();
  /// Closes the files that attach read from.
  void release_weight_sources();
  /// Overwrites the weights that the strategy holds on this rank, and master weights where there are any, from another
  /// source.
  void load_values(int32_t role, WeightSource& source);

  int32_t role_count() const noexcept { return static_cast<int32_t>(roles_.size()); }
  Role& role(int32_t index);
  /// The role that forward and head calls with this index walk.
  Role& walked_role(int32_t index) { return *walked(index).role; }

  /// See ftrun_context_api.forward. A batch of 0 tokens gives hidden[0, D].
  Tensor forward(int32_t role, const ftrun_batch& batch);
  /// See ftrun_context_api; labels and weights are host memory of hidden's rows, weights may be empty.
  Tensor head_cross_entropy_sum(int32_t role, const Tensor& hidden, std::span<const int32_t> labels,
                                std::span<const float> weights, double scale);
  struct LogProbabilities {
    Tensor logp;
    Tensor entropy;  ///< empty unless asked for
  };
  LogProbabilities head_logprobs(int32_t role, const Tensor& hidden, std::span<const int32_t> labels,
                                 double temperature, bool with_entropy);
  /// See ftrun_context_api.head_scalar: f32[T], computed in f32.
  Tensor head_scalar(int32_t role, std::string_view name, const Tensor& hidden);
  /// logits f32[n, V] of chosen rows.
  Tensor head_logits(int32_t role, const Tensor& hidden, std::span<const int64_t> rows);

  /// Records loss() (f32[1], already normalised) and runs backward into the bound gradient buffers; grads_ready once
  /// per trained unit. Returns the loss, not yet read from the device.
  Tensor train_micro_batch(int32_t index, int32_t count, const std::function<Tensor()>& loss);
  /// loss() without recording.
  Tensor evaluate(const std::function<Tensor()>& loss);
  /// After the update's last micro-batch: the global gradient norm.
  double finish_grads();
  /// Updates the weights with gradients times grad_scale.
  void step(double grad_scale, double learning_rate);
  /// Updates done; the next one is number steps() + 1 for the optimizer's bias correction.
  int64_t steps() const noexcept { return steps_; }
  void set_steps(int64_t steps) noexcept { steps_ = steps; }

  /// Every state of every slice this rank owns, split by parameter, in role, unit and slice order.
  std::vector<OptimizerPiece> optimizer_pieces();

  // For the C ABI's tables (context_api.cpp, shard_api.cpp):

  ActiveUnit& active() noexcept { return active_; }
  AttentionBackend* attention_backend() const noexcept { return attention_backend_; }
  const StrategyHooks& hooks() const noexcept { return hooks_; }
  bool training() const noexcept { return training_; }
  ftrun_optimizer_slice* create_optimizer_slice(int32_t role, int32_t unit, int64_t begin, int64_t end,
                                                ftrun_placement placement);
  void update(std::span<const ftrun_span> spans, double grad_scale, double learning_rate);
  /// See ftrun_shard_api.gradient_final.
  void gradient_final(const Tensor& slice);
  /// See ftrun_shard_api.grad_norm. Every rank gives as many slices.
  double grad_norm(std::span<const Tensor> slices);
  std::span<const std::unique_ptr<ftrun_optimizer_slice>> optimizer_slices() const noexcept { return slices_; }

 private:
  friend class AttentionScope;
  /// What forward and head calls name by an index.
  struct WalkedRole {
    std::string name;
    Role* role = nullptr;
    WalkedTensors tensors = WalkedTensors::kAll;
    Tensor parameter(int32_t id) const { return walked_parameter(*role, id, tensors); }
  };
  const WalkedRole& walked(int32_t index) const;
  bool is_recorded(const WalkedRole& walked) const noexcept;
  void attach_role(Role& role);
  void load_part(Role& role, int32_t unit, ftrun_part part, WeightSource& source);
  void backward(Tape& tape, const Tensor& loss);
  void backward_heads(Tape& tape, const Tensor& loss);
  void backward_role(Role& role);
  void ready(Role& role, int32_t unit);
  static Tensor head_weight(const WalkedRole& walked);
  ftrun_phase head_phase(const WalkedRole& walked) const noexcept;

  RankArguments arguments_;
  std::unique_ptr<Communicator> own_communicator_;
  ftrun_context context_;
  StrategyHooks hooks_;
  std::vector<std::unique_ptr<Role>> roles_;
  std::vector<WalkedRole> walked_roles_;
  size_t attached_roles_ = 0;
  std::vector<std::unique_ptr<ftrun_optimizer_slice>> slices_;
  struct FinalGradient {
    Tensor slice;
    Tensor block_sums;  ///< f64
  };
  std::vector<FinalGradient> final_gradients_;  ///< of this update, until grad_norm
  std::vector<std::unique_ptr<UnitWalk>> walks_;
  ActiveUnit active_;
  AttentionBackend* attention_backend_ = nullptr;
  MicroBatch micro_batch_;
  bool training_ = false;
  int64_t steps_ = 0;
};

/// Serves attention by `backend` for a scope.
class AttentionScope {
 public:
  AttentionScope(Rank& rank, AttentionBackend* backend) : rank_(rank), former_(rank.attention_backend_) {
    rank.attention_backend_ = backend;
  }
  AttentionScope(const AttentionScope&) = delete;
  AttentionScope& operator=(const AttentionScope&) = delete;
  ~AttentionScope() { rank_.attention_backend_ = former_; }

 private:
  Rank& rank_;
  AttentionBackend* former_;
};

}  // namespace ftrun
