// Collectives plugin `mpi`: ranks are the processes of an MPI job, on one host or several. MPI carries bytes only; its
// reductions, whose bits depend on size and number of ranks, are not used.
// Leaves out: starting the processes (mpirun or Slurm does).
#include <cstdlib>

#include "plugins/collectives/byte_transport/transport_table.h"
#include "transfers.h"

namespace ftrun::mpi {
namespace {

constexpr ftrun_option kOptions[] = {
    sdk::with_range(sdk::option("message_bytes", FTRUN_OPTION_BYTES, "1073741824",
                                "longer transfers are split into MPI messages of this size, in bytes"),
                    {1, 2147483647}),
};
constexpr ftrun_option_table kOptionTable = sdk::option_table(kOptions);

int32_t number_of(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : static_cast<int32_t>(std::strtol(text, nullptr, 10));
}

class MpiTransport {
 public:
  /// What launchers tell their processes: Open MPI's mpirun, those that speak PMI (Slurm, MPICH), Slurm with PMIx.
  static int32_t launched_world() {
    if (const int32_t world = number_of("OMPI_COMM_WORLD_SIZE"); world > 0) return world;
    if (std::getenv("PMI_RANK") != nullptr) return number_of("PMI_SIZE");
    if (std::getenv("PMIX_RANK") != nullptr) return number_of("SLURM_STEP_NUM_TASKS");
    return 0;
  }

  explicit MpiTransport(const ftrun_transport_open_args& args)
      : host_(args.host), timeout_(args.timeout_ms), world_(World::instance()) {
    if (args.options != nullptr) {
      message_bytes_ = static_cast<uint64_t>(sdk::Options(host_, args.options).get_int("message_bytes"));
    }
    world_.start();
    const bool rank_agrees = args.rank < 0 || args.rank == rank();
    const bool world_agrees = args.world < 0 || args.world == world();
    if (rank_agrees && world_agrees) return;
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, "mpi: this is rank " + std::to_string(rank()) + " of " +
                                                 std::to_string(world()) + ", not rank " + std::to_string(args.rank) +
                                                 " of " + std::to_string(args.world));
  }
  MpiTransport(const MpiTransport&) = delete;
  MpiTransport& operator=(const MpiTransport&) = delete;
  ~MpiTransport() { world_.leave(); }

  const ftrun_host* host() const { return host_; }
  int32_t rank() const { return world_.rank(); }
  int32_t world() const { return world_.size(); }
  void exchange(std::span<const ftrun_transfer> sends, std::span<const ftrun_transfer> receives) {
    Transfers(world_, message_bytes_).run(sends, receives, timeout_);
  }
  void end(std::string message) { world_.end(std::move(message)); }

 private:
  const ftrun_host* host_;
  std::chrono::milliseconds timeout_;
  World& world_;
  uint64_t message_bytes_ = uint64_t{1} << 30;
};

}  // namespace
}  // namespace ftrun::mpi

FTRUN_PLUGIN(FTRUN_KIND_COLLECTIVES, "mpi", "1.0.0", "ranks are the processes of an MPI job", &ftrun::mpi::kOptionTable,
             &ftrun::byte_transport::TransportTable<ftrun::mpi::MpiTransport>::kTable);
