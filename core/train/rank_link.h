// One rank before anything is trained on it: its devices and its way to the other ranks; and the start of all ranks.
// Leaves out: what ranks do (run.h, trainer.h) and how bytes travel (core/collectives, collectives plugins).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/collectives/communicator.h"
#include "core/train/opened_devices.h"
#include "core/train/run_setup.h"

namespace ftrun {

/// [rank-thread], but abort ([any-thread]).
class RankLink {
 public:
  /// The only rank of a world of one.
  explicit RankLink(const RunSetup& setup);
  /// A rank of the transport's world; its accelerator is the one numbered as the rank is among those of its machine. A
  /// failure ends the other ranks too.
  /// `board`: the one of all ranks of this process, NULL where it has one.
  RankLink(const RunSetup& setup, std::unique_ptr<Transport> transport, std::shared_ptr<OperationBoard> board);
  RankLink(const RankLink&) = delete;
  RankLink& operator=(const RankLink&) = delete;
  ~RankLink();

  Communicator& communicator() noexcept { return *communicator_; }
  OpenedDevices& devices() noexcept { return *devices_; }
  int32_t rank() const noexcept { return communicator_->rank(); }
  int32_t world() const noexcept { return communicator_->world(); }
  bool is_main() const noexcept { return rank() == 0; }
  /// Ranks on this machine.
  int32_t local_world() const noexcept { return local_world_; }
  const HostServices& host_services() const noexcept { return host_services_; }
  /// The main rank's answer on every rank.
  bool agree(bool answer_of_main);

 private:
  HostServices host_services_;
  std::unique_ptr<OpenedDevices> devices_;
  std::unique_ptr<Communicator> communicator_;
  int32_t local_world_ = 1;
};

/// What a rank does; returns the process's exit code.
using RankBody = std::function<int(RankLink& link)>;

/// Runs `body` on every rank that this process has: `nproc` threads, or the one rank that a launcher (mpirun) made this
/// process. Returns the main rank's code (of this process). A rank that fails ends all others; the failure that began
/// it is thrown, naming its rank. Only the main rank logs below the level of errors. [control-thread]
int run_ranks(const RunSetup& setup, const RankBody& body);

}  // namespace ftrun
