// Calls of the host table that need no engine.
#include "core/plugin/host_table.h"

#include <deque>
#include <mutex>

#include "core/base/failure_detail.h"
#include "core/base/logging.h"
#include "core/config/option_api.h"
#include "core/parallel/thread_pool.h"

namespace ftrun {
namespace {

// A table and what it stands for. `table.self` points to the whole.
struct HostInstance {
  std::string plugin_name;
  HostServices services;
  ftrun_host table;
};

const HostInstance& instance_of(const ftrun_host* host) { return *static_cast<const HostInstance*>(host->self); }

std::string_view view(ftrun_str text) {
  return text.size == 0 || text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

void host_log(const ftrun_host* host, ftrun_log_level level, ftrun_str message) noexcept {
  try {
    const LogLevel known = level < FTRUN_LOG_DEBUG   ? LogLevel::kDebug
                           : level > FTRUN_LOG_ERROR ? LogLevel::kError
                                                     : static_cast<LogLevel>(level);
    if (!log_enabled(known)) return;
    log_line(known, fmt::format("{}: {}", instance_of(host).plugin_name, view(message)));
  } catch (...) {
    // A line that cannot be written must not fail the run.
  }
}

ftrun_status host_fail(const ftrun_host*, ftrun_status code, ftrun_str message) noexcept {
  set_failure_detail(view(message));
  return code == FTRUN_OK ? FTRUN_INTERNAL : code;
}

void host_parallel_for(const ftrun_host*, int64_t count, ftrun_task task, void* argument) noexcept {
  if (!SkipParallelWork::active()) parallel_for(count, task, argument);
}
int32_t host_thread_count(const ftrun_host*) noexcept { return thread_count(); }
int32_t host_thread_index(const ftrun_host*) noexcept { return thread_index(); }

ftrun_status no_metric(ftrun_context*, ftrun_str, double) noexcept {
  set_failure_detail("no run is in progress that could record a metric");
  return FTRUN_FAILED_PRECONDITION;
}

int32_t host_cancelled(const ftrun_host* host) noexcept {
  const auto cancelled = instance_of(host).services.cancelled;
  return cancelled != nullptr && cancelled() ? 1 : 0;
}

const void* host_get_extension(const ftrun_host*, ftrun_str) noexcept { return nullptr; }

}  // namespace

const ftrun_host* make_host_table(std::string plugin_name, const HostServices& services) {
  static std::mutex mutex;
  // Never destroyed: plugins may keep the pointer until the process ends.
  static auto& instances = *new std::deque<HostInstance>();
  const std::scoped_lock lock(mutex);
  HostInstance& instance = instances.emplace_back(HostInstance{std::move(plugin_name), services, {}});
  ftrun_host& table = instance.table;
  table.head = {sizeof(ftrun_host), FTRUN_HOST_TAG};
  table.abi_minor = FTRUN_ABI_MINOR;
  table.self = &instance;
  table.log = host_log;
  table.fail = host_fail;
  table.parallel_for = host_parallel_for;
  table.thread_count = host_thread_count;
  table.thread_index = host_thread_index;
  table.metric = services.metric != nullptr ? services.metric : no_metric;
  table.cancelled = host_cancelled;
  table.get_extension = host_get_extension;
  table.option = option_api();
  table.tensor = services.tensor;
  table.context = services.context;
  table.data = services.data;
  table.generate = services.generate;
  table.shard = services.shard;
  table.collectives = services.collectives;
  return &table;
}

}  // namespace ftrun
