// One rank of an MPI job for mpi_test: `mpi_rank CASE FOLDER`. Failures go to stderr and give exit code 1, as in ftrun.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "core/base/error.h"
#include "tests/collectives/collective_cases.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

void all_reduce(TeamRank& rank, int64_t elements) {
  Communicator& comm = rank.communicator;
  const Tensor data = made_up_tensor(rank, FTRUN_F32, elements, FTRUN_PLACEMENT_DEVICE);
  comm.wait(rank.ctx, comm.all_reduce(rank.ctx, comm.world_group(), data));
}

void write_bits(TeamRank& rank, const fs::path& folder) {
  std::ofstream out(folder / std::to_string(rank.communicator.rank()), std::ios::binary);
  for (const std::vector<std::byte>& bytes : all_bits(rank)) {
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
}

void fail(TeamRank& rank) {
  rank.communicator.set_step(12);
  all_reduce(rank, 100);
  if (rank.communicator.rank() == 1) throw resource_exhausted("the device is full");
  all_reduce(rank, 1'000);
}

/// Rank 1 computes and never comes back.
void fall_silent(TeamRank& rank) {
  rank.communicator.set_step(7);
  all_reduce(rank, 100);
  while (rank.communicator.rank() == 1) std::this_thread::sleep_for(milliseconds(100));
  all_reduce(rank, 400'000);
}

void leave_early(TeamRank& rank) {
  all_reduce(rank, 100);
  if (rank.communicator.rank() == 1) return;
  all_reduce(rank, 200);
}

void be_killed(TeamRank& rank) {
  all_reduce(rank, 100);
  if (rank.communicator.rank() == 1) ::kill(::getpid(), SIGKILL);
  all_reduce(rank, 200);
}

void disagree(TeamRank& rank) { all_reduce(rank, rank.communicator.rank() == 0 ? 16 : 32); }

/// The abort comes from another thread while this one is inside an exchange.
void abort_from_aside(TeamRank& rank) {
  Communicator& comm = rank.communicator;
  if (comm.rank() != 0) {
    // Not in the collective, so that it cannot complete.
    std::this_thread::sleep_for(milliseconds(500));
    all_reduce(rank, 10);
    return;
  }
  std::thread watcher([&] {
    std::this_thread::sleep_for(milliseconds(100));
    comm.abort("the watchdog bit");
  });
  try {
    all_reduce(rank, 10);
  } catch (...) {
    watcher.join();
    throw;
  }
  watcher.join();
}

int run(const std::string& name, const fs::path& folder) {
  const std::map<std::string, void (*)(TeamRank&)> failing = {
      {"fail", fail},      {"silent", fall_silent}, {"leave", leave_early},
      {"kill", be_killed}, {"disagree", disagree},  {"abort", abort_from_aside},
  };
  const auto* table = static_cast<const ftrun_collectives*>(load_plugin("collectives", "mpi")->table);
  TeamOptions options;
  if (name == "bits_npu") options.device = "npu_a2";
  options.timeout_ms = name == "silent" ? 1'000 : 60'000;
  Transport::Arguments arguments;
  arguments.host = name == "bits_split" ? small_messages_host() : team_host();
  arguments.options = name == "bits_split" ? small_messages_options() : nullptr;
  arguments.timeout_ms = options.timeout_ms;
  auto transport = std::make_unique<Transport>(*table, arguments);
  if (probe_world(*table, team_host()) != transport->world()) throw internal_error("probe and world differ");
  run_rank(std::move(transport), nullptr, options, [&](TeamRank& rank) {
    if (const auto found = failing.find(name); found != failing.end()) return found->second(rank);
    write_bits(rank, folder);
  });
  return 0;
}

}  // namespace
}  // namespace ftrun::test

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    return ftrun::test::run(argv[1], argv[2]);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "error: %s\n", failure.what());
    return 1;
  }
}
