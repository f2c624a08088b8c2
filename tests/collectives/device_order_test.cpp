// What collectives ask of a device: how they are ordered with the rank's stream, what they charge, shapes only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "ftrun/cpp/reference_kernels/reference_device.hpp"
#include "tests/collectives/collective_cases.h"

namespace ftrun::test {
namespace {

using ::testing::ElementsAre;

/// A reference device whose streams, events, copies and costs are written down; one per rank.
struct LoggedDevice {
  std::mutex mutex;
  std::vector<std::string> log;
  std::map<const void*, std::string> names;  ///< of streams and events

  void write(const std::string& line) {
    const std::lock_guard lock(mutex);
    log.push_back(line);
  }
  std::string name(const void* handle) {
    const std::lock_guard lock(mutex);
    return handle == nullptr ? "rank" : names.at(handle);
  }
  void* make(const char* kind) {
    const std::lock_guard lock(mutex);
    void* handle = new char;
    names[handle] = kind + std::to_string(std::ranges::count_if(
                               names, [&](const auto& entry) { return entry.second.starts_with(kind); }));
    return handle;
  }
  void drop(void* handle) {
    const std::lock_guard lock(mutex);
    names.erase(handle);
    delete static_cast<char*>(handle);
  }
};

std::mutex logs_mutex;
std::map<void*, LoggedDevice*> logs;

LoggedDevice& log_of(void* device) {
  const std::lock_guard lock(logs_mutex);
  return *logs.at(device);
}

const ftrun_device& logged_table() {
  static const ftrun_device table = [] {
    ftrun_device logged = *sdk::reference_device_table();
    logged.stream_create = [](void* device, void** stream) noexcept -> ftrun_status {
      *stream = log_of(device).make("stream");
      return FTRUN_OK;
    };
    logged.event_create = [](void* device, void** event) noexcept -> ftrun_status {
      *event = log_of(device).make("event");
      return FTRUN_OK;
    };
    logged.stream_destroy = [](void* device, void* stream) noexcept { log_of(device).drop(stream); };
    logged.event_destroy = [](void* device, void* event) noexcept { log_of(device).drop(event); };
    logged.event_record = [](void* device, void* event, void* stream) noexcept -> ftrun_status {
      LoggedDevice& log = log_of(device);
      log.write(log.name(event) + " stands for " + log.name(stream));
      return FTRUN_OK;
    };
    logged.stream_wait_event = [](void* device, void* stream, void* event) noexcept -> ftrun_status {
      LoggedDevice& log = log_of(device);
      log.write(log.name(stream) + " waits for " + log.name(event));
      return FTRUN_OK;
    };
    logged.stream_synchronize = [](void* device, void* stream) noexcept -> ftrun_status {
      LoggedDevice& log = log_of(device);
      log.write("host waits for " + log.name(stream));
      return FTRUN_OK;
    };
    logged.execute = [](void* device, void* stream, const ftrun_op_call* call) noexcept -> ftrun_status {
      LoggedDevice& log = log_of(device);
      log.write("sum on " + log.name(stream));
      return sdk::reference_device_table()->execute(device, stream, call);
    };
    logged.collective_cost = [](void* device, void* stream, ftrun_collective_kind kind, uint64_t bytes,
                                const int32_t* ranks, int32_t n_ranks) noexcept -> ftrun_status {
      LoggedDevice& log = log_of(device);
      log.write(fmt::format("{} of kind {} and {} bytes among {}", log.name(stream), kind, bytes,
                            fmt::join(ranks, ranks + n_ranks, " ")));
      return FTRUN_OK;
    };
    return logged;
  }();
  return table;
}

/// What a reduce_scatter of 8 numbers over two ranks asks of a device with these flags, and what it leaves in the
/// slice.
struct Asked {
  std::vector<std::string> log;
  std::vector<float> slice;
  CollectiveTraffic traffic;
};

Asked reduce_scatter_on(ftrun_device_flags flags) {
  Asked asked;
  run_team_well(2, {}, [&](TeamRank& rank) {
    LoggedDevice log;
    ftrun_device_open_args args = {};
    args.head = {sizeof(args), FTRUN_DEVICE_OPEN_TAG};
    args.host = team_host();
    void* instance = nullptr;
    check_status(logged_table().open(&args, &instance), "open");
    {
      const std::lock_guard lock(logs_mutex);
      logs[instance] = &log;
    }
    {
      Device device(logged_table(), instance, flags);
      ExecutionContext ctx;
      ctx.device = ctx.host_device = &device;
      CommunicatorArguments arguments;
      arguments.device = arguments.host_device = &device;
      Communicator comm(second_transport(rank), arguments);
      TeamRank own = {ctx, comm};
      const Tensor data = made_up_tensor(own, FTRUN_F32, 8, FTRUN_PLACEMENT_DEVICE);
      const Tensor slice = made_up_tensor(own, FTRUN_F32, 4, FTRUN_PLACEMENT_DEVICE);
      log.log.clear();
      comm.wait(ctx, comm.reduce_scatter(ctx, comm.world_group(), data, slice));
      const std::vector<std::string> lines = log.log;
      if (comm.rank() == 1) asked = {lines, values_of(own, slice), comm.traffic()[FTRUN_COLLECTIVE_REDUCE_SCATTER]};
    }
    logged_table().close(instance);
    const std::lock_guard lock(logs_mutex);
    logs.erase(instance);
  });
  return asked;
}

TEST(DeviceOrder, ACollectiveComesAfterTheRanksWorkAndBeforeWhatFollows) {
  const Asked asked = reduce_scatter_on(0);
  // stream0 carries the bytes, stream1 the collective's place in time.
  EXPECT_THAT(asked.log, ElementsAre("event0 stands for rank", "stream1 waits for event0", "stream0 waits for event0",
                                     "host waits for stream0", "sum on stream0", "host waits for stream0",
                                     "host waits for stream0", "stream1 of kind 1 and 32 bytes among 0 1",
                                     "event1 stands for stream1", "rank waits for event1"));
  EXPECT_EQ(asked.slice[2], folded(FTRUN_F32, {0, 1}, 4 + 2));
}

TEST(DeviceOrder, ADeviceOfShapesIsChargedAndCountedAndNothingMoves) {
  const Asked asked = reduce_scatter_on(FTRUN_DEVICE_SHAPES_ONLY);
  EXPECT_THAT(asked.log, ElementsAre("event0 stands for rank", "stream1 waits for event0",
                                     "stream1 of kind 1 and 32 bytes among 0 1", "event1 stands for stream1",
                                     "rank waits for event1"));
  EXPECT_EQ(asked.slice[2], made_up(FTRUN_F32, 1, 2));
  EXPECT_EQ(asked.traffic.elements, 8);
  EXPECT_EQ(asked.traffic.sent_bytes, 16u);
}

}  // namespace
}  // namespace ftrun::test
