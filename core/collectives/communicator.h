// Collectives of one rank over a byte transport: reductions in rank order, staging, the communication thread, traffic.
// Leaves out: the bytes' way from rank to rank (transport.h and the collectives plugins), the C ABI (core/model).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/collectives/operation_board.h"
#include "core/collectives/transport.h"
#include "core/tensor/execution_context.h"
#include "core/tensor/tensor.h"

namespace ftrun {

/// Ranks that communicate, ascending world ranks. Owned by the Communicator. Calls name a member by its position.
struct CommunicatorGroup {
  std::vector<int32_t> ranks;
  int32_t index = 0;  ///< this rank's position in `ranks`
  int32_t size() const noexcept { return static_cast<int32_t>(ranks.size()); }
};

/// What one kind of collective moved, on this rank since reset_traffic. `elements` is the n of each call summed (the
/// whole buffer's length, not a slice's); sent_bytes left this rank.
struct CollectiveTraffic {
  int64_t calls = 0;
  int64_t elements = 0;
  uint64_t sent_bytes = 0;
};

class Communicator;
struct CollectiveJob;

/// A queued collective. wait() exactly once on every path, also after errors; its destructor waits silently, before the
/// Communicator's.
class CollectiveWork {
 public:
  CollectiveWork(const CollectiveWork&) = delete;
  CollectiveWork& operator=(const CollectiveWork&) = delete;
  ~CollectiveWork();

 private:
  friend class Communicator;
  CollectiveWork() = default;  ///< finished from the start
  Communicator* owner_ = nullptr;
  std::shared_ptr<CollectiveJob> job_;
};

/// When a tensor collective begins.
enum class CollectiveStart {
  kSoon,    ///< on the communication thread, while the caller goes on
  kAtWait,  ///< the caller waits at once: no other thread is woken
};

struct CommunicatorArguments {
  Device* device = nullptr;        ///< where the rank's tensors live; not owned, outlives the communicator
  Device* host_device = nullptr;   ///< the `cpu` device; may equal device
  int64_t timeout_ms = 1'800'000;  ///< of one wait for peers; for messages, the transport keeps it
  /// The same one for all ranks of a process, so that a timeout tells what each of them does. NULL: one of its own.
  std::shared_ptr<OperationBoard> board;
  /// Moved per peer at a time; bounds staging memory at world x piece in each of up to three places. The same on all
  /// ranks.
  uint64_t piece_bytes = uint64_t{4} << 20;
};

/// One per rank. [rank-thread] but abort ([any-thread]). Every rank of a group makes the same calls in the same order;
/// tensors are flat, contiguous, on the rank's device or on the host device. A world of one needs no transport: every
/// collective is then the identity. Reductions SUM: the left fold over ranks 0..N-1 in f32, rounded once to the
/// tensor's dtype (DESIGN.md section 3). While SkipParallelWork is active tensor collectives check their arguments and
/// move nothing. Errors: ABORTED with the failing rank's message after a peer failed; DEADLINE_EXCEEDED naming the
/// collective, the step and what each rank waits for. Both name this rank.
class Communicator {
 public:
  /// A world of one.
  Communicator();
  Communicator(std::unique_ptr<Transport> transport, const CommunicatorArguments& arguments);
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  ~Communicator();

  int32_t rank() const noexcept;
  int32_t world() const noexcept;
  bool is_main() const noexcept { return rank() == 0; }
  CommunicatorGroup& world_group() noexcept;
  /// The group of these ascending world ranks, made at the first call; this rank is one of them.
  CommunicatorGroup& group(std::span<const int32_t> ranks);

  // Tensor collectives, queued behind what this rank has queued before; see ftrun/collectives.h for shapes. The
  // returned work holds the tensors alive.
  std::unique_ptr<CollectiveWork> all_reduce(ExecutionContext& ctx, CommunicatorGroup& group, const Tensor& data,
                                             CollectiveStart start = CollectiveStart::kSoon);
  std::unique_ptr<CollectiveWork> reduce_scatter(ExecutionContext& ctx, CommunicatorGroup& group, const Tensor& data,
                                                 const Tensor& slice, CollectiveStart start = CollectiveStart::kSoon);
  std::unique_ptr<CollectiveWork> all_gather(ExecutionContext& ctx, CommunicatorGroup& group, const Tensor& slice,
                                             const Tensor& data, CollectiveStart start = CollectiveStart::kSoon);
  /// root, destination, source: positions in the group. send and receive end together: two ranks that send to each
  /// other first wait forever, so they use all_to_all.
  std::unique_ptr<CollectiveWork> broadcast(ExecutionContext& ctx, CommunicatorGroup& group, const Tensor& data,
                                            int32_t root, CollectiveStart start = CollectiveStart::kSoon);
  /// `in` and `out` do not overlap.
  std::unique_ptr<CollectiveWork> all_to_all(ExecutionContext& ctx, CommunicatorGroup& group, const Tensor& in,
                                             const Tensor& out, CollectiveStart start = CollectiveStart::kSoon);
  std::unique_ptr<CollectiveWork> send(ExecutionContext& ctx, CommunicatorGroup& group, const Tensor& data,
                                       int32_t destination, CollectiveStart start = CollectiveStart::kSoon);
  std::unique_ptr<CollectiveWork> receive(ExecutionContext& ctx, CommunicatorGroup& group, const Tensor& data,
                                          int32_t source, CollectiveStart start = CollectiveStart::kSoon);
  /// Makes the rank's stream wait; throws what the collective failed with.
  void wait(ExecutionContext& ctx, std::unique_ptr<CollectiveWork> work);

  // Host values over the world, synchronous.

  /// values[i] = sum over ranks, folded in rank order.
  void sum_host(std::span<double> values);
  void sum_host(CommunicatorGroup& group, std::span<double> values);
  /// Every rank's bytes in rank order; lengths may differ.
  std::vector<std::vector<std::byte>> all_gather_host(std::span<const std::byte> bytes);
  /// Every rank's text in rank order.
  std::vector<std::string> all_gather_text(std::string_view text);
  /// `bytes` of `source` arrive in `bytes` of `destination` (same size on both); nothing happens on other ranks.
  void send_host(int32_t source, int32_t destination, std::span<std::byte> bytes);
  void barrier(std::string_view what);
  void barrier(CommunicatorGroup& group, std::string_view what);

  /// Ends everybody's pending and future calls with ABORTED and this message. [any-thread]
  void abort(std::string_view message) noexcept;

  /// Named in messages.
  void set_step(int64_t step) noexcept;
  /// What this rank is doing or waiting for now: "rank 1, step 12: all_gather of 1,048,576 bf16". [any-thread]
  std::string current_operation() const;

  /// By ftrun_collective_kind. Traffic of host values is not counted.
  const std::array<CollectiveTraffic, 8>& traffic() const noexcept;
  void reset_traffic() noexcept;

 private:
  friend class CollectiveWork;
  struct State;
  std::unique_ptr<CollectiveWork> work_of(std::shared_ptr<CollectiveJob> job);
  std::unique_ptr<State> state_;
};

}  // namespace ftrun
