// Device plugin `cpu`: the host's memory and threads; ops run inline, streams are in order by construction.
#include <mutex>
#include <utility>

#include "ftrun/cpp/plugin.hpp"
#include "plugins/devices/cpu/host_heap.h"
#include "plugins/devices/kernels/device_table.h"
#include "plugins/devices/kernels/isa.h"

namespace ftrun::devices {
namespace {

constexpr ftrun_option kOptions[] = {
    sdk::with_range(
        sdk::option("host_memory_limit", FTRUN_OPTION_BYTES, "",
                    "most host memory for tensors, in bytes; unset: what the machine and its control group have "
                    "available at start"),
        {1, 9e18}),
    sdk::with_range(
        sdk::option("fail_allocation", FTRUN_OPTION_INT, "0",
                    "for tests: the allocation of this number (from 1) fails once as if memory had run out; 0: none"),
        {0, 9e15}),
};
constexpr ftrun_option_table kOptionTable = sdk::option_table(kOptions);

class CpuDevice : public kernels::ScratchSource {
 public:
  static int32_t count(const ftrun_host*, const ftrun_options*) { return 1; }

  explicit CpuDevice(const ftrun_device_open_args& args)
      : host_(args.host), heap_(limit_of(args)), scratch_(*this, *this), context_{kernels::Parallel(host_), scratch_} {
    check_open_args(args, "cpu");
    if (args.ordinal != 0) throw sdk::Error(FTRUN_OUT_OF_RANGE, "cpu: there is one device, ordinal 0");
    if (args.options != nullptr) fail_allocation_ = sdk::Options(host_, args.options).get_int("fail_allocation");
    const kernels::IsaChoice isa = kernels::choose_isa();
    isa_ = isa.name;
    if (!isa.notice.empty()) host_->log(host_, FTRUN_LOG_WARNING, sdk::str(isa.notice));
  }

  const ftrun_host* host() const { return host_; }

  ftrun_device_properties properties() const {
    ftrun_device_properties p{};
    p.name = FTRUN_STR("CPU");
    p.type = FTRUN_DEVICE_TYPE_CPU;
    p.total_bytes = heap_.limit_bytes();
    p.alignment_bytes = HostHeap::kAlignment;
    p.isa = sdk::str(isa_);
    return p;
  }

  void* allocate(void*, uint64_t bytes, ftrun_memory_category category) {
    std::string reason;
    void* data = try_allocate(bytes, category, use_of(category), &reason);
    if (data == nullptr && release_idle_scratch()) data = try_allocate(bytes, category, use_of(category), &reason);
    if (data == nullptr) throw_exhausted(bytes, category, reason);
    return data;
  }

  void deallocate(void* data) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ledger_.remove(data);
    heap_.give(data);
  }

  void copy(void* destination, const void* source, uint64_t bytes, ftrun_copy_kind kind) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (kind != FTRUN_COPY_DEVICE_TO_HOST) ledger_.require_inside(destination, bytes, "copy: destination");
      if (kind != FTRUN_COPY_HOST_TO_DEVICE) ledger_.require_inside(source, bytes, "copy: source");
    }
    if (bytes != 0) std::memmove(destination, source, bytes);
  }

  void execute(const ftrun_op_call& call) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      require_views_inside(ledger_, call);
    }
    // The communication thread's sums must not wait for the rank's long ops.
    std::unique_lock<std::mutex> running(op_mutex_, std::defer_lock);
    if (!kernels::op_at(static_cast<int64_t>(call.op)).without_scratch) running.lock();
    run_op(context_, call);
  }

  ftrun_memory_stats memory_stats() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ledger_.set_reserved(heap_.reserved_bytes());
    ftrun_memory_stats stats = ledger_.stats();
    stats.total_bytes = heap_.limit_bytes();
    return stats;
  }

  void reset_peak() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ledger_.reset_peak();
  }

  // Scratch of the kernels.
  void* allocate(uint64_t bytes) override {
    std::string reason;
    void* data = try_allocate(bytes, FTRUN_MEMORY_WORKSPACE, HeapUse::kScratch, &reason);
    if (data == nullptr) throw_exhausted(bytes, FTRUN_MEMORY_WORKSPACE, reason);
    return data;
  }
  void release(void* data) override { deallocate(data); }

 private:
  static HeapUse use_of(ftrun_memory_category category) {
    const bool stays = category == FTRUN_MEMORY_WEIGHTS || category == FTRUN_MEMORY_OPTIMIZER;
    return stays ? HeapUse::kState : HeapUse::kStep;
  }

  void* try_allocate(uint64_t bytes, ftrun_memory_category category, HeapUse use, std::string* reason) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (++allocations_ == fail_allocation_) {
      *reason = "fail_allocation asked for it";
      injected_ = true;
      return nullptr;
    }
    void* data = heap_.take(bytes, use, reason);
    if (data == nullptr) return nullptr;
    ledger_.add(data, {bytes, HostHeap::rounded(bytes), category});
    ledger_.set_reserved(heap_.reserved_bytes());
    return data;
  }

  /// Scratch of finished ops goes before an allocation fails. False when there was none or an op is running.
  bool release_idle_scratch() {
    const std::unique_lock<std::mutex> running(op_mutex_, std::try_to_lock);
    if (std::exchange(injected_, false) || !running.owns_lock() || scratch_.held_bytes() == 0) return false;
    scratch_.release();
    return true;
  }

  static uint64_t limit_of(const ftrun_device_open_args& args) {
    if (args.options == nullptr) return 0;
    const sdk::Options options(args.host, args.options);
    return options.is_set("host_memory_limit") ? static_cast<uint64_t>(options.get_int("host_memory_limit")) : 0;
  }

  [[noreturn]] void throw_exhausted(uint64_t bytes, ftrun_memory_category category, const std::string& reason) const {
    throw sdk::Error(FTRUN_RESOURCE_EXHAUSTED, "Host out of memory. Tried to allocate " + format_bytes(bytes) +
                                                   " for " + category_name(category) + ": " + reason + "; " +
                                                   format_bytes(ledger_.stats().allocated_bytes) +
                                                   " already allocated. Live: " + ledger_.live_text() + ". " +
                                                   ledger_.advice());
  }

  const ftrun_host* host_;
  std::mutex mutex_;     ///< guards memory
  std::mutex op_mutex_;  ///< one op that uses scratch at a time
  HostHeap heap_;
  MemoryLedger ledger_;
  kernels::Scratch scratch_;
  kernels::Context context_;
  std::string_view isa_;
  int64_t allocations_ = 0, fail_allocation_ = 0;
  bool injected_ = false;
};

}  // namespace
}  // namespace ftrun::devices

FTRUN_PLUGIN(FTRUN_KIND_DEVICE, "cpu", "0.1.0", "The host's processors and memory", &ftrun::devices::kOptionTable,
             &ftrun::devices::DeviceTable<ftrun::devices::CpuDevice>::kTable);
