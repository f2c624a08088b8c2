// ftrun_collectives_api for a world of one rank: every collective is the identity.
// Leaves out: transports and several ranks, which are refused.
#include "core/model/api_tables.h"
#include "core/model/thunk.h"

namespace ftrun {
namespace {

// Handles that are never dereferenced: there is one group, and work is always complete.
char group_of_one;
char finished_work;

void require_single(ftrun_context* ctx, std::string_view call) {
  const int32_t world = rank_of(ctx).arguments().world;
  if (world != 1) throw unimplemented("{} over {} ranks: only world 1 is supported", call, world);
}

/// Runs `body` as a complete piece of work.
template <typename Body>
ftrun_status collective(ftrun_context* ctx, std::string_view call, ftrun_work** work, Body&& body) noexcept {
  return guard_abi([&] {
    require_single(ctx, call);
    body();
    if (work != nullptr) *work = reinterpret_cast<ftrun_work*>(&finished_work);
  });
}

ftrun_status make_group(ftrun_context* ctx, const int32_t* ranks, int32_t n_ranks, ftrun_group** out) noexcept {
  *out = nullptr;
  return guard_abi([&] {
    require_single(ctx, "group");
    if (n_ranks != 1 || ranks == nullptr || ranks[0] != 0) throw invalid_argument("group: the world has rank 0 only");
    *out = reinterpret_cast<ftrun_group*>(&group_of_one);
  });
}

ftrun_status keep(ftrun_context* ctx, ftrun_group*, ftrun_tensor* data, ftrun_work** work) noexcept {
  return collective(ctx, "all_reduce", work, [&] { borrowed(data, "all_reduce"); });
}

ftrun_status copy_first_to_second(ftrun_context* ctx, ftrun_group*, ftrun_tensor* from, ftrun_tensor* to,
                                  ftrun_work** work) noexcept {
  return collective(ctx, "reduce_scatter, all_gather or all_to_all", work, [&] {
    const Tensor source = borrowed(from, "collective");
    const Tensor target = borrowed(to, "collective");
    if (source.address() != target.address()) copy_between(*ctx, source, target);
  });
}

ftrun_status broadcast(ftrun_context* ctx, ftrun_group*, ftrun_tensor* data, int32_t root, ftrun_work** work) noexcept {
  return collective(ctx, "broadcast", work, [&] {
    borrowed(data, "broadcast");
    if (root != 0) throw invalid_argument("broadcast: root {} of a world of 1", root);
  });
}

ftrun_status to_peer(ftrun_context* ctx, ftrun_group*, ftrun_tensor*, int32_t peer, ftrun_work** work) noexcept {
  return collective(ctx, "send or receive", work,
                    [&] { throw invalid_argument("send or receive: rank {} of a world of 1 is no peer", peer); });
}

ftrun_status wait(ftrun_context* ctx, ftrun_work*) noexcept {
  return guard_abi([&] { require_single(ctx, "wait"); });
}

ftrun_status barrier(ftrun_context* ctx, ftrun_group*) noexcept {
  return guard_abi([&] { require_single(ctx, "barrier"); });
}

ftrun_status sum_host(ftrun_context* ctx, ftrun_group*, double*, int32_t) noexcept {
  return guard_abi([&] { require_single(ctx, "sum_host"); });
}

constexpr ftrun_collectives_api kTable = {{sizeof(ftrun_collectives_api), FTRUN_COLLECTIVES_API_TAG},
                                          make_group,
                                          keep,
                                          copy_first_to_second,
                                          copy_first_to_second,
                                          broadcast,
                                          copy_first_to_second,
                                          to_peer,
                                          to_peer,
                                          wait,
                                          barrier,
                                          sum_host};

}  // namespace

const ftrun_collectives_api* collectives_api_table() noexcept { return &kTable; }

}  // namespace ftrun
