// ftrun_collectives_api: a strategy's collectives on its rank's Communicator.
#include "core/model/api_tables.h"
#include "core/model/thunk.h"

namespace ftrun {
namespace {

CommunicatorGroup& group_of(Communicator& communicator, ftrun_group* group) {
  return group == nullptr ? communicator.world_group() : *reinterpret_cast<CommunicatorGroup*>(group);
}

/// Begins a collective and, unless the caller takes the work, waits for it.
template <typename Begin>
ftrun_status collective(ftrun_context* ctx, ftrun_group* group, ftrun_work** work, Begin&& begin) noexcept {
  if (work != nullptr) *work = nullptr;
  return guard_abi([&] {
    Communicator& communicator = rank_of(ctx).communicator();
    const auto start = work == nullptr ? CollectiveStart::kAtWait : CollectiveStart::kSoon;
    std::unique_ptr<CollectiveWork> begun = begin(communicator, group_of(communicator, group), start);
    if (work == nullptr) return communicator.wait(*ctx, std::move(begun));
    *work = reinterpret_cast<ftrun_work*>(begun.release());
  });
}

ftrun_status make_group(ftrun_context* ctx, const int32_t* ranks, int32_t n_ranks, ftrun_group** out) noexcept {
  *out = nullptr;
  return guard_abi([&] {
    if (ranks == nullptr || n_ranks < 1) throw invalid_argument("group: no ranks");
    CommunicatorGroup& group = rank_of(ctx).communicator().group({ranks, static_cast<size_t>(n_ranks)});
    *out = reinterpret_cast<ftrun_group*>(&group);
  });
}

ftrun_status all_reduce(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* data, ftrun_work** work) noexcept {
  return collective(ctx, group, work, [&](Communicator& communicator, CommunicatorGroup& members, auto start) {
    return communicator.all_reduce(*ctx, members, borrowed(data, "all_reduce"), start);
  });
}

ftrun_status reduce_scatter(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* data, ftrun_tensor* slice,
                            ftrun_work** work) noexcept {
  return collective(ctx, group, work, [&](Communicator& communicator, CommunicatorGroup& members, auto start) {
    return communicator.reduce_scatter(*ctx, members, borrowed(data, "reduce_scatter"),
                                       borrowed(slice, "reduce_scatter"), start);
  });
}

ftrun_status all_gather(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* slice, ftrun_tensor* data,
                        ftrun_work** work) noexcept {
  return collective(ctx, group, work, [&](Communicator& communicator, CommunicatorGroup& members, auto start) {
    return communicator.all_gather(*ctx, members, borrowed(slice, "all_gather"), borrowed(data, "all_gather"), start);
  });
}

ftrun_status broadcast(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* data, int32_t root,
                       ftrun_work** work) noexcept {
  return collective(ctx, group, work, [&](Communicator& communicator, CommunicatorGroup& members, auto start) {
    return communicator.broadcast(*ctx, members, borrowed(data, "broadcast"), root, start);
  });
}

ftrun_status all_to_all(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* in, ftrun_tensor* out,
                        ftrun_work** work) noexcept {
  return collective(ctx, group, work, [&](Communicator& communicator, CommunicatorGroup& members, auto start) {
    return communicator.all_to_all(*ctx, members, borrowed(in, "all_to_all"), borrowed(out, "all_to_all"), start);
  });
}

ftrun_status send(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* data, int32_t destination,
                  ftrun_work** work) noexcept {
  return collective(ctx, group, work, [&](Communicator& communicator, CommunicatorGroup& members, auto start) {
    return communicator.send(*ctx, members, borrowed(data, "send"), destination, start);
  });
}

ftrun_status receive(ftrun_context* ctx, ftrun_group* group, ftrun_tensor* data, int32_t source,
                     ftrun_work** work) noexcept {
  return collective(ctx, group, work, [&](Communicator& communicator, CommunicatorGroup& members, auto start) {
    return communicator.receive(*ctx, members, borrowed(data, "receive"), source, start);
  });
}

ftrun_status wait(ftrun_context* ctx, ftrun_work* work) noexcept {
  return guard_abi([&] {
    rank_of(ctx).communicator().wait(*ctx, std::unique_ptr<CollectiveWork>(reinterpret_cast<CollectiveWork*>(work)));
  });
}

ftrun_status barrier(ftrun_context* ctx, ftrun_group* group) noexcept {
  return guard_abi([&] {
    Communicator& communicator = rank_of(ctx).communicator();
    communicator.barrier(group_of(communicator, group), "strategy");
  });
}

ftrun_status sum_host(ftrun_context* ctx, ftrun_group* group, double* values, int32_t n) noexcept {
  return guard_abi([&] {
    if (n < 0 || (n > 0 && values == nullptr)) throw invalid_argument("sum_host: {} values", n);
    Communicator& communicator = rank_of(ctx).communicator();
    communicator.sum_host(group_of(communicator, group), {values, static_cast<size_t>(n)});
  });
}

constexpr ftrun_collectives_api kTable = {{sizeof(ftrun_collectives_api), FTRUN_COLLECTIVES_API_TAG},
                                          make_group,
                                          all_reduce,
                                          reduce_scatter,
                                          all_gather,
                                          broadcast,
                                          all_to_all,
                                          send,
                                          receive,
                                          wait,
                                          barrier,
                                          sum_host};

}  // namespace

const ftrun_collectives_api* collectives_api_table() noexcept { return &kTable; }

}  // namespace ftrun
