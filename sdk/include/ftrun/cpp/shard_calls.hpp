// Shard and collective calls of a strategy as values.
// Leaves out: the table made from a class (strategy.hpp).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "ftrun/collectives.h"
#include "ftrun/cpp/tensor.hpp"
#include "ftrun/kinds/strategy.h"
#include "ftrun/shard.h"

namespace ftrun::sdk {
inline namespace v1 {

/// A queued collective. wait() makes the rank's stream wait for it and throws what it failed with; a destructor that
/// still has to wait ignores the outcome. Must not outlive the rank.
class Work {
 public:
  Work() noexcept = default;
  Work(const ftrun_host* host, ftrun_context* ctx, ftrun_work* handle) noexcept
      : host_(host), ctx_(ctx), handle_(handle) {}
  Work(Work&& other) noexcept : host_(other.host_), ctx_(other.ctx_), handle_(std::exchange(other.handle_, nullptr)) {}
  Work& operator=(Work other) noexcept {
    std::swap(host_, other.host_);
    std::swap(ctx_, other.ctx_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  Work(const Work&) = delete;
  ~Work() {
    if (handle_ != nullptr) static_cast<void>(host_->collectives->wait(ctx_, handle_));
  }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  /// Nothing happens when there is nothing to wait for.
  void wait() {
    if (handle_ != nullptr) check(host_->collectives->wait(ctx_, std::exchange(handle_, nullptr)));
  }

 private:
  const ftrun_host* host_ = nullptr;
  ftrun_context* ctx_ = nullptr;
  ftrun_work* handle_ = nullptr;
};

/// Shard and collective calls on one context. All [rank-thread]; failures throw HostFailure. See shard.h and
/// collectives.h for shapes; a group of nullptr is the world.
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
  void gradient_final(const Tensor& slice) const { check(host()->shard->gradient_final(context(), slice.get())); }
  void copy(const Tensor& from, const Tensor& to) const { check(host()->shard->copy(context(), from.get(), to.get())); }
  void accumulate(const Tensor& from, const Tensor& to) const {
    check(host()->shard->accumulate(context(), from.get(), to.get()));
  }

  /// Ascending world ranks; this rank is one of them.
  ftrun_group* group(const std::vector<int32_t>& ranks) const {
    ftrun_group* made = nullptr;
    check(host()->collectives->group(context(), ranks.data(), static_cast<int32_t>(ranks.size()), &made));
    return made;
  }
  Work all_reduce(ftrun_group* group, const Tensor& data) const {
    ftrun_work* work = nullptr;
    check(host()->collectives->all_reduce(context(), group, data.get(), &work));
    return {host(), context(), work};
  }
  Work reduce_scatter(ftrun_group* group, const Tensor& data, const Tensor& slice) const {
    ftrun_work* work = nullptr;
    check(host()->collectives->reduce_scatter(context(), group, data.get(), slice.get(), &work));
    return {host(), context(), work};
  }
  Work all_gather(ftrun_group* group, const Tensor& slice, const Tensor& data) const {
    ftrun_work* work = nullptr;
    check(host()->collectives->all_gather(context(), group, slice.get(), data.get(), &work));
    return {host(), context(), work};
  }
  Work broadcast(ftrun_group* group, const Tensor& data, int32_t root) const {
    ftrun_work* work = nullptr;
    check(host()->collectives->broadcast(context(), group, data.get(), root, &work));
    return {host(), context(), work};
  }
};

}  // namespace v1
}  // namespace ftrun::sdk
