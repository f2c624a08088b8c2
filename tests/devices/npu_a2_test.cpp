// What is particular to the emulated NPU: the vendor's rounding and segments, addresses that fault, the visible-devices
// list.
#include <cstdlib>

#include "plugins/devices/npu_a2/caching_allocator.h"
#include "plugins/devices/npu_a2/soc.h"
#include "tests/devices/plugin_harness.h"

namespace ftrun::test {
namespace {

using devices::CachingAllocator;
using devices::visible_devices;

TEST(VisibleDevices, ReadsTheListAsTheVendorDoes) {
  struct Row {
    const char* value;
    std::vector<int32_t> ids;
  };
  const Row rows[] = {
      {nullptr, {0, 1, 2, 3, 4, 5, 6, 7}},
      {"", {}},
      {"0", {0}},
      {"0,1,2", {0, 1, 2}},
      {"1,3", {1, 3}},
      {"1, 2,3", {1}},
      {" 1", {}},
      {"1,3,8", {1, 3}},
      {"8", {}},
      {"1,0", {}},
      {"0,0", {}},
      {"0,2,1", {}},
      {"1,,2", {1}},
      {",1", {}},
      {"1,", {1}},
      {"2x,3", {2}},
      {"-1", {}},
      {"1,99999999999999999999,0", {1}},
      {"07", {7}},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(visible_devices(row.value, 8), row.ids) << (row.value != nullptr ? row.value : "(unset)");
  }
}

TEST(VisibleDevices, NoDeviceIsAnErrorThatNamesTheVariable) {
  const Library library("npu_a2");
  TestHost host;
  int32_t count = -1;
  setenv("ASCEND_RT_VISIBLE_DEVICES", "1,0", 1);
  EXPECT_EQ(library.table()->count(host.host(), nullptr, &count), FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(count, 0);
  EXPECT_NE(host.error().find("ASCEND_RT_VISIBLE_DEVICES='1,0'"), std::string::npos) << host.error();
  setenv("ASCEND_RT_VISIBLE_DEVICES", "2,5", 1);
  EXPECT_EQ(library.table()->count(host.host(), nullptr, &count), FTRUN_OK);
  EXPECT_EQ(count, 2);
  unsetenv("ASCEND_RT_VISIBLE_DEVICES");
  EXPECT_EQ(library.table()->count(host.host(), nullptr, &count), FTRUN_OK);
  EXPECT_EQ(count, 8);
}

TEST(Soc, CapacityIsWhatProcessesGet) {
  const Library library("npu_a2");
  for (const auto& [soc, bytes] : {std::pair<const char*, uint64_t>{"910B3", 65466039009u}, {"910B4", 31675383808u}}) {
    OpenDevice d(library, {{"soc", std::string(soc)}});
    ASSERT_EQ(d.status, FTRUN_OK) << d.host.error();
    EXPECT_NEAR(static_cast<double>(d.stats().total_bytes), static_cast<double>(bytes), 2.0);
    EXPECT_EQ(d.stats().reserved_bytes, 0u);
  }
  OpenDevice wrong(library, {{"soc", std::string("910B9")}});
  EXPECT_EQ(wrong.status, FTRUN_INVALID_ARGUMENT);
  EXPECT_NE(wrong.host.error().find("910B4"), std::string::npos);
}

TEST(CachingAllocator, RoundsLikeTheVendor) {
  EXPECT_EQ(CachingAllocator::rounded(0), 512u);
  EXPECT_EQ(CachingAllocator::rounded(480), 512u);
  EXPECT_EQ(CachingAllocator::rounded(481), 1024u);
  EXPECT_EQ(CachingAllocator::rounded(512), 1024u);
  EXPECT_EQ(CachingAllocator::rounded(1 << 20), (1u << 20) + 512);
  EXPECT_EQ(CachingAllocator::segment_bytes(1 << 20), 2u << 20);
  EXPECT_EQ(CachingAllocator::segment_bytes((1 << 20) + 512), 20u << 20);
  EXPECT_EQ(CachingAllocator::segment_bytes((10 << 20) - 512), 20u << 20);
  EXPECT_EQ(CachingAllocator::segment_bytes(10 << 20), 10u << 20);
  EXPECT_EQ(CachingAllocator::segment_bytes((10 << 20) + 512), 12u << 20);
}

/// An allocator over counted addresses.
struct Counted {
  explicit Counted(uint64_t capacity)
      : left(capacity),
        allocator(
            [this](uint64_t bytes) -> char* {
              if (bytes > left) return nullptr;
              left -= bytes;
              segments.push_back(bytes);
              return reinterpret_cast<char*>(next += uint64_t{1} << 32);
            },
            [this](char*, uint64_t bytes) {
              left += bytes;
              ++returned;
            }) {}
  uint64_t left, next = 0;
  int returned = 0;
  std::vector<uint64_t> segments;
  CachingAllocator allocator;
};

TEST(CachingAllocator, SplitsAndMerges) {
  Counted c(uint64_t{1} << 30);
  const auto a = c.allocator.take(nullptr, 1000), b = c.allocator.take(nullptr, 1000),
             d = c.allocator.take(nullptr, 100000);
  EXPECT_EQ(c.segments, std::vector<uint64_t>({2u << 20}));
  EXPECT_EQ(a.bytes, 1536u);
  EXPECT_EQ(b.data, a.data + 1536);
  EXPECT_EQ(d.data, b.data + 1536);
  c.allocator.give(a.data);
  EXPECT_EQ(c.allocator.take(nullptr, 900).data, a.data) << "best fit: the small hole, not the rest of the segment";
  c.allocator.give(a.data);
  c.allocator.give(b.data);
  EXPECT_EQ(c.allocator.take(nullptr, 2500).data, a.data) << "neighbours were merged";
  c.allocator.give(a.data);
  c.allocator.give(d.data);
  c.allocator.release_cached();
  EXPECT_EQ(c.returned, 1);
  EXPECT_EQ(c.allocator.reserved_bytes(), 0u);
}

TEST(CachingAllocator, LargeBlocksSplitOnlyAboveOneMiB) {
  Counted c(uint64_t{1} << 30);
  const auto a = c.allocator.take(nullptr, 5 << 20);
  EXPECT_EQ(c.segments, std::vector<uint64_t>({20u << 20}));
  EXPECT_EQ(a.bytes, (5u << 20) + 512);
  const auto b = c.allocator.take(nullptr, 9 << 20);
  EXPECT_EQ(b.data, a.data + a.bytes) << "cut from the same 20 MiB";
  const auto exact = c.allocator.take(nullptr, (11 << 20) + 100);
  EXPECT_EQ(exact.bytes, 12u << 20) << "the rest of at most 1 MiB stays with the block";
  for (const auto& block : {a, b, exact}) c.allocator.give(block.data);
}

TEST(CachingAllocator, StreamsDoNotShareAndPressureReturnsSegments) {
  Counted c(uint64_t{24} << 20);
  int stream = 0;
  const auto a = c.allocator.take(nullptr, 1000);
  c.allocator.give(a.data);
  const auto b = c.allocator.take(&stream, 1000);
  EXPECT_EQ(c.segments.size(), 2u) << "another stream's cache is not used";
  // 4 MiB of small segments are cached or live; 20 MiB more fit, a second 20 MiB segment does not.
  const auto large = c.allocator.take(nullptr, 3 << 20);
  EXPECT_NE(large.data, nullptr);
  EXPECT_EQ(c.allocator.take(nullptr, 19 << 20).data, nullptr);
  EXPECT_EQ(c.returned, 1) << "the free small segment was given back in the attempt";
  c.allocator.give(b.data);
  c.allocator.give(large.data);
  EXPECT_EQ(c.allocator.take(nullptr, 19 << 20).data, large.data) << "a cached segment that fits is used";
  c.allocator.give(large.data);
  EXPECT_NE(c.allocator.take(nullptr, 22 << 20).data, nullptr);
  EXPECT_EQ(c.returned, 3);
}

TEST(NpuA2, OutOfMemoryReadsLikeTheVendors) {
  const Library library("npu_a2");
  OpenDevice d(library, {{"soc", std::string("910B3")}, {"hbm_bytes", int64_t{64} << 20}});
  char* held = d.allocate(30 << 20, FTRUN_MEMORY_OPTIMIZER);
  EXPECT_EQ(d.try_allocate(50 << 20, FTRUN_MEMORY_ACTIVATIONS), FTRUN_RESOURCE_EXHAUSTED);
  EXPECT_NE(
      d.host.error().find("NPU out of memory. Tried to allocate 50.00 MiB (NPU 0; 64.00 MiB total capacity; 30.00 MiB "
                          "already allocated; 30.00 MiB current active; 32.00 MiB free; 32.00 MiB reserved in total"),
      std::string::npos)
      << d.host.error();
  EXPECT_NE(d.host.error().find("optimizer 30.00 MiB"), std::string::npos);
  d.free(held);
}

TEST(NpuA2, ReturnedMemoryLeavesTheHostAndComesBackZeroed) {
  const Library library("npu_a2");
  OpenDevice d(library, {{"soc", std::string("910B3")}, {"hbm_bytes", int64_t{64} << 20}});
  std::vector<char> data(30 << 20, 'x');
  char* a = d.allocate(data.size());
  d.upload(a, data.data(), data.size());
  d.free(a);
  char* b = d.allocate(60 << 20);  // needs the cached segment's room
  std::vector<char> back(1 << 20, 'y');
  d.download(back.data(), b, back.size());
  EXPECT_EQ(back, std::vector<char>(1 << 20, '\0'));
  d.free(b);
}

TEST(NpuA2DeathTest, HostDereferenceFaults) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Library library("npu_a2");
  OpenDevice d(library, {{"soc", std::string("910B3")}, {"hbm_bytes", int64_t{64} << 20}});
  volatile char* address = d.allocate(4096);
  EXPECT_DEATH({ address[0] = 1; }, "");
  EXPECT_DEATH({ static_cast<void>(address[100]); }, "");
  d.free(const_cast<char*>(address));
}

TEST(NpuA2, CopyKindsAreChecked) {
  const Library library("npu_a2");
  OpenDevice d(library, {{"soc", std::string("910B3")}, {"hbm_bytes", int64_t{64} << 20}});
  char *a = d.allocate(64), *b = d.allocate(64);
  EXPECT_EQ(d.table->copy(d.device, nullptr, a, b, 64, FTRUN_COPY_HOST_TO_DEVICE), FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(d.table->copy(d.device, nullptr, a, b, 64, FTRUN_COPY_DEVICE_TO_HOST), FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(d.table->copy(d.device, nullptr, a, b, 64, FTRUN_COPY_DEVICE_TO_DEVICE), FTRUN_OK);
  d.free(a);
  d.free(b);
}

TEST(CpuIsa, UnknownCapIsAnErrorNamingTheChoices) {
  const Library library("cpu");
  setenv("FTRUN_CPU_ISA", "sse9", 1);
  OpenDevice d(library, {});
  unsetenv("FTRUN_CPU_ISA");
  EXPECT_EQ(d.status, FTRUN_INVALID_ARGUMENT);
  EXPECT_NE(d.host.error().find("expected avx2, avx512 or avx512_bf16"), std::string::npos) << d.host.error();
}

}  // namespace
}  // namespace ftrun::test
