// Threads as ranks, one failure out of many.
#include "core/train/rank_link.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/logging.h"
#include "core/parallel/thread_pool.h"

namespace ftrun {
namespace {

/// Which of the ranks on this machine this one is, and how many there are.
struct LocalPlace {
  int32_t index = 0;
  int32_t count = 1;
};

LocalPlace local_place(Transport& transport) {
  std::array<char, 256> name = {};
  ::gethostname(name.data(), name.size() - 1);
  const uint64_t machine = content_hash(std::as_bytes(std::span(name)));
  std::vector<uint64_t> machines(static_cast<size_t>(transport.world()));
  transport.all_gather(std::as_bytes(std::span(&machine, 1)), std::as_writable_bytes(std::span(machines)));
  LocalPlace place = {0, 0};
  for (int32_t rank = 0; rank < transport.world(); ++rank) {
    if (machines[static_cast<size_t>(rank)] != machine) continue;
    if (rank < transport.rank()) ++place.index;
    ++place.count;
  }
  return place;
}

std::string failure_text(int32_t rank, const std::string& what) { return fmt::format("rank {}: {}", rank, what); }

/// How one rank ended.
struct Outcome {
  int32_t rank = 0;
  int code = 0;
  std::optional<Error> failure;
};

/// The exception in flight as an Error.
Error current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return {FTRUN_RESOURCE_EXHAUSTED, "out of memory"};
  } catch (const std::exception& error) {
    return internal_error("{}", error.what());
  } catch (...) {
    return internal_error("an unknown failure");
  }
}

Outcome run_rank(const RunSetup& setup, const Transport::Arguments& arguments,
                 const std::shared_ptr<OperationBoard>& board, const RankBody& body) {
  Outcome outcome;
  std::unique_ptr<RankLink> link;
  try {
    auto transport = std::make_unique<Transport>(setup.plugins->collectives.plugin->collectives(), arguments);
    outcome.rank = transport->rank();
    set_thread_log_level(outcome.rank == 0 ? LogLevel::kDebug : LogLevel::kError);
    link = std::make_unique<RankLink>(setup, std::move(transport), board);
    outcome.code = body(*link);
  } catch (...) {
    outcome.failure = current_error();
    if (link) link->communicator().abort(failure_text(link->rank(), outcome.failure->what()));
  }
  return outcome;
}

Transport::Arguments transport_arguments(const RunSetup& setup, const ftrun_host* host) {
  Transport::Arguments arguments;
  arguments.host = host;
  arguments.options = setup.plugins->collectives.options;
  arguments.timeout_ms = setup.config().get_int("collective_timeout_s") * 1000;
  return arguments;
}

/// The failure that the others followed from: the lowest rank's that is not the news of another's.
void throw_first_failure(const std::vector<Outcome>& outcomes) {
  const auto began = [](const Outcome& outcome) { return outcome.failure && outcome.failure->code() != FTRUN_ABORTED; };
  auto found = std::ranges::find_if(outcomes, began);
  if (found == outcomes.end()) {
    found = std::ranges::find_if(outcomes, [](const Outcome& outcome) { return outcome.failure.has_value(); });
  }
  if (found == outcomes.end()) return;
  const auto rank = static_cast<int32_t>(found - outcomes.begin());
  if (rank == 0) throw Error(*found->failure);
  throw Error(found->failure->code(), failure_text(rank, found->failure->what()));
}

int run_threads(const RunSetup& setup, Transport::Arguments arguments, const RankBody& body) {
  std::vector<Outcome> outcomes(static_cast<size_t>(setup.nproc));
  const char rendezvous = 0;  // only its address matters
  arguments.world = setup.nproc;
  arguments.rendezvous = &rendezvous;
  const auto board = std::make_shared<OperationBoard>(setup.nproc);
  std::vector<std::thread> threads;
  for (int32_t rank = 1; rank < setup.nproc; ++rank) {
    arguments.rank = rank;
    threads.emplace_back([&setup, &body, &board, arguments, &outcome = outcomes[static_cast<size_t>(rank)]] {
      outcome = run_rank(setup, arguments, board, body);
    });
  }
  arguments.rank = 0;
  outcomes.front() = run_rank(setup, arguments, board, body);
  for (std::thread& thread : threads) thread.join();
  throw_first_failure(outcomes);
  return outcomes.front().code;
}

}  // namespace

RankLink::RankLink(const RunSetup& setup)
    : host_services_(ftrun::host_services()),
      devices_(std::make_unique<OpenedDevices>(*setup.plugins, host_services_)),
      communicator_(std::make_unique<Communicator>()) {}

RankLink::RankLink(const RunSetup& setup, std::unique_ptr<Transport> transport, std::shared_ptr<OperationBoard> board)
    : host_services_(ftrun::host_services()) {
  try {
    const LocalPlace place = local_place(*transport);
    local_world_ = place.count;
    if (setup.launched_world) configure_threads(static_cast<int32_t>(setup.config().get_int("threads")), place.count);
    devices_ = std::make_unique<OpenedDevices>(*setup.plugins, host_services_, place.index);
  } catch (...) {
    transport->abort(failure_text(transport->rank(), current_error().what()));
    throw;
  }
  CommunicatorArguments arguments;
  arguments.device = &devices_->device();
  arguments.host_device = &devices_->host_device();
  arguments.timeout_ms = setup.config().get_int("collective_timeout_s") * 1000;
  arguments.board = std::move(board);
  communicator_ = std::make_unique<Communicator>(std::move(transport), arguments);
}

RankLink::~RankLink() { communicator_.reset(); }

bool RankLink::agree(bool answer_of_main) {
  double answer = is_main() && answer_of_main ? 1 : 0;
  communicator_->sum_host(std::span(&answer, 1));
  return answer != 0;
}

int run_ranks(const RunSetup& setup, const RankBody& body) {
  const Plugin* transport = setup.plugins->collectives.plugin;
  if (!setup.launched_world && setup.nproc == 1) {
    RankLink link(setup);
    return body(link);
  }
  const ftrun_host* host = make_host_table("collectives/" + transport->id(), host_services());
  const Transport::Arguments arguments = transport_arguments(setup, host);
  if (!setup.launched_world) return run_threads(setup, arguments, body);
  const Outcome outcome = run_rank(setup, arguments, nullptr, body);
  if (!outcome.failure) return outcome.code;
  if (outcome.rank == 0 || outcome.failure->code() == FTRUN_ABORTED) throw Error(*outcome.failure);
  throw Error(outcome.failure->code(), failure_text(outcome.rank, outcome.failure->what()));
}

}  // namespace ftrun
