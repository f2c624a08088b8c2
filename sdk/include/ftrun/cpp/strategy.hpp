// C++ over the kind `strategy`: the table made from a class, its schedule found by a counted run.
// Leaves out: the calls a strategy makes (shard_calls.hpp).
#pragma once

#include <cstdint>
#include <cstring>

#include "ftrun/cpp/shard_calls.hpp"
#include "ftrun/cpp/strategy_schedule.hpp"

namespace ftrun::sdk {
inline namespace v1 {

/// Thunks around a class with a constructor (const ftrun_host*, const ftrun_options*) and the table's other calls as
/// members that take `const ShardCalls&` first; values come back as return values. Members throw sdk::Error. schedule
/// needs no member: it runs a second instance on a host that only counts, so what the class does must follow from
/// layouts and options alone.
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
            write_range,
            schedule};
  }

 private:
  struct Instance {
    const ftrun_host* host;
    const ftrun_options* options;
    Strategy strategy;
    Instance(const ftrun_host* of_host, const ftrun_options* given)
        : host(of_host), options(given), strategy(of_host, given) {}
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
  static ftrun_status schedule(void* strategy, const ftrun_schedule_args* args, ftrun_schedule* out) noexcept {
    const auto& instance = *static_cast<Instance*>(strategy);
    return guarded(instance.host, [&] {
      ftrun_schedule made = count_schedule<Strategy>(instance.host, instance.options, *args);
      made.head.struct_size = std::min(out->head.struct_size, made.head.struct_size);
      std::memcpy(static_cast<void*>(out), &made, made.head.struct_size);
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
