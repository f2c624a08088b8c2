// Device plugin `npu_a2`: an emulated Ascend A2. The arithmetic is the shared kernels'; memory behaves like the chip's.
// Leaves out: task queues, the simulated clock and shapes-only mode; work runs inline, so streams are in order by
// construction, collective_cost and host_cost charge nothing and simulated_time is UNIMPLEMENTED.
#include <cstdlib>
#include <mutex>
#include <utility>

#include "ftrun/cpp/plugin.hpp"
#include "plugins/devices/kernels/device_table.h"
#include "plugins/devices/kernels/host_memory.h"
#include "plugins/devices/kernels/isa.h"
#include "plugins/devices/npu_a2/arena.h"
#include "plugins/devices/npu_a2/caching_allocator.h"
#include "plugins/devices/npu_a2/soc.h"

namespace ftrun::devices {
namespace {

constexpr ftrun_option kOptions[] = {
    sdk::with_choices(sdk::option("soc", FTRUN_OPTION_STRING, "910B3",
                                  "chip to emulate: 910B1, 910B2, 910B3 (60.97 GiB usable) or 910B4 (29.50 GiB)"),
                      "910B1,910B2,910B3,910B4"),
    sdk::with_range(sdk::option("hbm_bytes", FTRUN_OPTION_BYTES, "",
                                "device memory of each NPU in bytes; unset: what the chip has"),
                    {2097152, 1e15}),
    sdk::with_range(
        sdk::option("fail_allocation", FTRUN_OPTION_INT, "0",
                    "for tests: the allocation of this number (from 1) fails once as if memory had run out; 0: none"),
        {0, 9e15}),
};
constexpr ftrun_option_table kOptionTable = sdk::option_table(kOptions);
constexpr const char* kVisibleDevices = "ASCEND_RT_VISIBLE_DEVICES";

/// What the options select; defaults without options.
struct Settings {
  const Soc* soc = &find_soc("910B3");
  uint64_t hbm_bytes = 0;
  int64_t fail_allocation = 0;

  Settings(const ftrun_host* host, const ftrun_options* given) {
    if (given != nullptr) {
      const sdk::Options options(host, given);
      soc = &find_soc(options.get_string("soc"));
      if (options.is_set("hbm_bytes")) hbm_bytes = static_cast<uint64_t>(options.get_int("hbm_bytes"));
      fail_allocation = options.get_int("fail_allocation");
    }
    if (hbm_bytes == 0) hbm_bytes = soc->usable_bytes;
  }
};

/// Tile buffers of a thread stand for a core's on-chip buffers: they are the host's memory, not HBM.
class OnChipBuffers : public kernels::ScratchSource {
 public:
  void* allocate(uint64_t bytes) override {
    void* data = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (data == nullptr) throw sdk::Error(FTRUN_RESOURCE_EXHAUSTED, "host out of memory for kernel buffers");
    return data;
  }
  void release(void* data) override { std::free(data); }
};

class NpuDevice : public kernels::ScratchSource {
 public:
  static int32_t count(const ftrun_host* host, const ftrun_options*) {
    const char* value = std::getenv(kVisibleDevices);
    const auto ids = visible_devices(value, kDevicesPerServer);
    if (ids.empty()) {
      throw sdk::Error(
          FTRUN_INVALID_ARGUMENT,
          std::string("npu_a2: ") + kVisibleDevices + "='" + value +
              "' selects no device: expected ids from 0 to 7 in ascending order without blanks, such as 0,1,2");
    }
    if (value != nullptr) warn_when_cut(host, value, ids);
    return static_cast<int32_t>(ids.size());
  }

  explicit NpuDevice(const ftrun_device_open_args& args)
      : host_(args.host),
        settings_(args.host, args.options),
        arena_(settings_.hbm_bytes),
        allocator_([this](uint64_t bytes) { return reserve_segment(bytes); },
                   [this](char* data, uint64_t bytes) { arena_.give_back(data, bytes); }),
        scratch_(*this, on_chip_),
        context_{kernels::Parallel(host_), scratch_} {
    check_open_args(args, "npu_a2");
    const int32_t devices = count(host_, args.options);
    if (args.ordinal < 0 || args.ordinal >= devices) {
      throw sdk::Error(FTRUN_OUT_OF_RANGE, "npu_a2: device " + std::to_string(args.ordinal) + " of " +
                                               std::to_string(devices) + " visible ones");
    }
    ordinal_ = args.ordinal;
    const kernels::IsaChoice isa = kernels::choose_isa();
    isa_ = isa.name;
    if (!isa.notice.empty()) host_->log(host_, FTRUN_LOG_WARNING, sdk::str(isa.notice));
  }

  const ftrun_host* host() const { return host_; }

  ftrun_device_properties properties() const {
    ftrun_device_properties p{};
    p.name = sdk::str(settings_.soc->device_name);
    p.type = FTRUN_DEVICE_TYPE_ACCELERATOR;
    p.ordinal = ordinal_;
    p.total_bytes = arena_.capacity_bytes();
    p.alignment_bytes = CachingAllocator::kMinBlock;
    p.peak_flops_f32 = settings_.soc->f32_flops;
    p.peak_flops_bf16 = settings_.soc->bf16_flops;
    p.memory_bandwidth = settings_.soc->bandwidth;
    p.isa = sdk::str(isa_);
    return p;
  }

  void* allocate(void* stream, uint64_t bytes, ftrun_memory_category category) {
    void* data = try_allocate(stream, bytes, category);
    if (data == nullptr && release_idle_scratch()) data = try_allocate(stream, bytes, category);
    if (data == nullptr) throw_exhausted(bytes, category);
    return data;
  }

  void deallocate(void* data) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ledger_.remove(data);
    allocator_.give(static_cast<char*>(data));
  }

  void copy(void* destination, const void* source, uint64_t bytes, ftrun_copy_kind kind) {
    void* to = destination;
    const void* from = source;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (kind != FTRUN_COPY_DEVICE_TO_HOST) {
        ledger_.require_inside(destination, bytes, "copy: destination");
        to = arena_.alias(destination);
      } else {
        require_host(destination, "copy: destination");
      }
      if (kind != FTRUN_COPY_HOST_TO_DEVICE) {
        ledger_.require_inside(source, bytes, "copy: source");
        from = arena_.alias(source);
      } else {
        require_host(source, "copy: source");
      }
    }
    if (bytes != 0) std::memmove(to, from, bytes);
  }

  void execute(const ftrun_op_call& call) {
    std::vector<ftrun_view> views(call.inputs, call.inputs + call.n_inputs);
    views.insert(views.end(), call.outputs, call.outputs + call.n_outputs);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      require_views_inside(ledger_, call);
    }
    for (ftrun_view& view : views) {
      if (view.data != nullptr) view.data = arena_.alias(view.data);
    }
    ftrun_op_call aliased = call;
    aliased.inputs = views.data();
    aliased.outputs = views.data() + call.n_inputs;
    // The communication thread's sums must not wait for the rank's long ops.
    std::unique_lock<std::mutex> running(op_mutex_, std::defer_lock);
    if (!kernels::op_at(static_cast<int64_t>(call.op)).without_scratch) running.lock();
    run_op(context_, aliased);
  }

  ftrun_memory_stats memory_stats() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ledger_.set_reserved(arena_.reserved_bytes());
    ftrun_memory_stats stats = ledger_.stats();
    stats.total_bytes = arena_.capacity_bytes();
    return stats;
  }

  void reset_peak() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ledger_.reset_peak();
  }

  // Scratch of whole ops: HBM, seen by the kernels through the alias.
  void* allocate(uint64_t bytes) override {
    void* data = try_allocate(nullptr, bytes, FTRUN_MEMORY_WORKSPACE);
    if (data == nullptr) throw_exhausted(bytes, FTRUN_MEMORY_WORKSPACE);
    return arena_.alias(data);
  }
  void release(void* data) override { deallocate(arena_.device_address(data)); }

 private:
  // The driver stops at the first thing it cannot use and says nothing.
  static void warn_when_cut(const ftrun_host* host, std::string_view value, const std::vector<int32_t>& ids) {
    std::string used;
    for (const int32_t id : ids) used += (used.empty() ? "" : ",") + std::to_string(id);
    static std::once_flag once;
    if (used == value || host == nullptr) return;
    std::call_once(once, [&] {
      const std::string text = std::string(kVisibleDevices) + "='" + std::string(value) + "' is read as '" + used +
                               "', as the driver reads it: expected ids from 0 to 7 in ascending order without blanks";
      host->log(host, FTRUN_LOG_WARNING, sdk::str(text));
    });
  }

  void* try_allocate(void* stream, uint64_t bytes, ftrun_memory_category category) {
    const std::lock_guard<std::mutex> lock(mutex_);
    host_shortage_.clear();
    injected_ = ++allocations_ == settings_.fail_allocation;
    if (injected_) return nullptr;
    const CachingAllocator::Block block = allocator_.take(stream, bytes);
    if (block.data == nullptr) return nullptr;
    ledger_.add(block.data, {bytes, block.bytes, category});
    ledger_.set_reserved(arena_.reserved_bytes());
    return block.data;
  }

  /// Scratch of finished ops goes before an allocation fails. False when there was none or an op is running.
  bool release_idle_scratch() {
    const std::unique_lock<std::mutex> running(op_mutex_, std::try_to_lock);
    if (injected_ || !running.owns_lock() || scratch_.held_bytes() == 0) return false;
    scratch_.release();
    return true;
  }

  /// A segment of HBM, if the chip has it and the host can back it.
  char* reserve_segment(uint64_t bytes) {
    const uint64_t available = available_host_bytes();
    if (bytes > available || available - bytes < kHostReserveBytes) {
      host_shortage_ = " This machine cannot back more emulated memory: " + format_bytes(available) + " available.";
      return nullptr;
    }
    return arena_.reserve(bytes);
  }

  void require_host(const void* data, const char* what) const {
    if (!arena_.contains(data)) return;
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, std::string(what) + " is device memory, but the kind of copy says host");
  }

  [[noreturn]] void throw_exhausted(uint64_t bytes, ftrun_memory_category category) const {
    const ftrun_memory_stats& stats = ledger_.stats();
    const uint64_t capacity = arena_.capacity_bytes(), reserved = arena_.reserved_bytes();
    throw sdk::Error(FTRUN_RESOURCE_EXHAUSTED,
                     "NPU out of memory. Tried to allocate " + format_bytes(bytes) + " (NPU " +
                         std::to_string(ordinal_) + "; " + format_bytes(capacity) + " total capacity; " +
                         format_bytes(stats.allocated_bytes) + " already allocated; " +
                         format_bytes(stats.allocated_bytes) + " current active; " + format_bytes(capacity - reserved) +
                         " free; " + format_bytes(reserved) + " reserved in total by ftrun). The request was for " +
                         category_name(category) + ". Live: " + ledger_.live_text() + ". " + ledger_.advice() +
                         host_shortage_ + (injected_ ? " (fail_allocation asked for it)" : ""));
  }

  const ftrun_host* host_;
  Settings settings_;
  std::mutex mutex_;     ///< guards memory
  std::mutex op_mutex_;  ///< one op that uses scratch at a time
  std::string host_shortage_;
  Arena arena_;
  CachingAllocator allocator_;
  MemoryLedger ledger_;
  OnChipBuffers on_chip_;
  kernels::Scratch scratch_;
  kernels::Context context_;
  std::string_view isa_;
  int32_t ordinal_ = 0;
  int64_t allocations_ = 0;
  bool injected_ = false;
};

}  // namespace
}  // namespace ftrun::devices

FTRUN_PLUGIN(FTRUN_KIND_DEVICE, "npu_a2", "0.1.0", "Emulated Ascend A2 NPUs: real arithmetic, enforced device memory",
             &ftrun::devices::kOptionTable, &ftrun::devices::DeviceTable<ftrun::devices::NpuDevice>::kTable);
