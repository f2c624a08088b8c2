// Accounting, queueing and failures of one rank's collectives.
#include "core/collectives/communicator_state.h"

#include <algorithm>

#include "core/parallel/thread_pool.h"

namespace ftrun {
namespace {

std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

}  // namespace

std::unique_ptr<CommunicatorGroup> make_group(std::span<const int32_t> ranks, int32_t rank, int32_t world) {
  auto group = std::make_unique<CommunicatorGroup>();
  group->ranks.assign(ranks.begin(), ranks.end());
  const auto found = std::find(ranks.begin(), ranks.end(), rank);
  group->index = static_cast<int32_t>(found - ranks.begin());
  const bool ascends = std::is_sorted(ranks.begin(), ranks.end(), std::less_equal<>());
  if (ranks.empty() || !ascends || ranks.front() < 0 || ranks.back() >= world || found == ranks.end()) {
    throw invalid_argument(
        "a group of the ranks [{}]: expected ascending ranks of a world of {} with rank {} among them",
        fmt::join(ranks, ", "), world, rank);
  }
  return group;
}

Communicator::State::State(std::unique_ptr<Transport> opened, const CommunicatorArguments& given)
    : transport(std::move(opened)), arguments(given) {
  if (transport != nullptr) {
    rank = transport->rank();
    world = transport->world();
  }
  board = arguments.board != nullptr ? arguments.board : std::make_shared<OperationBoard>(world);
  if (board->world() != world) throw internal_error("a board of {} ranks for a world of {}", board->world(), world);
  std::vector<int32_t> all(static_cast<size_t>(world));
  for (int32_t i = 0; i < world; ++i) all[static_cast<size_t>(i)] = i;
  groups.push_back(make_group(all, rank, world));
  board->enter(rank);
  if (transport == nullptr || arguments.device == nullptr) return;
  device_lane = std::make_unique<DeviceLane>(*arguments.device);
  host_lane = device_lane.get();
  device_sum = std::make_unique<RankSum>(*device_lane, world, arguments.piece_bytes);
  host_sum = device_sum.get();
  if (arguments.host_device != nullptr && arguments.host_device != arguments.device) {
    own_host_lane = std::make_unique<DeviceLane>(*arguments.host_device);
    host_lane = own_host_lane.get();
    own_host_sum = std::make_unique<RankSum>(*own_host_lane, world, arguments.piece_bytes);
    host_sum = own_host_sum.get();
  }
  mover = std::make_unique<ByteMover>(*transport, *host_lane, arguments.piece_bytes);
}

Communicator::State::~State() {
  // Collectives that nobody waited for have peers that may never come.
  if (transport != nullptr && !queue.is_idle()) {
    transport->abort(board->place(rank) + ": ended while its collectives were under way");
  }
  while (!unfinished.empty()) {
    const std::shared_ptr<CollectiveJob> job = unfinished.back();
    queue.wait(*job);
    finish(job);
  }
  board->leave(rank);
}

DeviceLane& Communicator::State::lane_of(const char* name, const Tensor& tensor) {
  if (device_lane != nullptr && &tensor.device() == &device_lane->device()) return *device_lane;
  if (host_lane != nullptr && &tensor.device() == &host_lane->device()) return *host_lane;
  throw invalid_argument("{}: {} is on device '{}', which is not of this communicator", name, tensor.text(),
                         tensor.device().name());
}

Place Communicator::State::place_of(const char* name, const Tensor& tensor, uint64_t leg_bytes) {
  DeviceLane& lane = lane_of(name, tensor);
  if (!mover->has_room(lane, leg_bytes)) {
    wait_for_queued();
    mover->reserve(leg_bytes);
  }
  return {&lane, static_cast<std::byte*>(tensor.address())};
}

SumCall Communicator::State::sum_on(const DeviceLane& lane, ftrun_dtype dtype, uint64_t part_bytes) {
  RankSum& sum = &lane == host_lane ? *host_sum : *device_sum;
  if (!sum.has_room(part_bytes)) {
    wait_for_queued();
    sum.reserve(part_bytes);
  }
  return {sum, sum.find_op(dtype), dtype};
}

void Communicator::State::wait_for_queued() {
  for (const auto& job : unfinished) queue.wait(*job);
}

std::string Communicator::State::describe(const Request& request) const {
  std::string text = fmt::format("{} of {} {}{}", request.name, grouped(request.elements),
                                 dtype_name(request.tensors.front().dtype()), request.peer);
  if (request.group != groups.front().get()) {
    text += fmt::format(" among ranks {}", fmt::join(request.group->ranks, ", "));
  }
  return text;
}

bool Communicator::State::begin(const Request& request) {
  if (SkipParallelWork::active()) return false;
  CollectiveTraffic& counted = traffic[static_cast<size_t>(request.kind)];
  ++counted.calls;
  counted.elements += request.elements;
  counted.sent_bytes += static_cast<uint64_t>(request.sent_elements) * dtype_bytes(request.tensors.front().dtype());
  return true;
}

std::shared_ptr<CollectiveJob> Communicator::State::submit(ExecutionContext& ctx, const Request& request,
                                                           CollectiveStart start,
                                                           std::function<void(const CollectiveCall&)> move) {
  auto job = std::make_shared<CollectiveJob>();
  job->description = describe(request);
  job->kind = request.kind;
  job->group = request.group;
  job->element_bytes = dtype_bytes(request.tensors.front().dtype());
  job->bytes = static_cast<uint64_t>(request.elements) * job->element_bytes;
  job->tensors = request.tensors;
  job->ready = DeviceEvent(device_lane->device());
  job->ready.record(ctx.stream_of(device_lane->device()));
  if (own_host_lane != nullptr) {
    job->host_ready = DeviceEvent(host_lane->device());
    job->host_ready.record(ctx.stream_of(host_lane->device()));
  }
  job->finished = DeviceEvent(device_lane->device());
  job->body = [this, job = job.get(), move = std::move(move)] { run(*job, [&] { move_on_lanes(*job, move); }); };
  unfinished.push_back(job);
  queue.submit(job, start == CollectiveStart::kSoon);
  return job;
}

void Communicator::State::move_on_lanes(const CollectiveJob& job,
                                        const std::function<void(const CollectiveCall&)>& move) {
  Device& device = device_lane->device();
  job.ready.make_wait(device_lane->timeline());
  if (!device.shapes_only()) {
    job.ready.make_wait(device_lane->staging());
    device_lane->synchronize();
    if (own_host_lane != nullptr) {
      job.host_ready.make_wait(own_host_lane->staging());
      own_host_lane->synchronize();
    }
    move({*mover, *job.group, job.element_bytes});
    device_lane->synchronize();
    if (own_host_lane != nullptr) own_host_lane->synchronize();
  }
  const std::vector<int32_t>& ranks = job.group->ranks;
  device.check(device.table().collective_cost(device.instance(), device_lane->timeline(), job.kind, job.bytes,
                                              ranks.data(), static_cast<int32_t>(ranks.size())),
               "collective_cost");
  job.finished.record(device_lane->timeline());
}

void Communicator::State::run(CollectiveJob& job, const std::function<void()>& body) noexcept {
  try {
    // Peers no longer agree with this rank on what comes next.
    if (first_failure) return repeat_failure(job);
    board->set_operation(rank, job.description);
    body();
    board->set_operation(rank, {});
  } catch (const Error& error) {
    fail(job, error.code(), error.what());
  } catch (const std::exception& error) {
    fail(job, FTRUN_INTERNAL, error.what());
  }
}

// What failed stays on the board: peers whose time is up a moment later report it.
void Communicator::State::fail(CollectiveJob& job, ftrun_status status, std::string_view detail) {
  job.status = status;
  job.message = fmt::format("{}: {}: {}{}", board->place(rank), job.description,
                            status == FTRUN_ABORTED ? "aborted: " : "", detail);
  if (status == FTRUN_DEADLINE_EXCEEDED) {
    job.message += " (collective_timeout_s)";
    if (board->is_complete()) job.message += ". What each rank does: " + board->report();
  }
  first_failure.emplace(status, status == FTRUN_ABORTED ? std::string(detail) : job.message);
  if (status != FTRUN_ABORTED && transport != nullptr) transport->abort(job.message);
}

void Communicator::State::repeat_failure(CollectiveJob& job) {
  job.status = first_failure->code();
  job.message = first_failure->what();
  if (job.status == FTRUN_ABORTED) {
    job.message = fmt::format("{}: {}: aborted: {}", board->place(rank), job.description, job.message);
  }
}

void Communicator::State::run_now(std::string description, const std::function<void()>& body) {
  auto job = std::make_shared<CollectiveJob>();
  job->description = std::move(description);
  job->body = [this, job = job.get(), &body] { run(*job, body); };
  queue.submit(job, false);
  queue.wait(*job);
  if (job->status != FTRUN_OK) throw Error(job->status, job->message);
}

void Communicator::State::finish(const std::shared_ptr<CollectiveJob>& job) noexcept {
  job->tensors.clear();
  job->ready = DeviceEvent();
  job->host_ready = DeviceEvent();
  job->finished = DeviceEvent();
  std::erase(unfinished, job);
}

}  // namespace ftrun
