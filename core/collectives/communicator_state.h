// What a Communicator holds, for the files that implement it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/collectives/communicator.h"
#include "core/collectives/job_queue.h"
#include "core/collectives/tensor_collectives.h"

namespace ftrun {

/// A queued collective: the queue's part, how it ended, and what it keeps alive.
struct CollectiveJob : QueuedJob {
  std::string description;  ///< "all_gather of 1,048,576 bf16"
  ftrun_collective_kind kind = FTRUN_COLLECTIVE_BARRIER;
  const CommunicatorGroup* group = nullptr;
  uint64_t element_bytes = 1;
  uint64_t bytes = 0;              ///< of the whole buffer
  ftrun_status status = FTRUN_OK;  ///< with `message`, written before done
  std::string message;
  // Made and dropped on the rank thread:
  std::vector<Tensor> tensors;
  DeviceEvent ready;       ///< the rank's stream has reached the call
  DeviceEvent host_ready;  ///< likewise on the host device, where that is another one
  DeviceEvent finished;
};

/// Throws INVALID_ARGUMENT unless the ranks ascend inside the world and `rank` is one of them.
std::unique_ptr<CommunicatorGroup> make_group(std::span<const int32_t> ranks, int32_t rank, int32_t world);

struct Communicator::State {
  /// What a tensor collective is, before it is queued.
  struct Request {
    ftrun_collective_kind kind = FTRUN_COLLECTIVE_ALL_REDUCE;
    const char* name = "";
    CommunicatorGroup* group = nullptr;
    int64_t elements = 0;         ///< of the whole buffer
    int64_t sent_elements = 0;    ///< by this rank
    std::string peer;             ///< " to rank 2"
    std::vector<Tensor> tensors;  ///< the first one's dtype is the collective's
  };

  State(std::unique_ptr<Transport> opened, const CommunicatorArguments& given);
  ~State();

  DeviceLane& lane_of(const char* name, const Tensor& tensor);
  /// Where the tensor is, with staging for legs of `leg_bytes` made ready.
  Place place_of(const char* name, const Tensor& tensor, uint64_t leg_bytes);
  /// Sums of parts of `part_bytes` on the lane's device, made ready.
  SumCall sum_on(const DeviceLane& lane, ftrun_dtype dtype, uint64_t part_bytes);
  /// Waits until nothing runs, so that memory may be replaced.
  void wait_for_queued();
  std::string describe(const Request& request) const;
  /// Counts the traffic and says whether bytes have to move.
  bool begin(const Request& request);
  /// Queues `move` between the events that order it with the rank's stream.
  std::shared_ptr<CollectiveJob> submit(ExecutionContext& ctx, const Request& request, CollectiveStart start,
                                        std::function<void(const CollectiveCall&)> move);
  /// Runs `body` in the queue's order and waits; throws what it failed with.
  void run_now(std::string description, const std::function<void()>& body);
  /// Drops what a done job holds.
  void finish(const std::shared_ptr<CollectiveJob>& job) noexcept;

  void run(CollectiveJob& job, const std::function<void()>& body) noexcept;
  void fail(CollectiveJob& job, ftrun_status status, std::string_view detail);
  void repeat_failure(CollectiveJob& job);
  void move_on_lanes(const CollectiveJob& job, const std::function<void(const CollectiveCall&)>& move);

  std::unique_ptr<Transport> transport;  ///< NULL: a world of one
  CommunicatorArguments arguments;
  int32_t rank = 0;
  int32_t world = 1;
  std::shared_ptr<OperationBoard> board;
  std::vector<std::unique_ptr<CommunicatorGroup>> groups;  ///< the first is the world
  std::unique_ptr<DeviceLane> device_lane;
  std::unique_ptr<DeviceLane> own_host_lane;  ///< NULL when the device is the host device
  DeviceLane* host_lane = nullptr;
  std::unique_ptr<ByteMover> mover;
  std::unique_ptr<RankSum> device_sum;
  std::unique_ptr<RankSum> own_host_sum;
  RankSum* host_sum = nullptr;
  std::array<CollectiveTraffic, 8> traffic = {};
  std::vector<std::shared_ptr<CollectiveJob>> unfinished;  ///< not waited for yet
  std::optional<Error> first_failure;                      ///< written and read by jobs only
  JobQueue queue;
};

}  // namespace ftrun
