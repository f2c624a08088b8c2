// A host table on which nothing is computed: tensors have sizes only and collectives are counted.
// Leaves out: whom it is for (strategy_schedule.hpp runs a strategy on it).
#pragma once

#include <string>

#include "ftrun/collectives.h"
#include "ftrun/cpp/counting_tensor.hpp"
#include "ftrun/kinds/device.h"
#include "ftrun/shard.h"

namespace ftrun::sdk {
inline namespace v1 {

/// Elements and sent bytes by kind of collective.
struct MovedElements {
  std::array<uint64_t, FTRUN_SCHEDULE_KINDS> elements{};
  std::array<uint64_t, FTRUN_SCHEDULE_KINDS> sent_bytes{};
};

/// The real host's table with tensor, shard and collective calls that count; log lines are dropped. Failures are
/// recorded at the real host. Its context is this object. One thread; outlives the tensors made from it.
class CountingHost {
 public:
  /// `real` outlives this object; `world` is the run's, optimizer bytes are those of one element of a slice.
  CountingHost(const ftrun_host* real, int32_t world, int32_t optimizer_bytes_per_element)
      : real_(real),
        world_(world),
        optimizer_bytes_(static_cast<uint64_t>(optimizer_bytes_per_element)),
        table_(*real),
        tensor_(tensor_calls()),
        shard_(shard_calls()),
        collectives_(collective_calls()) {
    table_.log = [](const ftrun_host*, ftrun_log_level, ftrun_str) {};
    table_.tensor = &tensor_;
    table_.shard = &shard_;
    table_.collectives = &collectives_;
  }
  CountingHost(const CountingHost&) = delete;
  CountingHost& operator=(const CountingHost&) = delete;

  const ftrun_host* host() const noexcept { return &table_; }
  ftrun_context* context() noexcept { return reinterpret_cast<ftrun_context*>(this); }
  const HeldBytes& on_device() const noexcept { return device_; }
  const HeldBytes& on_host() const noexcept { return host_; }
  const MovedElements& moved() const noexcept { return moved_; }
  void forget_moved() noexcept { moved_ = {}; }

 private:
  /// A queued collective keeps its tensors until it is waited for.
  struct Work {
    ftrun_tensor* tensors[2];
  };

  static CountingHost& self(ftrun_context* ctx) noexcept { return *reinterpret_cast<CountingHost*>(ctx); }
  template <typename Body>
  static ftrun_status run(ftrun_context* ctx, Body&& body) noexcept {
    return guarded(self(ctx).real_, [&] { body(self(ctx)); });
  }
  static ftrun_status refuse(ftrun_context* ctx, const char* call) noexcept {
    return run(ctx, [&](CountingHost&) {
      throw Error(FTRUN_UNIMPLEMENTED, std::string(call) + " has no result before the run: a schedule cannot use it");
    });
  }

  HeldBytes& ledger(ftrun_placement placement) noexcept { return placement == FTRUN_PLACEMENT_HOST ? host_ : device_; }

  // Tensors.

  static ftrun_status empty(ftrun_context* ctx, ftrun_dtype dtype, int32_t ndim, const int64_t* shape,
                            ftrun_memory_category category, ftrun_placement placement, ftrun_tensor** out) noexcept {
    *out = nullptr;
    return run(ctx, [&](CountingHost& host) {
      uint64_t bytes = FTRUN_DTYPE_BYTES(dtype);
      for (int32_t axis = 0; axis < ndim; ++axis) bytes *= static_cast<uint64_t>(shape[axis]);
      auto storage = std::make_shared<CountedStorage>(host.ledger(placement), category, bytes);
      *out = (new CountedTensor(dtype, {shape, shape + ndim}, std::move(storage)))->handle();
    });
  }
  static ftrun_status reshape(ftrun_context* ctx, ftrun_tensor* tensor, int32_t ndim, const int64_t* shape,
                              ftrun_tensor** out) noexcept {
    *out = nullptr;
    return run(ctx, [&](CountingHost&) {
      const CountedTensor& whole = CountedTensor::of(tensor);
      *out = (new CountedTensor(whole.dtype, {shape, shape + ndim}, whole.storage))->handle();
    });
  }
  static ftrun_status slice(ftrun_context* ctx, ftrun_tensor* tensor, int32_t axis, int64_t begin, int64_t end,
                            ftrun_tensor** out) noexcept {
    *out = nullptr;
    return run(ctx, [&](CountingHost&) {
      const CountedTensor& whole = CountedTensor::of(tensor);
      const bool legal = axis >= 0 && static_cast<size_t>(axis) < whole.shape.size() && begin >= 0 && begin <= end &&
                         end <= whole.shape[static_cast<size_t>(axis)];
      if (!legal) {
        throw Error(FTRUN_INVALID_ARGUMENT, "slice: elements [" + std::to_string(begin) + ", " + std::to_string(end) +
                                                ") along axis " + std::to_string(axis) + " are outside the tensor");
      }
      std::vector<int64_t> shape = whole.shape;
      shape[static_cast<size_t>(axis)] = end - begin;
      *out = (new CountedTensor(whole.dtype, std::move(shape), whole.storage))->handle();
    });
  }
  static ftrun_status detach(ftrun_context* ctx, ftrun_tensor* tensor, ftrun_tensor** out) noexcept {
    const CountedTensor& whole = CountedTensor::of(tensor);
    return reshape(ctx, tensor, static_cast<int32_t>(whole.shape.size()), whole.shape.data(), out);
  }
  static ftrun_status from_host(ftrun_context* ctx, ftrun_dtype, int32_t, const int64_t*, const void*, uint64_t,
                                ftrun_tensor** out) noexcept {
    *out = nullptr;
    return refuse(ctx, "from_host");
  }
  static ftrun_status read(ftrun_context* ctx, ftrun_tensor*, void*, uint64_t, int32_t*) noexcept {
    return refuse(ctx, "read");
  }
  static ftrun_status op(ftrun_context* ctx, ftrun_str, ftrun_tensor* const*, int32_t, const void*,
                         ftrun_tensor** outputs, int32_t n_outputs) noexcept {
    std::fill(outputs, outputs + n_outputs, nullptr);
    return refuse(ctx, "op");
  }
  static ftrun_status custom_op(ftrun_context* ctx, ftrun_str, ftrun_tensor* const*, int32_t, ftrun_tensor* const*,
                                int32_t, ftrun_custom_backward, void*, void (*)(void*)) noexcept {
    return refuse(ctx, "custom_op");
  }
  static ftrun_tensor_api tensor_calls() noexcept {
    return {{sizeof(ftrun_tensor_api), FTRUN_TENSOR_API_TAG},
            CountedTensor::retain,
            CountedTensor::release,
            CountedTensor::view,
            empty,
            from_host,
            read,
            reshape,
            slice,
            detach,
            op,
            custom_op};
  }

  // Shards.

  static ftrun_status bind_compute(ftrun_context*, int32_t, int32_t, ftrun_part, ftrun_tensor*) noexcept {
    return FTRUN_OK;
  }
  static ftrun_status bind_gradient(ftrun_context*, int32_t, int32_t, ftrun_tensor*) noexcept { return FTRUN_OK; }
  static ftrun_status zero_gradient(ftrun_context*, int32_t, int32_t) noexcept { return FTRUN_OK; }
  static ftrun_status load_slice(ftrun_context*, int32_t, int32_t, ftrun_part, int64_t, int64_t,
                                 ftrun_tensor*) noexcept {
    return FTRUN_OK;
  }
  static ftrun_status optimizer_create(ftrun_context* ctx, int32_t, int32_t, int64_t begin, int64_t end,
                                       ftrun_placement placement, ftrun_optimizer_slice** out) noexcept {
    // A handle that nobody looks behind. Its bytes stay held, as those of the host's slices do.
    *out = reinterpret_cast<ftrun_optimizer_slice*>(ctx);
    return run(ctx, [&](CountingHost& host) {
      host.ledger(placement).add(FTRUN_MEMORY_OPTIMIZER, static_cast<uint64_t>(end - begin) * host.optimizer_bytes_);
    });
  }
  static ftrun_status optimizer_update(ftrun_context*, int32_t, const ftrun_span*, double, double) noexcept {
    return FTRUN_OK;
  }
  static ftrun_status grad_norm(ftrun_context*, int32_t, ftrun_tensor* const*, double* norm) noexcept {
    *norm = 0;
    return FTRUN_OK;
  }
  static ftrun_status copy(ftrun_context*, ftrun_tensor*, ftrun_tensor*) noexcept { return FTRUN_OK; }
  static ftrun_status gradient_final(ftrun_context*, ftrun_tensor*) noexcept { return FTRUN_OK; }
  static ftrun_shard_api shard_calls() noexcept {
    return {{sizeof(ftrun_shard_api), FTRUN_SHARD_API_TAG},
            bind_compute,
            bind_gradient,
            zero_gradient,
            load_slice,
            optimizer_create,
            optimizer_update,
            grad_norm,
            copy,
            copy,
            gradient_final};
  }

  // Collectives.

  uint64_t size_of(const ftrun_group* group) const noexcept {
    return static_cast<uint64_t>(group == nullptr ? world_ : *reinterpret_cast<const int32_t*>(group));
  }
  /// `whole` is the full buffer, of which a rank sends `rounds` times (g - 1) / g.
  static ftrun_status count(ftrun_context* ctx, ftrun_collective_kind kind, ftrun_group* group, ftrun_tensor* whole,
                            uint64_t rounds, ftrun_tensor* slice, ftrun_work** work) noexcept {
    return run(ctx, [&](CountingHost& host) {
      const auto index = static_cast<size_t>(kind);
      const uint64_t ranks = host.size_of(group);
      const auto elements = static_cast<uint64_t>(CountedTensor::of(whole).elements());
      host.moved_.elements[index] += elements;
      host.moved_.sent_bytes[index] +=
          rounds * (elements - elements / ranks) * FTRUN_DTYPE_BYTES(CountedTensor::of(whole).dtype);
      if (work == nullptr) return;
      auto queued = std::make_unique<Work>(Work{{whole, slice}});
      for (ftrun_tensor* tensor : queued->tensors) {
        if (tensor != nullptr) CountedTensor::retain(tensor);
      }
      *work = reinterpret_cast<ftrun_work*>(queued.release());
    });
  }
  static ftrun_status make_group(ftrun_context* ctx, const int32_t*, int32_t n_ranks, ftrun_group** out) noexcept {
    *out = nullptr;
    return run(ctx, [&](CountingHost& host) {
      host.groups_.push_back(std::make_unique<int32_t>(n_ranks));
      *out = reinterpret_cast<ftrun_group*>(host.groups_.back().get());
    });
  }
  static ftrun_status all_reduce(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* data,
                                 ftrun_work** work) noexcept {
    return count(ctx, FTRUN_COLLECTIVE_ALL_REDUCE, group, data, 2, nullptr, work);
  }
  static ftrun_status reduce_scatter(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* data, ftrun_tensor* slice,
                                     ftrun_work** work) noexcept {
    return count(ctx, FTRUN_COLLECTIVE_REDUCE_SCATTER, group, data, 1, slice, work);
  }
  static ftrun_status all_gather(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* slice, ftrun_tensor* data,
                                 ftrun_work** work) noexcept {
    return count(ctx, FTRUN_COLLECTIVE_ALL_GATHER, group, data, 1, slice, work);
  }
  static ftrun_status broadcast(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* data, int32_t,
                                ftrun_work** work) noexcept {
    return count(ctx, FTRUN_COLLECTIVE_BROADCAST, group, data, 1, nullptr, work);
  }
  static ftrun_status all_to_all(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* in, ftrun_tensor* out,
                                 ftrun_work** work) noexcept {
    return count(ctx, FTRUN_COLLECTIVE_ALL_TO_ALL, group, in, 1, out, work);
  }
  static ftrun_status send_or_receive(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* data, int32_t,
                                      ftrun_work** work) noexcept {
    return count(ctx, FTRUN_COLLECTIVE_SEND_RECV, group, data, 1, nullptr, work);
  }
  static ftrun_status wait(ftrun_context*, ftrun_work* work) noexcept {
    const std::unique_ptr<Work> done(reinterpret_cast<Work*>(work));
    for (ftrun_tensor* tensor : done->tensors) CountedTensor::release(tensor);
    return FTRUN_OK;
  }
  static ftrun_status barrier(ftrun_context*, ftrun_group*) noexcept { return FTRUN_OK; }
  static ftrun_status sum_host(ftrun_context*, ftrun_group*, double*, int32_t) noexcept { return FTRUN_OK; }
  static ftrun_collectives_api collective_calls() noexcept {
    return {{sizeof(ftrun_collectives_api), FTRUN_COLLECTIVES_API_TAG},
            make_group,
            all_reduce,
            reduce_scatter,
            all_gather,
            broadcast,
            all_to_all,
            send_or_receive,
            send_or_receive,
            wait,
            barrier,
            sum_host};
  }

  const ftrun_host* real_;
  int32_t world_;
  uint64_t optimizer_bytes_;
  ftrun_host table_;
  ftrun_tensor_api tensor_;
  ftrun_shard_api shard_;
  ftrun_collectives_api collectives_;
  HeldBytes device_;
  HeldBytes host_;
  MovedElements moved_;
  std::vector<std::unique_ptr<int32_t>> groups_;
};

}  // namespace v1
}  // namespace ftrun::sdk
