// Numbers, texts and bytes of the host over the world: synchronous, in the order of the queue.
#include <cstring>

#include "core/collectives/communicator_state.h"

namespace ftrun {
namespace {

/// Every member's `bytes`, all of one length, in the group's order.
std::vector<std::byte> gather_equal(Transport& transport, const CommunicatorGroup& group,
                                    std::span<const std::byte> bytes) {
  std::vector<std::byte> all(bytes.size() * group.ranks.size());
  const std::span<std::byte> out(all);
  const auto part = [&](int32_t index) { return out.subspan(static_cast<size_t>(index) * bytes.size(), bytes.size()); };
  if (!bytes.empty()) std::memcpy(part(group.index).data(), bytes.data(), bytes.size());
  std::vector<TransferLeg> sends;
  std::vector<TransferLeg> receives;
  for (int32_t step = 1; step < group.size() && !bytes.empty(); ++step) {
    const int32_t index = (group.index + step) % group.size();
    sends.push_back({group.ranks[static_cast<size_t>(index)], part(group.index)});
    receives.push_back({group.ranks[static_cast<size_t>(index)], part(index)});
  }
  if (!sends.empty()) transport.exchange(sends, receives);
  return all;
}

}  // namespace

void Communicator::sum_host(std::span<double> values) { sum_host(world_group(), values); }

void Communicator::sum_host(CommunicatorGroup& group, std::span<double> values) {
  if (group.size() == 1 || values.empty()) return;
  state_->run_now(fmt::format("sum of {} host values", values.size()), [&] {
    const std::vector<std::byte> all = gather_equal(*state_->transport, group, std::as_bytes(values));
    std::vector<double> theirs(values.size());
    std::fill(values.begin(), values.end(), 0.0);
    for (size_t member = 0; member < group.ranks.size(); ++member) {
      std::memcpy(theirs.data(), all.data() + member * values.size_bytes(), values.size_bytes());
      for (size_t i = 0; i < values.size(); ++i) values[i] = member == 0 ? theirs[i] : values[i] + theirs[i];
    }
  });
}

std::vector<std::vector<std::byte>> Communicator::all_gather_host(std::span<const std::byte> bytes) {
  std::vector<std::vector<std::byte>> all(static_cast<size_t>(world()));
  all[static_cast<size_t>(rank())].assign(bytes.begin(), bytes.end());
  if (world() == 1) return all;
  state_->run_now(fmt::format("all_gather of {} host bytes", bytes.size()), [&] {
    const uint64_t own = bytes.size();
    const std::vector<std::byte> sizes =
        gather_equal(*state_->transport, world_group(), std::as_bytes(std::span(&own, 1)));
    std::vector<TransferLeg> sends;
    std::vector<TransferLeg> receives;
    for (int32_t step = 1; step < world(); ++step) {
      const int32_t peer = (rank() + step) % world();
      uint64_t size = 0;
      std::memcpy(&size, sizes.data() + static_cast<size_t>(peer) * sizeof(size), sizeof(size));
      std::vector<std::byte>& theirs = all[static_cast<size_t>(peer)];
      theirs.resize(size);
      if (own > 0) sends.push_back({peer, all[static_cast<size_t>(rank())]});
      if (size > 0) receives.push_back({peer, theirs});
    }
    if (!sends.empty() || !receives.empty()) state_->transport->exchange(sends, receives);
  });
  return all;
}

std::vector<std::string> Communicator::all_gather_text(std::string_view text) {
  std::vector<std::string> texts;
  for (const std::vector<std::byte>& bytes : all_gather_host(std::as_bytes(std::span(text)))) {
    texts.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return texts;
}

void Communicator::send_host(int32_t source, int32_t destination, std::span<std::byte> bytes) {
  if (source < 0 || source >= world() || destination < 0 || destination >= world()) {
    throw invalid_argument("send_host: from rank {} to rank {} in a world of {}", source, destination, world());
  }
  if (source == destination || bytes.empty() || (rank() != source && rank() != destination)) return;
  const bool sends = rank() == source;
  const TransferLeg leg = {sends ? destination : source, bytes};
  const std::string what = fmt::format("{} of {} host bytes {} rank {}", sends ? "send" : "receive", bytes.size(),
                                       sends ? "to" : "from", leg.peer);
  state_->run_now(what, [&] {
    if (sends) {
      state_->transport->exchange({&leg, 1}, {});
    } else {
      state_->transport->exchange({}, {&leg, 1});
    }
  });
}

void Communicator::barrier(std::string_view what) { barrier(world_group(), what); }

void Communicator::barrier(CommunicatorGroup& group, std::string_view what) {
  if (group.size() == 1) return;
  state_->run_now(fmt::format("barrier ({})", what), [&] {
    if (&group == &world_group()) return state_->transport->barrier();
    const std::byte token{1};
    gather_equal(*state_->transport, group, {&token, 1});
  });
}

}  // namespace ftrun
