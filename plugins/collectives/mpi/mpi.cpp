// Collectives plugin `mpi`: ranks are the processes of an MPI job, on one host or several. MPI carries bytes only; its
// reductions, whose bits depend on size and number of ranks, are not used.
// Leaves out: starting the processes (mpirun or Slurm does).
#include <cstdlib>
#include <cstring>

#include "ftrun/cpp/plugin.hpp"
#include "transfers.h"

namespace ftrun::mpi {
namespace {

constexpr ftrun_option kOptions[] = {
    sdk::with_range(sdk::option("message_bytes", FTRUN_OPTION_BYTES, "1073741824",
                                "longer transfers are split into MPI messages of this size, in bytes"),
                    {1, 2147483647}),
};
constexpr ftrun_option_table kOptionTable = sdk::option_table(kOptions);

class MpiTransport {
 public:
  explicit MpiTransport(const ftrun_transport_open_args& args)
      : host_(args.host), timeout_(args.timeout_ms), world_(World::instance()) {
    if (args.head.tag != FTRUN_TRANSPORT_OPEN_TAG || args.head.struct_size < sizeof(ftrun_transport_open_args)) {
      throw sdk::Error(FTRUN_INVALID_ARGUMENT, "mpi: open arguments have a wrong tag or size");
    }
    if (args.timeout_ms < 1) throw sdk::Error(FTRUN_INVALID_ARGUMENT, "mpi: the timeout is not positive");
    if (args.options != nullptr) {
      message_bytes_ = static_cast<uint64_t>(sdk::Options(host_, args.options).get_int("message_bytes"));
    }
    world_.start();
    const bool rank_agrees = args.rank < 0 || args.rank == world_.rank();
    const bool world_agrees = args.world < 0 || args.world == world_.size();
    if (rank_agrees && world_agrees) return;
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, "mpi: this is rank " + std::to_string(world_.rank()) + " of " +
                                                 std::to_string(world_.size()) + ", not rank " +
                                                 std::to_string(args.rank) + " of " + std::to_string(args.world));
  }
  MpiTransport(const MpiTransport&) = delete;
  MpiTransport& operator=(const MpiTransport&) = delete;
  ~MpiTransport() { world_.leave(); }

  const ftrun_host* host() const { return host_; }
  World& world() { return world_; }

  void exchange(std::span<const ftrun_transfer> sends, std::span<const ftrun_transfer> receives) {
    for (const auto legs : {sends, receives}) {
      for (const ftrun_transfer& leg : legs) {
        if (leg.peer >= 0 && leg.peer < world_.size()) continue;
        throw sdk::Error(FTRUN_INVALID_ARGUMENT,
                         "mpi: rank " + std::to_string(leg.peer) + " in a world of " + std::to_string(world_.size()));
      }
    }
    Transfers(world_, message_bytes_).run(sends, receives, timeout_);
  }

  void all_gather(const void* data, uint64_t bytes, void* out) {
    char* parts = static_cast<char*>(out);
    std::memcpy(parts + static_cast<uint64_t>(world_.rank()) * bytes, data, bytes);
    std::vector<ftrun_transfer> sends;
    std::vector<ftrun_transfer> receives;
    for (int32_t step = 1; step < world_.size(); ++step) {
      auto leg = sdk::make<ftrun_transfer>(FTRUN_TRANSFER_TAG);
      leg.peer = (world_.rank() + step) % world_.size();
      leg.bytes = bytes;
      leg.data = const_cast<void*>(data);
      sends.push_back(leg);
      leg.data = parts + static_cast<uint64_t>(leg.peer) * bytes;
      receives.push_back(leg);
    }
    exchange(sends, receives);
  }

 private:
  const ftrun_host* host_;
  std::chrono::milliseconds timeout_;
  World& world_;
  uint64_t message_bytes_ = uint64_t{1} << 30;
};

MpiTransport& of(void* transport) { return *static_cast<MpiTransport*>(transport); }

/// Legs as this plugin knows them; a newer host's are longer. Legs that do nothing are left out.
std::vector<ftrun_transfer> legs_of(const ftrun_transfer* legs, int32_t count) {
  std::vector<ftrun_transfer> result;
  const char* at = reinterpret_cast<const char*>(legs);
  for (int32_t i = 0; i < count; ++i) {
    const auto* leg = reinterpret_cast<const ftrun_transfer*>(at);
    if (leg->head.tag != FTRUN_TRANSFER_TAG || leg->head.struct_size < sizeof(ftrun_transfer)) {
      throw sdk::Error(FTRUN_INVALID_ARGUMENT, "mpi: a transfer has a wrong tag or size");
    }
    if (leg->bytes > 0) result.push_back(*leg);
    at += leg->head.struct_size;
  }
  return result;
}

int32_t number_of(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : static_cast<int32_t>(std::strtol(text, nullptr, 10));
}

/// What launchers tell their processes: Open MPI's mpirun, those that speak PMI (Slurm, MPICH), Slurm with PMIx.
int32_t launched_world() {
  if (const int32_t world = number_of("OMPI_COMM_WORLD_SIZE"); world > 0) return world;
  if (std::getenv("PMI_RANK") != nullptr) return number_of("PMI_SIZE");
  if (std::getenv("PMIX_RANK") != nullptr) return number_of("SLURM_STEP_NUM_TASKS");
  return 0;
}

ftrun_status probe(const ftrun_host*, int32_t* world) noexcept {
  *world = launched_world();
  return FTRUN_OK;
}

ftrun_status open(const ftrun_transport_open_args* args, void** transport) noexcept {
  *transport = nullptr;
  return sdk::guarded(args->host, [&] { *transport = new MpiTransport(*args); });
}

void close(void* transport) noexcept { delete &of(transport); }

ftrun_status rank(void* transport, int32_t* own, int32_t* world) noexcept {
  *own = of(transport).world().rank();
  *world = of(transport).world().size();
  return FTRUN_OK;
}

ftrun_status exchange(void* transport, const ftrun_transfer* sends, int32_t n_sends, const ftrun_transfer* receives,
                      int32_t n_receives) noexcept {
  return sdk::guarded(of(transport).host(),
                      [&] { of(transport).exchange(legs_of(sends, n_sends), legs_of(receives, n_receives)); });
}

ftrun_status all_gather_bytes(void* transport, const void* data, uint64_t bytes, void* out) noexcept {
  return sdk::guarded(of(transport).host(), [&] {
    if (bytes > 0) of(transport).all_gather(data, bytes, out);
  });
}

ftrun_status barrier(void* transport) noexcept {
  return sdk::guarded(of(transport).host(), [&] {
    const char token = 1;
    std::vector<char> tokens(static_cast<size_t>(of(transport).world().size()));
    of(transport).all_gather(&token, 1, tokens.data());
  });
}

void end(void* transport, ftrun_str message) noexcept {
  sdk::guarded(of(transport).host(), [&] { of(transport).world().end(std::string(sdk::view(message))); });
}

constexpr ftrun_collectives kTable = {{sizeof(ftrun_collectives), FTRUN_COLLECTIVES_TAG},
                                      probe,
                                      open,
                                      close,
                                      rank,
                                      exchange,
                                      all_gather_bytes,
                                      barrier,
                                      end};

}  // namespace
}  // namespace ftrun::mpi

FTRUN_PLUGIN(FTRUN_KIND_COLLECTIVES, "mpi", "1.0.0", "ranks are the processes of an MPI job", &ftrun::mpi::kOptionTable,
             &ftrun::mpi::kTable);
