// Names of categories and kinds as sdk/include/ftrun has them.
#include "core/train/rank_usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "core/train/memory_estimate.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, FTRUN_MEMORY_CATEGORY_COUNT> kCategories = {
    "other", "weights", "gradients", "optimizer", "activations", "workspace", "gather", "communication", "kv_cache"};
constexpr std::array kKinds = {"all_reduce", "reduce_scatter", "all_gather", "broadcast",
                               "all_to_all", "send_receive",   "barrier"};

static_assert(std::is_trivially_copyable_v<RankUsage>);

Json categories_json(const std::array<uint64_t, 16>& bytes) {
  Json result = Json::object();
  for (size_t i = 0; i < kCategories.size(); ++i) {
    if (bytes[i] > 0) result[kCategories[i]] = bytes[i];
  }
  return result;
}

Json traffic_json(const std::array<CollectiveTraffic, 8>& traffic) {
  Json result = Json::object();
  for (size_t i = 0; i < kKinds.size(); ++i) {
    const CollectiveTraffic& kind = traffic[i];
    if (kind.calls == 0) continue;
    result[kKinds[i]] = {{"calls", kind.calls}, {"elements", kind.elements}, {"sent_bytes", kind.sent_bytes}};
  }
  return result;
}

std::string rank_line(size_t rank, const RankUsage& usage) {
  std::string line = fmt::format("rank {}: peak {}:", rank, memory_text(usage.peak_allocated_bytes));
  for (size_t i = 0; i < kCategories.size(); ++i) {
    if (usage.peak_bytes[i] > 0) line += fmt::format(" {} {}", kCategories[i], memory_text(usage.peak_bytes[i]));
  }
  for (size_t i = 0; i < kCategories.size(); ++i) {
    if (usage.host_peak_bytes[i] > 0) {
      line += fmt::format(" host {} {}", kCategories[i], memory_text(usage.host_peak_bytes[i]));
    }
  }
  line += "; sent per update:";
  bool any = false;
  for (size_t i = 0; i < kKinds.size(); ++i) {
    if (usage.traffic[i].calls == 0) continue;
    line += fmt::format("{} {} {} in {} calls", any ? "," : "", kKinds[i], memory_text(usage.traffic[i].sent_bytes),
                        usage.traffic[i].calls);
    any = true;
  }
  return any ? line : line + " nothing";
}

}  // namespace

RankUsage rank_usage(const Device& device, const Device& host_device, const Communicator& communicator) {
  RankUsage usage;
  const ftrun_memory_stats memory = device.memory_stats();
  std::copy(std::begin(memory.category_peak_bytes), std::end(memory.category_peak_bytes), usage.peak_bytes.begin());
  usage.peak_allocated_bytes = memory.peak_allocated_bytes;
  if (&host_device != &device) {
    const ftrun_memory_stats host = host_device.memory_stats();
    std::copy(std::begin(host.category_peak_bytes), std::end(host.category_peak_bytes), usage.host_peak_bytes.begin());
  }
  usage.traffic = communicator.traffic();
  return usage;
}

std::vector<RankUsage> all_rank_usages(Communicator& communicator, const RankUsage& mine) {
  const auto gathered = communicator.all_gather_host(std::as_bytes(std::span(&mine, 1)));
  std::vector<RankUsage> usages(gathered.size());
  for (size_t rank = 0; rank < gathered.size(); ++rank) {
    std::memcpy(&usages[rank], gathered[rank].data(), sizeof(RankUsage));
  }
  return usages;
}

Json usage_json(const std::vector<RankUsage>& usages) {
  Json result = Json::array();
  for (size_t rank = 0; rank < usages.size(); ++rank) {
    const RankUsage& usage = usages[rank];
    Json entry = {{"rank", rank},
                  {"peak_allocated_bytes", usage.peak_allocated_bytes},
                  {"peak_memory_bytes", categories_json(usage.peak_bytes)}};
    const Json host = categories_json(usage.host_peak_bytes);
    if (!host.empty()) entry["host_peak_memory_bytes"] = host;
    entry["traffic_per_update"] = traffic_json(usage.traffic);
    result.push_back(entry);
  }
  return result;
}

std::string usage_text(const std::vector<RankUsage>& usages) {
  std::string text;
  for (size_t rank = 0; rank < usages.size(); ++rank) text += (rank > 0 ? "\n" : "") + rank_line(rank, usages[rank]);
  return text;
}

}  // namespace ftrun
