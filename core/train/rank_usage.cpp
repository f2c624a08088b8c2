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

std::string bytes_text(const uint64_t* bytes, const char* prefix) {
  std::string text;
  for (size_t i = 0; i < kCategories.size(); ++i) {
    if (bytes[i] > 0) text += fmt::format(" {}{} {}", prefix, kCategories[i], memory_text(bytes[i]));
  }
  return text;
}

/// `sent(kind)` in bytes.
template <typename Sent>
std::string traffic_text(Sent&& sent) {
  std::string text;
  for (size_t i = 0; i < kKinds.size(); ++i) {
    if (sent(i) > 0) text += fmt::format("{} {} {}", text.empty() ? "" : ",", kKinds[i], memory_text(sent(i)));
  }
  return text.empty() ? " nothing" : text;
}

std::string rank_line(size_t rank, const RankUsage& usage) {
  return fmt::format("rank {}: peak {}:{}{}; sent per update:{}", rank, memory_text(usage.peak_allocated_bytes),
                     bytes_text(usage.peak_bytes.data(), ""), bytes_text(usage.host_peak_bytes.data(), "host "),
                     traffic_text([&](size_t kind) { return usage.traffic[kind].sent_bytes; }));
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

Json schedule_json(const ftrun_schedule& schedule) {
  std::array<uint64_t, 16> device = {};
  std::array<uint64_t, 16> host = {};
  std::copy_n(schedule.device_bytes, std::min(device.size(), std::size(schedule.device_bytes)), device.begin());
  std::copy_n(schedule.host_bytes, std::min(host.size(), std::size(schedule.host_bytes)), host.begin());
  Json traffic = Json::object();
  for (size_t i = 0; i < kKinds.size(); ++i) {
    if (schedule.update_elements[i] == 0) continue;
    traffic[kKinds[i]] = {{"elements", schedule.update_elements[i]}, {"sent_bytes", schedule.update_sent_bytes[i]}};
  }
  return {{"memory_bytes", categories_json(device)},
          {"host_memory_bytes", categories_json(host)},
          {"traffic_per_update", traffic}};
}

std::string usage_text(const std::vector<RankUsage>& usages, const std::optional<ftrun_schedule>& schedule) {
  std::string text;
  for (size_t rank = 0; rank < usages.size(); ++rank) text += rank_line(rank, usages[rank]) + "\n";
  if (!schedule) return text.substr(0, text.size() - 1);
  return text + fmt::format("announced for each:{}{}; sent per update:{}", bytes_text(schedule->device_bytes, ""),
                            bytes_text(schedule->host_bytes, "host "),
                            traffic_text([&](size_t kind) { return schedule->update_sent_bytes[kind]; }));
}

}  // namespace ftrun
