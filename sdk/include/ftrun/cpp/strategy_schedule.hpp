// A strategy's schedule found by running it: one update and one INFER walk on a host that only counts.
// Leaves out: working memory of the host's own, such as the optimizer's copies of offloaded slices.
#pragma once

#include <algorithm>
#include <vector>

#include "ftrun/cpp/counting_host.hpp"
#include "ftrun/cpp/shard_calls.hpp"

namespace ftrun::sdk {
inline namespace v1 {

/// Entry `index` of an array of growing structs, by the writer's stride.
template <typename Struct>
const Struct& strided(const Struct* array, uint64_t stride, int32_t index) noexcept {
  const char* bytes = reinterpret_cast<const char*>(array);
  return *reinterpret_cast<const Struct*>(bytes + static_cast<uint64_t>(index) * stride);
}

/// Unit `index` of a role's layout.
inline const ftrun_unit_layout& unit_layout(const ftrun_role_layout& role, int32_t index) noexcept {
  return strided(role.units, role.unit_stride, index);
}

/// Lowest unit with a trained tensor, -1 for a frozen role. Below it there is no BACKWARD but the head's.
inline int32_t lowest_trained_unit(const ftrun_role_layout& role) noexcept {
  for (int32_t unit = 0; unit < role.n_units; ++unit) {
    if (unit_layout(role, unit).trained_padded_elements > 0) return unit;
  }
  return -1;
}

/// Drives a Strategy (see StrategyThunks) as the host drives it in one update.
template <class Strategy>
class UpdateWalk {
 public:
  /// Everything given outlives this object.
  UpdateWalk(Strategy& strategy, const ShardCalls& calls, const ftrun_schedule_args& args)
      : strategy_(strategy), calls_(calls), args_(args) {}

  void attach() {
    for (int32_t role = 0; role < args_.n_roles; ++role) strategy_.attach(calls_, layout(role));
  }
  void infer() {
    for (int32_t role = 0; role < args_.n_roles; ++role) forward(layout(role), FTRUN_PHASE_INFER);
  }
  void update() {
    const int32_t micro_batches = args_.n_roles > 0 ? layout(0).accumulation : 0;
    for (micro_batch_ = 0; micro_batch_ < micro_batches; ++micro_batch_) {
      is_last_ = micro_batch_ + 1 == micro_batches;
      infer_as_declared();
      for_trained([&](const ftrun_role_layout& role) { forward(role, FTRUN_PHASE_FORWARD); });
      backward_heads();
      for_trained([&](const ftrun_role_layout& role) { backward_walk(role); });
    }
    strategy_.finish_grads(calls_);
    strategy_.step(calls_, 1.0, 0.0);
    micro_batch_ = 0;
  }

 private:
  const ftrun_role_layout& layout(int32_t index) const { return strided(args_.roles, args_.role_stride, index); }

  void infer_as_declared() {
    for (int32_t role = 0; role < args_.n_roles; ++role) {
      for (int32_t walk = 0; walk < layout(role).infer_walks; ++walk) forward(layout(role), FTRUN_PHASE_INFER);
    }
  }
  /// Trained roles from the last one to the first, as backward takes them.
  template <typename Body>
  void for_trained(Body&& body) {
    for (int32_t role = args_.n_roles - 1; role >= 0; --role) {
      if (layout(role).trained != 0) body(layout(role));
    }
  }
  ftrun_unit_event event(const ftrun_role_layout& role, int32_t unit, ftrun_phase phase) const {
    auto made = make<ftrun_unit_event>(FTRUN_UNIT_EVENT_TAG);
    made.role = role.role;
    made.unit = unit;
    made.phase = phase;
    made.micro_batch = micro_batch_;
    made.is_last = is_last_ ? 1 : 0;
    return made;
  }
  /// The unit, then the units it borrows from.
  void enter(const ftrun_role_layout& role, int32_t unit, ftrun_phase phase) {
    const ftrun_unit_layout& entered = unit_layout(role, unit);
    strategy_.unit_enter(calls_, event(role, unit, phase));
    for (int32_t i = 0; i < entered.n_borrowed_units; ++i) {
      strategy_.unit_enter(calls_, event(role, entered.borrowed_units[i], phase));
    }
  }
  void exit(const ftrun_role_layout& role, int32_t unit, ftrun_phase phase) {
    const ftrun_unit_layout& left = unit_layout(role, unit);
    for (int32_t i = left.n_borrowed_units; i > 0; --i) {
      strategy_.unit_exit(calls_, event(role, left.borrowed_units[i - 1], phase));
    }
    strategy_.unit_exit(calls_, event(role, unit, phase));
  }
  void forward(const ftrun_role_layout& role, ftrun_phase phase) {
    for (int32_t unit = 0; unit < role.n_units; ++unit) {
      enter(role, unit, phase);
      exit(role, unit, phase);
    }
  }
  void ready(const ftrun_role_layout& role, int32_t unit) {
    if (unit_layout(role, unit).trained_padded_elements == 0) return;
    strategy_.grads_ready(calls_, event(role, unit, FTRUN_PHASE_BACKWARD));
  }
  void backward_heads() {
    for_trained([&](const ftrun_role_layout& role) { enter(role, role.n_units - 1, FTRUN_PHASE_BACKWARD); });
    for_trained([&](const ftrun_role_layout& role) { exit(role, role.n_units - 1, FTRUN_PHASE_BACKWARD); });
    for_trained([&](const ftrun_role_layout& role) { ready(role, role.n_units - 1); });
  }
  void backward_walk(const ftrun_role_layout& role) {
    for (int32_t unit = role.n_units - 2; unit >= lowest_trained_unit(role); --unit) {
      enter(role, unit, FTRUN_PHASE_BACKWARD);
      exit(role, unit, FTRUN_PHASE_BACKWARD);
      ready(role, unit);
    }
  }

  Strategy& strategy_;
  const ShardCalls& calls_;
  const ftrun_schedule_args& args_;
  int32_t micro_batch_ = 0;
  bool is_last_ = true;
};

/// Roles as they would be if every user of a tied tensor had one of its own to look at: nothing is borrowed.
class UntiedRoles {
 public:
  explicit UntiedRoles(const ftrun_schedule_args& args) : args_(args), units_(static_cast<size_t>(args.n_roles)) {
    for (int32_t role = 0; role < args.n_roles; ++role) {
      ftrun_role_layout layout = strided(args.roles, args.role_stride, role);
      std::vector<ftrun_unit_layout>& units = units_[static_cast<size_t>(role)];
      for (int32_t unit = 0; unit < layout.n_units; ++unit) {
        units.push_back(unit_layout(layout, unit));
        units.back().n_borrowed_units = 0;
      }
      layout.units = units.data();
      layout.unit_stride = sizeof(ftrun_unit_layout);
      roles_.push_back(layout);
    }
    args_.roles = roles_.data();
    args_.role_stride = sizeof(ftrun_role_layout);
  }
  const ftrun_schedule_args& args() const noexcept { return args_; }

 private:
  ftrun_schedule_args args_;
  std::vector<ftrun_role_layout> roles_;
  std::vector<std::vector<ftrun_unit_layout>> units_;
};

/// Elements that one update moves on `host`; `infer` receives those of one INFER walk of every role.
template <class Strategy>
MovedElements count_update(CountingHost& host, const ftrun_options* options, const ftrun_schedule_args& args,
                           MovedElements& infer) {
  const ShardCalls calls(host.host(), host.context());
  Strategy strategy(host.host(), options);
  UpdateWalk<Strategy> walk(strategy, calls, args);
  walk.attach();
  host.forget_moved();
  walk.infer();
  infer = host.moved();
  host.forget_moved();
  walk.update();
  return host.moved();
}

/// The schedule of Strategy for these roles. Throws what it throws.
template <class Strategy>
ftrun_schedule count_schedule(const ftrun_host* real, const ftrun_options* options, const ftrun_schedule_args& args) {
  auto schedule = make<ftrun_schedule>(FTRUN_SCHEDULE_TAG);
  if (args.n_roles == 0) return schedule;
  MovedElements infer;
  CountingHost untied_host(real, args.roles->world, args.optimizer_bytes_per_element);
  const MovedElements untied = count_update<Strategy>(untied_host, options, UntiedRoles(args).args(), infer);
  CountingHost host(real, args.roles->world, args.optimizer_bytes_per_element);
  const MovedElements update = count_update<Strategy>(host, options, args, infer);
  std::copy(host.on_device().peak.begin(), host.on_device().peak.end(), schedule.device_bytes);
  std::copy(host.on_host().peak.begin(), host.on_host().peak.end(), schedule.host_bytes);
  schedule.device_peak_bytes = host.on_device().total_peak;
  schedule.host_peak_bytes = host.on_host().total_peak;
  for (size_t kind = 0; kind < FTRUN_SCHEDULE_KINDS; ++kind) {
    schedule.update_elements[kind] = update.elements[kind];
    schedule.update_sent_bytes[kind] = update.sent_bytes[kind];
    schedule.tied_elements[kind] = update.elements[kind] - std::min(update.elements[kind], untied.elements[kind]);
    schedule.infer_elements[kind] = infer.elements[kind];
    schedule.infer_sent_bytes[kind] = infer.sent_bytes[kind];
  }
  return schedule;
}

}  // namespace v1
}  // namespace ftrun::sdk
