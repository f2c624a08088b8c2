// Collectives plugin `inproc`: ranks are threads of one process; bytes are copied once, by the receiver.
// Leaves out: the meeting place (hub.h) and reductions (the host's).
#include <map>

#include "hub.h"
#include "plugins/collectives/byte_transport/transport_table.h"

namespace ftrun::inproc {
namespace {

/// The hub of the ranks that were given the same rendezvous. The table of hubs is the one thing ranks share besides
/// the pointer; an entry lives as long as a rank of it.
std::shared_ptr<Hub> hub_at(const void* rendezvous, int32_t world) {
  static std::mutex mutex;
  static std::map<const void*, std::weak_ptr<Hub>> hubs;
  const std::lock_guard lock(mutex);
  std::erase_if(hubs, [](const auto& entry) { return entry.second.expired(); });
  std::shared_ptr<Hub> hub = hubs[rendezvous].lock();
  if (hub == nullptr) hubs[rendezvous] = hub = std::make_shared<Hub>(world);
  if (hub->world() == world) return hub;
  throw sdk::Error(FTRUN_INVALID_ARGUMENT, "inproc: ranks of a world of " + std::to_string(hub->world()) +
                                               " and of one of " + std::to_string(world) + " meet");
}

class InprocTransport {
 public:
  /// The host starts these ranks.
  static int32_t launched_world() { return 0; }

  explicit InprocTransport(const ftrun_transport_open_args& args)
      : host_(args.host), rank_(args.rank), timeout_(args.timeout_ms) {
    if (args.rendezvous == nullptr || args.world < 1 || rank_ < 0 || rank_ >= args.world) {
      throw sdk::Error(FTRUN_INVALID_ARGUMENT, "inproc: rank " + std::to_string(rank_) + " of " +
                                                   std::to_string(args.world) +
                                                   ": the host gives rank, world and a rendezvous");
    }
    hub_ = hub_at(args.rendezvous, args.world);
    try {
      hub_->join(rank_, timeout_);
    } catch (const std::exception& failure) {
      hub_->end(failure.what());
      throw;
    }
  }
  InprocTransport(const InprocTransport&) = delete;
  InprocTransport& operator=(const InprocTransport&) = delete;
  ~InprocTransport() { hub_->leave(rank_); }

  const ftrun_host* host() const { return host_; }
  int32_t rank() const { return rank_; }
  int32_t world() const { return hub_->world(); }
  void exchange(std::span<const ftrun_transfer> sends, std::span<const ftrun_transfer> receives) {
    hub_->exchange(rank_, sends, receives, timeout_);
  }
  void end(std::string message) { hub_->end(std::move(message)); }

 private:
  const ftrun_host* host_;
  int32_t rank_;
  std::chrono::milliseconds timeout_;
  std::shared_ptr<Hub> hub_;
};

}  // namespace
}  // namespace ftrun::inproc

FTRUN_PLUGIN(FTRUN_KIND_COLLECTIVES, "inproc", "1.0.0", "ranks are threads of one process", nullptr,
             &ftrun::byte_transport::TransportTable<ftrun::inproc::InprocTransport>::kTable);
