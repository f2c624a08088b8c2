// Collectives plugin `inproc`: ranks are threads of one process; bytes are copied once, by the receiver.
// Leaves out: the meeting place (hub.h) and reductions (the host's).
#include <map>

#include "ftrun/cpp/plugin.hpp"
#include "hub.h"

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
  explicit InprocTransport(const ftrun_transport_open_args& args)
      : host_(args.host), rank_(args.rank), timeout_(args.timeout_ms) {
    if (args.head.tag != FTRUN_TRANSPORT_OPEN_TAG || args.head.struct_size < sizeof(ftrun_transport_open_args)) {
      throw sdk::Error(FTRUN_INVALID_ARGUMENT, "inproc: open arguments have a wrong tag or size");
    }
    if (args.rendezvous == nullptr || args.world < 1 || rank_ < 0 || rank_ >= args.world || args.timeout_ms < 1) {
      throw sdk::Error(FTRUN_INVALID_ARGUMENT,
                       "inproc: rank " + std::to_string(rank_) + " of " + std::to_string(args.world) +
                           " with a timeout of " + std::to_string(args.timeout_ms) +
                           " ms: the host gives rank, world, a rendezvous and a positive timeout");
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
  Hub& hub() { return *hub_; }

  void exchange(std::span<const ftrun_transfer> sends, std::span<const ftrun_transfer> receives) {
    for (const auto legs : {sends, receives}) {
      for (const ftrun_transfer& leg : legs) {
        if (leg.peer >= 0 && leg.peer < world()) continue;
        throw sdk::Error(FTRUN_INVALID_ARGUMENT,
                         "inproc: rank " + std::to_string(leg.peer) + " in a world of " + std::to_string(world()));
      }
    }
    hub_->exchange(rank_, sends, receives, timeout_);
  }

  void all_gather(const void* data, uint64_t bytes, void* out) {
    std::vector<ftrun_transfer> sends;
    std::vector<ftrun_transfer> receives;
    for (int32_t step = 0; step < world(); ++step) {
      const int32_t peer = (rank_ + step) % world();
      auto leg = sdk::make<ftrun_transfer>(FTRUN_TRANSFER_TAG);
      leg.peer = peer;
      leg.bytes = bytes;
      leg.data = const_cast<void*>(data);
      sends.push_back(leg);
      leg.data = static_cast<char*>(out) + static_cast<uint64_t>(peer) * bytes;
      receives.push_back(leg);
    }
    hub_->exchange(rank_, sends, receives, timeout_);
  }

 private:
  const ftrun_host* host_;
  int32_t rank_;
  std::chrono::milliseconds timeout_;
  std::shared_ptr<Hub> hub_;
};

InprocTransport& of(void* transport) { return *static_cast<InprocTransport*>(transport); }

/// Legs as this plugin knows them; a newer host's are longer. Legs that do nothing are left out.
std::vector<ftrun_transfer> legs_of(const ftrun_transfer* legs, int32_t count) {
  std::vector<ftrun_transfer> result;
  const char* at = reinterpret_cast<const char*>(legs);
  for (int32_t i = 0; i < count; ++i) {
    const auto* leg = reinterpret_cast<const ftrun_transfer*>(at);
    if (leg->head.tag != FTRUN_TRANSFER_TAG || leg->head.struct_size < sizeof(ftrun_transfer)) {
      throw sdk::Error(FTRUN_INVALID_ARGUMENT, "inproc: a transfer has a wrong tag or size");
    }
    if (leg->bytes > 0) result.push_back(*leg);
    at += leg->head.struct_size;
  }
  return result;
}

/// The host starts these ranks.
ftrun_status probe(const ftrun_host*, int32_t* world) noexcept {
  *world = 0;
  return FTRUN_OK;
}

ftrun_status open(const ftrun_transport_open_args* args, void** transport) noexcept {
  *transport = nullptr;
  return sdk::guarded(args->host, [&] { *transport = new InprocTransport(*args); });
}

void close(void* transport) noexcept { delete &of(transport); }

ftrun_status rank(void* transport, int32_t* own, int32_t* world) noexcept {
  *own = of(transport).rank();
  *world = of(transport).world();
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
    std::vector<char> tokens(static_cast<size_t>(of(transport).world()));
    of(transport).all_gather(&token, 1, tokens.data());
  });
}

void end(void* transport, ftrun_str message) noexcept {
  sdk::guarded(of(transport).host(), [&] { of(transport).hub().end(std::string(sdk::view(message))); });
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
}  // namespace ftrun::inproc

FTRUN_PLUGIN(FTRUN_KIND_COLLECTIVES, "inproc", "1.0.0", "ranks are threads of one process", nullptr,
             &ftrun::inproc::kTable);
