// Roles, attaching, updates and optimizer state of one rank.
#include "core/model/rank.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/model/abi_struct.h"
#include "core/model/role_description.h"
#include "core/ops/layout.h"
#include "core/parallel/thread_pool.h"

namespace ftrun {

void OptimizerPiece::read(ExecutionContext& ctx, std::span<float> out) const {
  ftrun::read(ctx, values, out.data(), out.size_bytes());
}

void OptimizerPiece::write(ExecutionContext& ctx, std::span<const float> in) const {
  write_from_host(ctx, values, in.data(), in.size_bytes());
}

Rank::Rank(const RankArguments& arguments)
    : arguments_(arguments), hooks_(*arguments.strategy, arguments.strategy_instance) {
  if (arguments.world < 1 || arguments.rank < 0 || arguments.rank >= arguments.world || arguments.accumulation < 1) {
    throw internal_error("rank {} of {} with accumulation {}", arguments.rank, arguments.world, arguments.accumulation);
  }
  if (arguments.communicator == nullptr) {
    own_communicator_ = std::make_unique<Communicator>();
    arguments_.communicator = own_communicator_.get();
  }
  if (communicator().world() != arguments.world || communicator().rank() != arguments.rank) {
    throw internal_error("rank {} of {} with the communicator of rank {} of {}", arguments.rank, arguments.world,
                         communicator().rank(), communicator().world());
  }
  context_.device = arguments.device;
  context_.host_device = arguments.host_device != nullptr ? arguments.host_device : arguments.device;
  context_.stream = arguments.stream;
  context_.host_stream = arguments.host_stream;
  context_.rank = this;
}

Rank::~Rank() = default;

int32_t Rank::add_role(std::string name, std::shared_ptr<const NetworkModel> model,
                       const std::function<bool(int32_t id)>& is_trained, std::unique_ptr<WeightSource> weights) {
  const auto index = role_count();
  const auto decide = is_trained ? is_trained : [](int32_t) { return false; };
  roles_.push_back(
      std::make_unique<Role>(std::move(name), index, std::move(model), arguments_.world, decide, std::move(weights)));
  walked_roles_.push_back({roles_.back()->name(), roles_.back().get(), WalkedTensors::kAll});
  return static_cast<int32_t>(walked_roles_.size()) - 1;
}

int32_t Rank::add_adapter_off_role(std::string name, int32_t index) {
  walked_roles_.push_back({std::move(name), &role(index), WalkedTensors::kAdaptersOff});
  return static_cast<int32_t>(walked_roles_.size()) - 1;
}

int32_t Rank::add_at_start_role(std::string name, int32_t index) {
  walked_roles_.push_back({std::move(name), &role(index), WalkedTensors::kAtStart});
  return static_cast<int32_t>(walked_roles_.size()) - 1;
}

const Rank::WalkedRole& Rank::walked(int32_t index) const {
  if (index < 0 || static_cast<size_t>(index) >= walked_roles_.size())
    throw invalid_argument("there is no role {}: {} are declared", index, walked_roles_.size());
  return walked_roles_[static_cast<size_t>(index)];
}

bool Rank::is_recorded(const WalkedRole& walked) const noexcept {
  return training_ && context_.recording && walked.role->trained() && walked.tensors == WalkedTensors::kAll;
}

Role& Rank::role(int32_t index) {
  if (index < 0 || index >= role_count())
    throw invalid_argument("there is no role {}: {} are declared", index, role_count());
  return *roles_[static_cast<size_t>(index)];
}

void Rank::attach() {
  for (; attached_roles_ < roles_.size(); ++attached_roles_) attach_role(*roles_[attached_roles_]);
}

void Rank::attach_role(Role& role) {
  const RoleDescription description(role, arguments_);
  check_status(hooks_.table().attach(hooks_.instance(), &context_, &description.layout()), "strategy: attach");
}

ftrun_schedule Rank::schedule() {
  std::vector<std::unique_ptr<RoleDescription>> descriptions;
  std::vector<ftrun_role_layout> layouts;
  for (const auto& role : roles_) {
    descriptions.push_back(std::make_unique<RoleDescription>(*role, arguments_));
    layouts.push_back(descriptions.back()->layout());
  }
  auto args = make_abi_struct<ftrun_schedule_args>(FTRUN_SCHEDULE_ARGS_TAG);
  args.n_roles = role_count();
  args.role_stride = sizeof(ftrun_role_layout);
  args.roles = layouts.data();
  if (arguments_.optimizer != nullptr) {
    const size_t states = arguments_.optimizer->state_names().size();
    args.optimizer_bytes_per_element =
        static_cast<int32_t>(4 * (states + (arguments_.precision.master_weights ? 1 : 0)));
  }
  auto schedule = make_abi_struct<ftrun_schedule>(FTRUN_SCHEDULE_TAG);
  check_status(hooks_.table().schedule(hooks_.instance(), &args, &schedule), "strategy: schedule");
  return schedule;
}

void Rank::release_weight_sources() {
  for (const auto& role : roles_) role->set_weights(nullptr);
}

void Rank::load_values(int32_t index, WeightSource& source) {
  Role& loaded = role(index);
  for (int32_t unit = 0; unit < loaded.layout().unit_count(); ++unit) {
    for (const ftrun_part part : {FTRUN_PART_TRAINED, FTRUN_PART_FROZEN}) load_part(loaded, unit, part, source);
  }
  for (const auto& slice : slices_) {
    if (slice->role != index || !slice->master) continue;
    fill_from(context_, source, loaded.model(), loaded.layout(), slice->unit, FTRUN_PART_TRAINED, slice->begin,
              slice->end, slice->master);
  }
}

void Rank::load_part(Role& role, int32_t unit, ftrun_part part, WeightSource& source) {
  if (role.layout().part(unit, part).padded_elements == 0) return;
  const ftrun_strategy& table = hooks_.table();
  int64_t begin = 0;
  int64_t end = 0;
  check_status(table.owned_range(hooks_.instance(), &context_, role.index(), unit, part, &begin, &end),
               "strategy: owned_range");
  constexpr int64_t kChunkElements = int64_t{1} << 24;
  for (int64_t from = begin; from < end; from += kChunkElements) {
    const int64_t to = std::min(end, from + kChunkElements);
    const Tensor values = empty(context_, arguments_.precision.compute, {to - from}, FTRUN_MEMORY_WORKSPACE);
    fill_from(context_, source, role.model(), role.layout(), unit, part, from, to, values);
    check_status(table.write_range(hooks_.instance(), &context_, role.index(), unit, part, from, to, values.get()),
                 "strategy: write_range");
  }
}

ftrun_optimizer_slice* Rank::create_optimizer_slice(int32_t role_index, int32_t unit, int64_t begin, int64_t end,
                                                    ftrun_placement placement) {
  Role& owner = role(role_index);
  if (arguments_.optimizer == nullptr) throw failed_precondition("optimizer_create: this run trains nothing");
  if (placement != FTRUN_PLACEMENT_DEVICE && placement != FTRUN_PLACEMENT_HOST) {
    throw invalid_argument("optimizer_create: placement {}", placement);
  }
  auto slice = std::make_unique<ftrun_optimizer_slice>();
  slice->role = role_index;
  slice->unit = unit;
  slice->begin = begin;
  slice->end = end;
  slice->placement = placement;
  slice->runs = optimizer_runs(owner.model(), owner.layout(), unit, begin, end);
  const Shape shape = {end - begin};
  if (arguments_.precision.master_weights) {
    slice->master = empty(context_, FTRUN_F32, shape, FTRUN_MEMORY_OPTIMIZER, placement);
    owner.load(context_, unit, FTRUN_PART_TRAINED, begin, end, slice->master);
  }
  for (size_t i = 0; i < arguments_.optimizer->state_names().size(); ++i) {
    slice->states.push_back(empty(context_, FTRUN_F32, shape, FTRUN_MEMORY_OPTIMIZER, placement));
    ops::fill(context_, slice->states.back(), 0.0);
  }
  slices_.push_back(std::move(slice));
  return slices_.back().get();
}

void Rank::update(std::span<const ftrun_span> spans, double grad_scale, double learning_rate) {
  // A rehearsal (core/train/rehearsal.h) has no gradients, only their memory.
  if (SkipParallelWork::active()) return;
  for (const ftrun_span& span : spans) {
    if (span.slice == nullptr || span.gradient == nullptr || span.compute == nullptr) {
      throw invalid_argument("optimizer_update: a span without slice, gradient or weights");
    }
    update_slice(context_, *arguments_.optimizer, *span.slice, Tensor::share(span.gradient),
                 Tensor::share(span.compute), grad_scale, learning_rate, arguments_.weight_decay, steps_ + 1);
  }
}

double Rank::finish_grads() {
  double norm = 0;
  check_status(hooks_.table().finish_grads(hooks_.instance(), &context_, &norm), "strategy: finish_grads");
  return norm;
}

void Rank::step(double grad_scale, double learning_rate) {
  check_status(hooks_.table().step(hooks_.instance(), &context_, grad_scale, learning_rate), "strategy: step");
  ++steps_;
}

std::vector<OptimizerPiece> Rank::optimizer_pieces() {
  std::vector<OptimizerPiece> pieces;
  if (arguments_.optimizer == nullptr) return pieces;
  const auto names = arguments_.optimizer->state_names();
  for (const auto& slice : slices_) {
    const ParameterLayout& layout = role(slice->role).layout();
    for (const ParameterPiece& piece : layout.pieces(slice->unit, FTRUN_PART_TRAINED, slice->begin, slice->end)) {
      const int64_t to = piece.offset + piece.end - piece.begin;
      for (size_t i = 0; i < names.size(); ++i) {
        pieces.push_back(
            {slice->role, piece.id, piece.begin, piece.end, names[i], slice->states[i].slice(0, piece.offset, to)});
      }
    }
  }
  return pieces;
}

}  // namespace ftrun
