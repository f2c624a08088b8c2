// What one rank may call: checks of arguments, and which rounds a collective takes.
// Leaves out: queueing and failures (communicator_state.cpp), the rounds (tensor_collectives.cpp), host values.
#include "core/collectives/communicator.h"

#include <algorithm>

#include "core/collectives/communicator_state.h"

namespace ftrun {
namespace {

void require_flat(const char* name, const char* what, const Tensor& tensor) {
  if (tensor && tensor.ndim() == 1 && tensor.is_contiguous()) return;
  throw invalid_argument("{}: {} is {}: expected a flat contiguous tensor", name, what, tensor.text());
}

void require_same_dtype(const char* name, const Tensor& a, const Tensor& b) {
  if (a.dtype() == b.dtype()) return;
  throw invalid_argument("{}: {} and {} differ in dtype", name, a.text(), b.text());
}

void require_summable(const char* name, const Tensor& data) {
  if (is_compute_float(data.dtype())) return;
  throw invalid_argument("{}: data is {}: f32 and bf16 are summed", name, data.text());
}

bool overlap(const Tensor& a, const Tensor& b) {
  const std::less<const void*> before;
  const auto* begin_a = static_cast<const std::byte*>(a.address());
  const auto* begin_b = static_cast<const std::byte*>(b.address());
  return &a.device() == &b.device() && before(begin_a, begin_b + b.bytes()) && before(begin_b, begin_a + a.bytes());
}

/// A slice inside data must be where this rank's part is, or it changes while peers read it.
void require_own_part(const char* name, const CommunicatorGroup& group, const Tensor& slice, const Tensor& data) {
  const auto* own = static_cast<const std::byte*>(data.address()) + static_cast<uint64_t>(group.index) * slice.bytes();
  if (!overlap(slice, data) || slice.address() == own) return;
  throw invalid_argument("{}: slice {} overlaps data {} elsewhere than at this rank's part", name, slice.text(),
                         data.text());
}

void require_slice(const char* name, const CommunicatorGroup& group, const Tensor& slice, const Tensor& data) {
  require_flat(name, "data", data);
  require_flat(name, "slice", slice);
  require_same_dtype(name, slice, data);
  if (slice.element_count() * group.size() != data.element_count()) {
    throw invalid_argument("{}: slice {} times {} ranks is not data {}", name, slice.text(), group.size(), data.text());
  }
  require_own_part(name, group, slice, data);
}

void require_member(const char* name, const CommunicatorGroup& group, int32_t index, bool is_peer) {
  if (index >= 0 && index < group.size() && !(is_peer && index == group.index)) return;
  throw invalid_argument("{}: {} is not the position of {} in a group of {}", name, index,
                         is_peer ? "another rank" : "a rank", group.size());
}

/// to = from, same dtype and length, on the rank's own streams.
void copy_flat(ExecutionContext& ctx, const Tensor& from, const Tensor& to) {
  if (from.address() == to.address() || from.element_count() == 0) return;
  Device& source = from.device();
  Device& target = to.device();
  if (&source == &target) {
    source.copy(ctx.stream_of(source), to.address(), from.address(), from.bytes(), FTRUN_COPY_DEVICE_TO_DEVICE);
  } else if (target.host_accessible()) {
    source.copy(ctx.stream_of(source), to.address(), from.address(), from.bytes(), FTRUN_COPY_DEVICE_TO_HOST);
    source.synchronize(ctx.stream_of(source));
  } else {
    source.synchronize(ctx.stream_of(source));
    target.copy(ctx.stream_of(target), to.address(), from.address(), from.bytes(), FTRUN_COPY_HOST_TO_DEVICE);
  }
}

}  // namespace

// ---- life ----------------------------------------------------------------------------------------------------------

CollectiveWork::~CollectiveWork() {
  if (job_ == nullptr) return;
  owner_->state_->queue.wait(*job_);
  owner_->state_->finish(job_);
}

Communicator::Communicator() : state_(std::make_unique<State>(nullptr, CommunicatorArguments())) {}

Communicator::Communicator(std::unique_ptr<Transport> transport, const CommunicatorArguments& arguments)
    : state_(std::make_unique<State>(std::move(transport), arguments)) {}

Communicator::~Communicator() = default;

int32_t Communicator::rank() const noexcept { return state_->rank; }
int32_t Communicator::world() const noexcept { return state_->world; }
CommunicatorGroup& Communicator::world_group() noexcept { return *state_->groups.front(); }

CommunicatorGroup& Communicator::group(std::span<const int32_t> ranks) {
  for (const auto& group : state_->groups) {
    if (std::ranges::equal(group->ranks, ranks)) return *group;
  }
  state_->groups.push_back(make_group(ranks, state_->rank, state_->world));
  return *state_->groups.back();
}

void Communicator::abort(std::string_view message) noexcept {
  if (state_->transport == nullptr) return;
  try {
    const bool names_rank = message.starts_with("rank ");
    state_->transport->abort(names_rank ? std::string(message)
                                        : fmt::format("{}: {}", state_->board->place(state_->rank), message));
  } catch (...) {
    state_->transport->abort("a rank failed, and memory was too short to say more");
  }
}

void Communicator::set_step(int64_t step) noexcept { state_->board->set_step(state_->rank, step); }
std::string Communicator::current_operation() const { return state_->board->line(state_->rank); }
const std::array<CollectiveTraffic, 8>& Communicator::traffic() const noexcept { return state_->traffic; }
void Communicator::reset_traffic() noexcept { state_->traffic = {}; }

std::unique_ptr<CollectiveWork> Communicator::work_of(std::shared_ptr<CollectiveJob> job) {
  std::unique_ptr<CollectiveWork> work(new CollectiveWork);
  work->owner_ = this;
  work->job_ = std::move(job);
  return work;
}

void Communicator::wait(ExecutionContext& ctx, std::unique_ptr<CollectiveWork> work) {
  if (work == nullptr || work->job_ == nullptr) return;
  const CollectiveJob& job = *work->job_;
  state_->queue.wait(job);
  if (job.status != FTRUN_OK) throw Error(job.status, job.message);
  job.finished.make_wait(ctx.stream_of(state_->device_lane->device()));
}

// ---- tensor collectives --------------------------------------------------------------------------------------------

std::unique_ptr<CollectiveWork> Communicator::all_reduce(ExecutionContext& ctx, CommunicatorGroup& group,
                                                         const Tensor& data, CollectiveStart start) {
  constexpr const char* kName = "all_reduce";
  require_flat(kName, "data", data);
  require_summable(kName, data);
  const int64_t n = data.element_count();
  const RankParts parts(n, group.size());
  const int64_t own = parts.size(group.index);
  const int64_t sent = n - own + own * (group.size() - 1);
  const State::Request request = {FTRUN_COLLECTIVE_ALL_REDUCE, kName, &group, n, sent, {}, {data}};
  if (!state_->begin(request) || world() == 1) return work_of(nullptr);
  const uint64_t part_bytes = static_cast<uint64_t>(parts.part) * dtype_bytes(data.dtype());
  const Place place = state_->place_of(kName, data, part_bytes);
  const SumCall adding = state_->sum_on(*place.lane, data.dtype(), part_bytes);
  return work_of(state_->submit(ctx, request, start, [=](const CollectiveCall& call) {
    const Place part = place + static_cast<uint64_t>(parts.begin(call.group.index)) * call.element_bytes;
    reduce_parts(call, adding, parts, place, part);
    gather_parts(call, parts, part, place);
  }));
}

std::unique_ptr<CollectiveWork> Communicator::reduce_scatter(ExecutionContext& ctx, CommunicatorGroup& group,
                                                             const Tensor& data, const Tensor& slice,
                                                             CollectiveStart start) {
  constexpr const char* kName = "reduce_scatter";
  require_slice(kName, group, slice, data);
  require_summable(kName, data);
  const int64_t n = data.element_count();
  const State::Request request = {FTRUN_COLLECTIVE_REDUCE_SCATTER, kName, &group,       n,
                                  n - slice.element_count(),       {},    {data, slice}};
  if (!state_->begin(request)) return work_of(nullptr);
  if (world() == 1) {
    copy_flat(ctx, data, slice);
    return work_of(nullptr);
  }
  const Place from = state_->place_of(kName, data, slice.bytes());
  const Place to = state_->place_of(kName, slice, slice.bytes());
  const SumCall adding = state_->sum_on(*to.lane, data.dtype(), slice.bytes());
  const RankParts parts(n, group.size());
  return work_of(state_->submit(ctx, request, start,
                                [=](const CollectiveCall& call) { reduce_parts(call, adding, parts, from, to); }));
}

std::unique_ptr<CollectiveWork> Communicator::all_gather(ExecutionContext& ctx, CommunicatorGroup& group,
                                                         const Tensor& slice, const Tensor& data,
                                                         CollectiveStart start) {
  constexpr const char* kName = "all_gather";
  require_slice(kName, group, slice, data);
  const int64_t n = data.element_count();
  const State::Request request = {
      FTRUN_COLLECTIVE_ALL_GATHER, kName, &group, n, slice.element_count() * (group.size() - 1), {}, {data, slice}};
  if (!state_->begin(request)) return work_of(nullptr);
  if (world() == 1) {
    copy_flat(ctx, slice, data);
    return work_of(nullptr);
  }
  const Place from = state_->place_of(kName, slice, slice.bytes());
  const Place to = state_->place_of(kName, data, slice.bytes());
  const RankParts parts(n, group.size());
  return work_of(
      state_->submit(ctx, request, start, [=](const CollectiveCall& call) { gather_parts(call, parts, from, to); }));
}

std::unique_ptr<CollectiveWork> Communicator::broadcast(ExecutionContext& ctx, CommunicatorGroup& group,
                                                        const Tensor& data, int32_t root, CollectiveStart start) {
  constexpr const char* kName = "broadcast";
  require_flat(kName, "data", data);
  require_member(kName, group, root, false);
  const int64_t n = data.element_count();
  const State::Request request = {FTRUN_COLLECTIVE_BROADCAST,
                                  kName,
                                  &group,
                                  n,
                                  root == group.index ? n * (group.size() - 1) : 0,
                                  fmt::format(" from rank {}", group.ranks[static_cast<size_t>(root)]),
                                  {data}};
  if (!state_->begin(request) || world() == 1) return work_of(nullptr);
  const Place place = state_->place_of(kName, data, data.bytes());
  return work_of(state_->submit(ctx, request, start, [place, root, bytes = data.bytes()](const CollectiveCall& call) {
    broadcast_bytes(call, place, bytes, root);
  }));
}

std::unique_ptr<CollectiveWork> Communicator::all_to_all(ExecutionContext& ctx, CommunicatorGroup& group,
                                                         const Tensor& in, const Tensor& out, CollectiveStart start) {
  constexpr const char* kName = "all_to_all";
  require_flat(kName, "in", in);
  require_flat(kName, "out", out);
  require_same_dtype(kName, in, out);
  const int64_t n = in.element_count();
  if (out.element_count() != n || n % group.size() != 0) {
    throw invalid_argument("{}: in {} and out {} among {} ranks: expected equal lengths that divide by the ranks",
                           kName, in.text(), out.text(), group.size());
  }
  if (n > 0 && overlap(in, out)) throw invalid_argument("{}: in {} and out overlap", kName, in.text());
  const State::Request request = {FTRUN_COLLECTIVE_ALL_TO_ALL, kName, &group, n, n - n / group.size(), {}, {in, out}};
  if (!state_->begin(request)) return work_of(nullptr);
  if (world() == 1) {
    copy_flat(ctx, in, out);
    return work_of(nullptr);
  }
  const uint64_t part_bytes = in.bytes() / static_cast<uint64_t>(group.size());
  const Place from = state_->place_of(kName, in, part_bytes);
  const Place to = state_->place_of(kName, out, part_bytes);
  return work_of(state_->submit(ctx, request, start,
                                [=](const CollectiveCall& call) { exchange_parts(call, from, to, part_bytes); }));
}

std::unique_ptr<CollectiveWork> Communicator::send(ExecutionContext& ctx, CommunicatorGroup& group, const Tensor& data,
                                                   int32_t destination, CollectiveStart start) {
  constexpr const char* kName = "send";
  require_flat(kName, "data", data);
  require_member(kName, group, destination, true);
  const State::Request request = {FTRUN_COLLECTIVE_SEND_RECV,
                                  kName,
                                  &group,
                                  data.element_count(),
                                  data.element_count(),
                                  fmt::format(" to rank {}", group.ranks[static_cast<size_t>(destination)]),
                                  {data}};
  if (!state_->begin(request)) return work_of(nullptr);
  const Place place = state_->place_of(kName, data, data.bytes());
  return work_of(state_->submit(ctx, request, start, [=, bytes = data.bytes()](const CollectiveCall& call) {
    send_bytes(call, place, bytes, destination);
  }));
}

std::unique_ptr<CollectiveWork> Communicator::receive(ExecutionContext& ctx, CommunicatorGroup& group,
                                                      const Tensor& data, int32_t source, CollectiveStart start) {
  constexpr const char* kName = "receive";
  require_flat(kName, "data", data);
  require_member(kName, group, source, true);
  const State::Request request = {FTRUN_COLLECTIVE_SEND_RECV,
                                  kName,
                                  &group,
                                  data.element_count(),
                                  0,
                                  fmt::format(" from rank {}", group.ranks[static_cast<size_t>(source)]),
                                  {data}};
  if (!state_->begin(request)) return work_of(nullptr);
  const Place place = state_->place_of(kName, data, data.bytes());
  return work_of(state_->submit(ctx, request, start, [=, bytes = data.bytes()](const CollectiveCall& call) {
    receive_bytes(call, place, bytes, source);
  }));
}

}  // namespace ftrun
