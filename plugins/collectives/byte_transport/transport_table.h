// The ftrun_collectives table over a C++ class that exchanges bytes: thunks, checks, and the calls that are exchanges.
// Leaves out: how bytes travel (each plugin's class).
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "ftrun/cpp/plugin.hpp"
#include "ftrun/kinds/collectives.h"

namespace ftrun::byte_transport {

/// "rank 2" or "ranks 0, 3".
inline std::string ranks_text(const std::vector<int32_t>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(ranks[i]);
  return text;
}

/// "0.3 s".
inline std::string seconds_text(std::chrono::milliseconds time) {
  std::string text = std::to_string(static_cast<double>(time.count()) / 1000.0);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

/// The message that every transport gives when time is up.
inline std::string silence_text(const std::vector<int32_t>& ranks, std::chrono::milliseconds timeout) {
  return "no answer from " + ranks_text(ranks) + " within " + seconds_text(timeout);
}

/// Throws for arguments of open that are malformed.
inline void check_open_args(const ftrun_transport_open_args& args) {
  if (args.head.tag != FTRUN_TRANSPORT_OPEN_TAG || args.head.struct_size < sizeof(ftrun_transport_open_args)) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, "the open arguments have a wrong tag or size");
  }
  if (args.timeout_ms < 1) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, "a timeout of " + std::to_string(args.timeout_ms) + " ms");
  }
}

/// The legs as this plugin knows them; a newer host's are longer. Those that do nothing are left out.
inline std::vector<ftrun_transfer> checked_legs(const ftrun_transfer* legs, int32_t count, int32_t world) {
  std::vector<ftrun_transfer> result;
  const char* at = reinterpret_cast<const char*>(legs);
  for (int32_t i = 0; i < count; ++i) {
    const auto* leg = reinterpret_cast<const ftrun_transfer*>(at);
    if (leg->head.tag != FTRUN_TRANSFER_TAG || leg->head.struct_size < sizeof(ftrun_transfer)) {
      throw sdk::Error(FTRUN_INVALID_ARGUMENT, "a transfer has a wrong tag or size");
    }
    if (leg->peer < 0 || leg->peer >= world) {
      throw sdk::Error(FTRUN_INVALID_ARGUMENT,
                       "rank " + std::to_string(leg->peer) + " in a world of " + std::to_string(world));
    }
    if (leg->bytes > 0) result.push_back(*leg);
    at += leg->head.struct_size;
  }
  return result;
}

/// Transport offers: static launched_world() -> int32_t; Transport(const ftrun_transport_open_args&); host(), rank(),
/// world(); exchange(sends, receives) of checked legs, none of them to itself; end(message), which may be called from
/// any thread. All may throw sdk::Error.
template <class Transport>
struct TransportTable {
  using Legs = std::span<const ftrun_transfer>;

  static Transport& of(void* transport) { return *static_cast<Transport*>(transport); }
  template <class Body>
  static ftrun_status guard(void* transport, Body&& body) noexcept {
    return sdk::guarded(of(transport).host(), std::forward<Body>(body));
  }

  static ftrun_status probe(const ftrun_host* host, int32_t* world) noexcept {
    *world = 0;
    return sdk::guarded(host, [&] { *world = Transport::launched_world(); });
  }
  static ftrun_status open(const ftrun_transport_open_args* args, void** transport) noexcept {
    *transport = nullptr;
    return sdk::guarded(args->host, [&] {
      check_open_args(*args);
      *transport = new Transport(*args);
    });
  }
  static void close(void* transport) noexcept { delete &of(transport); }
  static ftrun_status rank(void* transport, int32_t* rank, int32_t* world) noexcept {
    *rank = of(transport).rank();
    *world = of(transport).world();
    return FTRUN_OK;
  }
  static ftrun_status exchange(void* transport, const ftrun_transfer* sends, int32_t n_sends,
                               const ftrun_transfer* receives, int32_t n_receives) noexcept {
    return guard(transport, [&] {
      const int32_t world = of(transport).world();
      of(transport).exchange(checked_legs(sends, n_sends, world), checked_legs(receives, n_receives, world));
    });
  }
  static ftrun_status all_gather_bytes(void* transport, const void* data, uint64_t bytes, void* out) noexcept {
    return guard(transport, [&] { gather(of(transport), data, bytes, static_cast<char*>(out)); });
  }
  static ftrun_status barrier(void* transport) noexcept {
    return guard(transport, [&] {
      const char token = 1;
      std::vector<char> tokens(static_cast<size_t>(of(transport).world()));
      gather(of(transport), &token, 1, tokens.data());
    });
  }
  static void end(void* transport, ftrun_str message) noexcept {
    guard(transport, [&] { of(transport).end(std::string(sdk::view(message))); });
  }

  static constexpr ftrun_collectives kTable = {{sizeof(ftrun_collectives), FTRUN_COLLECTIVES_TAG},
                                               probe,
                                               open,
                                               close,
                                               rank,
                                               exchange,
                                               all_gather_bytes,
                                               barrier,
                                               end};

 private:
  static void gather(Transport& transport, const void* data, uint64_t bytes, char* out) {
    if (bytes == 0) return;
    std::memmove(out + static_cast<uint64_t>(transport.rank()) * bytes, data, bytes);
    std::vector<ftrun_transfer> sends;
    std::vector<ftrun_transfer> receives;
    for (int32_t step = 1; step < transport.world(); ++step) {
      auto leg = sdk::make<ftrun_transfer>(FTRUN_TRANSFER_TAG);
      leg.peer = (transport.rank() + step) % transport.world();
      leg.bytes = bytes;
      leg.data = const_cast<void*>(data);
      sends.push_back(leg);
      leg.data = out + static_cast<uint64_t>(leg.peer) * bytes;
      receives.push_back(leg);
    }
    transport.exchange(Legs(sends), Legs(receives));
  }
};

}  // namespace ftrun::byte_transport
