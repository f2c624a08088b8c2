// C++ over the kind `strategy`: shard calls as values and the table made from a class.
// Leaves out: collectives (their calls are used raw; see collectives.h).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ftrun/cpp/tensor.hpp"
#include "ftrun/kinds/strategy.h"

namespace ftrun::sdk {
inline namespace v1 {

/// Shard calls on one context. All [rank-thread]; failures throw HostFailure.
class ShardCalls : public TensorCalls {
 public:
  using TensorCalls::TensorCalls;

  void bind_compute(int32_t role, int32_t unit, ftrun_part part, const Tensor& flat) const {
    check(host()->shard->bind_compute(context(), role, unit, part, flat.get()));
  }
  void bind_gradient(int32_t role, int32_t unit, const Tensor& flat) const {
    check(host()->shard->bind_gradient(context(), role, unit, flat.get()));
  }
  void zero_gradient(int32_t role, int32_t unit) const { check(host()->shard->zero_gradient(context(), role, unit)); }
  void load_slice(int32_t role, int32_t unit, ftrun_part part, int64_t begin, int64_t end,
                  const Tensor& destination) const {
    check(host()->shard->load_slice(context(), role, unit, part, begin, end, destination.get()));
  }
  ftrun_optimizer_slice* optimizer_create(int32_t role, int32_t unit, int64_t begin, int64_t end,
                                          ftrun_placement placement = FTRUN_PLACEMENT_DEVICE) const {
    ftrun_optimizer_slice* slice = nullptr;
    check(host()->shard->optimizer_create(context(), role, unit, begin, end, placement, &slice));
    return slice;
  }
  void optimizer_update(const std::vector<ftrun_span>& spans, double grad_scale, double learning_rate) const {
    check(host()->shard->optimizer_update(context(), static_cast<int32_t>(spans.size()), spans.data(), grad_scale,
                                          learning_rate));
  }
  double grad_norm(const std::vector<ftrun_tensor*>& slices) const {
    double norm = 0;
    check(host()->shard->grad_norm(context(), static_cast<int32_t>(slices.size()), slices.data(), &norm));
    return norm;
  }
  void copy(const Tensor& from, const Tensor& to) const { check(host()->shard->copy(context(), from.get(), to.get())); }
};

/// Unit `index` of a role's layout, by the writer's stride.
inline const ftrun_unit_layout& unit_layout(const ftrun_role_layout& role, int32_t index) noexcept {
  const char* bytes = reinterpret_cast<const char*>(role.units);
  return *reinterpret_cast<const ftrun_unit_layout*>(bytes + static_cast<uint64_t>(index) * role.unit_stride);
}

/// Thunks around a class with a constructor (const ftrun_host*, const ftrun_options*) and the table's other calls as
/// members that take `const ShardCalls&` first; values come back as return values. Members throw sdk::Error.
template <class Strategy>
class StrategyThunks {
 public:
  static constexpr ftrun_strategy table() noexcept {
    return {{sizeof(ftrun_strategy), FTRUN_STRATEGY_TAG},
            create,
            destroy,
            attach,
            unit_enter,
            unit_exit,
            grads_ready,
            finish_grads,
            step,
            owned_range,
            read_range,
            write_range};
  }

 private:
  struct Instance {
    const ftrun_host* host;
    Strategy strategy;
    Instance(const ftrun_host* of_host, const ftrun_options* options) : host(of_host), strategy(of_host, options) {}
  };

  template <typename Body>
  static ftrun_status run(void* strategy, ftrun_context* ctx, Body&& body) noexcept {
    auto& instance = *static_cast<Instance*>(strategy);
    return guarded(instance.host, [&] { body(instance.strategy, ShardCalls(instance.host, ctx)); });
  }

  static ftrun_status create(const ftrun_host* host, const ftrun_options* options, void** strategy) noexcept {
    *strategy = nullptr;
    return guarded(host, [&] { *strategy = new Instance(host, options); });
  }
  static void destroy(void* strategy) noexcept { delete static_cast<Instance*>(strategy); }
  static ftrun_status attach(void* strategy, ftrun_context* ctx, const ftrun_role_layout* role) noexcept {
    return run(strategy, ctx, [&](Strategy& self, const ShardCalls& calls) { self.attach(calls, *role); });
  }
  static ftrun_status unit_enter(void* strategy, ftrun_context* ctx, const ftrun_unit_event* event) noexcept {
    return run(strategy, ctx, [&](Strategy& self, const ShardCalls& calls) { self.unit_enter(calls, *event); });
  }
  static ftrun_status unit_exit(void* strategy, ftrun_context* ctx, const ftrun_unit_event* event) noexcept {
    return run(strategy, ctx, [&](Strategy& self, const ShardCalls& calls) { self.unit_exit(calls, *event); });
  }
  static ftrun_status grads_ready(void* strategy, ftrun_context* ctx, const ftrun_unit_event* event) noexcept {
    return run(strategy, ctx, [&](Strategy& self, const ShardCalls& calls) { self.grads_ready(calls, *event); });
  }
  static ftrun_status finish_grads(void* strategy, ftrun_context* ctx, double* grad_norm) noexcept {
    return run(strategy, ctx, [&](Strategy& self, const ShardCalls& calls) { *grad_norm = self.finish_grads(calls); });
  }
  static ftrun_status step(void* strategy, ftrun_context* ctx, double grad_scale, double learning_rate) noexcept {
    return run(strategy, ctx,
               [&](Strategy& self, const ShardCalls& calls) { self.step(calls, grad_scale, learning_rate); });
  }
  static ftrun_status owned_range(void* strategy, ftrun_context* ctx, int32_t role, int32_t unit, ftrun_part part,
                                  int64_t* begin, int64_t* end) noexcept {
    return run(strategy, ctx, [&](Strategy& self, const ShardCalls& calls) {
      const auto range = self.owned_range(calls, role, unit, part);
      *begin = range.first;
      *end = range.second;
    });
  }
  static ftrun_status read_range(void* strategy, ftrun_context* ctx, int32_t role, int32_t unit, ftrun_part part,
                                 int64_t begin, int64_t end, ftrun_tensor* destination) noexcept {
    return run(strategy, ctx, [&](Strategy& self, const ShardCalls& calls) {
      host_borrow(calls.host(), destination,
                  [&](const Tensor& tensor) { self.read_range(calls, role, unit, part, begin, end, tensor); });
    });
  }

  static ftrun_status write_range(void* strategy, ftrun_context* ctx, int32_t role, int32_t unit, ftrun_part part,
                                  int64_t begin, int64_t end, ftrun_tensor* source) noexcept {
    return run(strategy, ctx, [&](Strategy& self, const ShardCalls& calls) {
      host_borrow(calls.host(), source,
                  [&](const Tensor& tensor) { self.write_range(calls, role, unit, part, begin, end, tensor); });
    });
  }

  template <typename Body>
  static void host_borrow(const ftrun_host* host, ftrun_tensor* handle, Body&& body) {
    host->tensor->retain(handle);
    body(Tensor(host, handle));
  }
};

}  // namespace v1
}  // namespace ftrun::sdk
