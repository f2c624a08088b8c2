// Ranks as threads of the test, each with a device, a transport and a Communicator of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/collectives/communicator.h"
#include "ftrun/plugin.h"

namespace ftrun::test {

/// Host table over core's thread pool; log lines are dropped.
const ftrun_host* team_host();
/// team_host with options by which the mpi transport splits messages of more than 1,000 bytes.
const ftrun_host* small_messages_host();
const ftrun_options* small_messages_options();
/// The descriptor of <kind>_<id>.so in the build tree; NULL when the file does not exist.
const ftrun_plugin* load_plugin(const std::string& kind, const std::string& id);

/// An opened device plugin.
class OpenedPlugin {
 public:
  explicit OpenedPlugin(const std::string& id);
  OpenedPlugin(const OpenedPlugin&) = delete;
  OpenedPlugin& operator=(const OpenedPlugin&) = delete;
  ~OpenedPlugin();
  Device& device() { return *device_; }

 private:
  const ftrun_device* table_;
  void* instance_ = nullptr;
  std::unique_ptr<Device> device_;
};

struct TeamOptions {
  std::string device = "cpu";
  int64_t timeout_ms = 20'000;
  uint64_t piece_bytes = uint64_t{4} << 20;
};

/// What a rank's body gets.
struct TeamRank {
  ExecutionContext& ctx;
  Communicator& communicator;
};

/// What a rank threw; code 0 and "" for nothing.
struct TeamFailure {
  ftrun_status code = FTRUN_OK;
  std::string message;
};

/// Runs body on `world` threads at once and returns what each threw, in rank order. A body that throws aborts the
/// communicator, as a run does.
std::vector<TeamFailure> run_team(int32_t world, const TeamOptions& options,
                                  const std::function<void(TeamRank&)>& body);
/// Another in-process transport among the same ranks, which all make it.
std::unique_ptr<Transport> second_transport(TeamRank& rank);
/// run_team that expects no failure.
void run_team_well(int32_t world, const TeamOptions& options, const std::function<void(TeamRank&)>& body);

/// One rank with an opened transport: what run_team does per thread, and a process under mpirun.
void run_rank(std::unique_ptr<Transport> transport, std::shared_ptr<OperationBoard> board, const TeamOptions& options,
              const std::function<void(TeamRank&)>& body);

}  // namespace ftrun::test
