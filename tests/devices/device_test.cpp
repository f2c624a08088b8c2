// What holds for every device of ours: memory, copies, ops, streams, errors. Run on `cpu` and on `npu_a2`.
#include <cstdlib>

#include "tests/devices/plugin_harness.h"

namespace ftrun::test {
namespace {

class DeviceTest : public ::testing::TestWithParam<const char*> {
 protected:
  DeviceTest() : library(GetParam()), npu(std::strcmp(GetParam(), "npu_a2") == 0) {
    unsetenv("ASCEND_RT_VISIBLE_DEVICES");
  }
  OptionMap options(uint64_t limit_bytes, int64_t fail = 0) const {
    OptionMap map = {{npu ? "hbm_bytes" : "host_memory_limit", static_cast<int64_t>(limit_bytes)},
                     {"fail_allocation", fail}};
    if (npu) map["soc"] = std::string("910B3");
    return map;
  }
  Library library;
  bool npu;
};

TEST_P(DeviceTest, DescribesItself) {
  EXPECT_EQ(std::string(sdk::view(library.plugin()->id)), GetParam());
  EXPECT_EQ(std::string(sdk::view(library.plugin()->kind)), "device");
  OpenDevice d(library, options(64 << 20));
  ASSERT_EQ(d.status, FTRUN_OK) << d.host.error();
  ftrun_device_properties p{};
  p.head = {sizeof(p), FTRUN_DEVICE_PROPERTIES_TAG};
  ASSERT_EQ(d.table->properties(d.device, &p), FTRUN_OK);
  EXPECT_EQ(p.total_bytes, uint64_t{64} << 20);
  EXPECT_EQ(p.type, npu ? FTRUN_DEVICE_TYPE_ACCELERATOR : FTRUN_DEVICE_TYPE_CPU);
  EXPECT_GT(p.isa.size, 0u);
}

TEST_P(DeviceTest, RefusesShapesOnlyAndUnknownFlagsAndOrdinals) {
  OpenDevice shapes(library, options(64 << 20), 1, 0, FTRUN_DEVICE_SHAPES_ONLY);
  EXPECT_EQ(shapes.status, FTRUN_UNIMPLEMENTED);
  EXPECT_NE(shapes.host.error().find("FTRUN_DEVICE_SHAPES_ONLY"), std::string::npos);
  OpenDevice flags(library, options(64 << 20), 1, 0, 2);
  EXPECT_EQ(flags.status, FTRUN_INVALID_ARGUMENT);
  OpenDevice ordinal(library, options(64 << 20), 1, 8);
  EXPECT_EQ(ordinal.status, FTRUN_OUT_OF_RANGE);
}

TEST_P(DeviceTest, ComputesAndCopies) {
  OpenDevice d(library, options(64 << 20), 2);
  std::vector<float> a(1000), b(1000), y(1000);
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(i);
    b[i] = 0.5f;
  }
  char *da = d.allocate(4000), *db = d.allocate(4000), *dy = d.allocate(4000);
  d.upload(da, a.data(), 4000);
  d.upload(db, b.data(), 4000);
  ASSERT_EQ(d.add(da, db, dy, 1000), FTRUN_OK) << d.host.error();
  ASSERT_EQ(d.table->copy(d.device, nullptr, da, dy, 4000, FTRUN_COPY_DEVICE_TO_DEVICE), FTRUN_OK);
  d.download(y.data(), da, 4000);
  for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], static_cast<float>(i) + 0.5f);
  for (char* data : {da, db, dy}) d.free(data);
}

TEST_P(DeviceTest, ChecksBounds) {
  OpenDevice d(library, options(64 << 20));
  char *a = d.allocate(100), *b = d.allocate(4000);
  std::vector<char> host(5000);
  EXPECT_EQ(d.table->copy(d.device, nullptr, a, host.data(), 101, FTRUN_COPY_HOST_TO_DEVICE), FTRUN_INVALID_ARGUMENT);
  EXPECT_NE(d.host.error().find("101 bytes at offset 0 of an allocation of 100"), std::string::npos) << d.host.error();
  EXPECT_EQ(d.table->copy(d.device, nullptr, a + 99, host.data(), 2, FTRUN_COPY_HOST_TO_DEVICE),
            FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(d.table->copy(d.device, nullptr, a + 99, host.data(), 1, FTRUN_COPY_HOST_TO_DEVICE), FTRUN_OK);
  EXPECT_EQ(d.table->copy(d.device, nullptr, host.data(), b + 1, 4000, FTRUN_COPY_DEVICE_TO_HOST),
            FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(d.table->copy(d.device, nullptr, host.data(), host.data(), 4, FTRUN_COPY_DEVICE_TO_DEVICE),
            FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(d.table->copy(d.device, nullptr, host.data(), b, 4, 7), FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(d.add(b, b, b, 1000), FTRUN_OK);
  EXPECT_EQ(d.add(b, b, b, 1001), FTRUN_INVALID_ARGUMENT);
  EXPECT_NE(d.host.error().find("add: input 0"), std::string::npos) << d.host.error();
  EXPECT_EQ(d.add(host.data(), b, b, 10), FTRUN_INVALID_ARGUMENT);
  d.free(a);
  EXPECT_EQ(d.table->deallocate(d.device, nullptr, a), FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(d.add(a, b, b, 1), FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(d.table->deallocate(d.device, nullptr, host.data()), FTRUN_INVALID_ARGUMENT);
  d.free(b);
}

TEST_P(DeviceTest, CountsByCategory) {
  OpenDevice d(library, options(64 << 20));
  char* weights = d.allocate(10000, FTRUN_MEMORY_WEIGHTS);
  char* first = d.allocate(3 << 20, FTRUN_MEMORY_ACTIVATIONS);
  char* second = d.allocate(2 << 20, FTRUN_MEMORY_ACTIVATIONS);
  const auto both = d.stats();
  EXPECT_EQ(both.total_bytes, uint64_t{64} << 20);
  EXPECT_EQ(both.allocation_count, 3u);
  EXPECT_GE(both.category_bytes[FTRUN_MEMORY_WEIGHTS], 10000u);
  EXPECT_GE(both.category_bytes[FTRUN_MEMORY_ACTIVATIONS], 5u << 20);
  EXPECT_EQ(both.allocated_bytes,
            both.category_bytes[FTRUN_MEMORY_WEIGHTS] + both.category_bytes[FTRUN_MEMORY_ACTIVATIONS]);
  EXPECT_GE(both.reserved_bytes, both.allocated_bytes);
  d.free(first);
  const auto one = d.stats();
  EXPECT_LE(one.category_bytes[FTRUN_MEMORY_ACTIVATIONS], 3u << 20);
  EXPECT_EQ(one.category_peak_bytes[FTRUN_MEMORY_ACTIVATIONS], both.category_bytes[FTRUN_MEMORY_ACTIVATIONS]);
  EXPECT_EQ(one.peak_allocated_bytes, both.allocated_bytes);
  ASSERT_EQ(d.table->reset_peak(d.device), FTRUN_OK);
  EXPECT_EQ(d.stats().peak_allocated_bytes, one.allocated_bytes);
  EXPECT_EQ(d.stats().category_peak_bytes[FTRUN_MEMORY_ACTIVATIONS], one.category_bytes[FTRUN_MEMORY_ACTIVATIONS]);
  d.free(weights);
  d.free(second);
  EXPECT_EQ(d.stats().allocated_bytes, 0u);
  void* out = nullptr;
  EXPECT_EQ(d.table->allocate(d.device, nullptr, 8, 9, &out), FTRUN_INVALID_ARGUMENT);
}

TEST_P(DeviceTest, ZeroBytesAreDistinctAddresses) {
  OpenDevice d(library, options(64 << 20));
  char *a = d.allocate(0), *b = d.allocate(0);
  EXPECT_NE(a, nullptr);
  EXPECT_NE(a, b);
  d.free(a);
  d.free(b);
}

TEST_P(DeviceTest, OutOfMemoryNamesWhatIsLive) {
  OpenDevice d(library, options(64 << 20));
  char* weights = d.allocate(40 << 20, FTRUN_MEMORY_WEIGHTS);
  char* activations = d.allocate(10 << 20, FTRUN_MEMORY_ACTIVATIONS);
  EXPECT_EQ(d.try_allocate(30 << 20, FTRUN_MEMORY_GRADIENTS), FTRUN_RESOURCE_EXHAUSTED);
  const std::string message = d.host.error();
  for (const char* part : {"out of memory. Tried to allocate 30.00 MiB", "64.00 MiB", "gradients", "weights 40.00 MiB",
                           "activations 10.00 MiB", "Most is weights"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
  EXPECT_EQ(d.try_allocate(~uint64_t{0} - 5), FTRUN_RESOURCE_EXHAUSTED);
  d.free(weights);
  // The cached 40 MiB are given back to make room for another size.
  EXPECT_EQ(d.try_allocate(48 << 20), FTRUN_OK) << d.host.error();
  d.free(d.kept.back());
  d.free(activations);
}

TEST_P(DeviceTest, EveryAllocationMayFailOnce) {
  for (int64_t n = 1; n <= 6; ++n) {
    OpenDevice d(library, options(64 << 20, n));
    int failures = 0;
    for (int i = 1; i <= 5; ++i) {
      const ftrun_status status = d.try_allocate(static_cast<uint64_t>(i) * 1000);
      EXPECT_EQ(status, i == n ? FTRUN_RESOURCE_EXHAUSTED : FTRUN_OK);
      failures += status != FTRUN_OK;
    }
    EXPECT_EQ(failures, n <= 5);
    for (char* data : d.kept) d.free(data);
    EXPECT_EQ(d.stats().allocated_bytes, 0u);
  }
}

TEST_P(DeviceTest, CachesAndGivesScratchBackBeforeFailing) {
  OpenDevice d(library, options(64 << 20));
  char* first = d.allocate(5 << 20);
  d.free(first);
  EXPECT_EQ(d.allocate(5 << 20), first) << "a freed block is reused";
  d.free(first);
  // scratch: sum_all keeps partial sums
  uint64_t op = 0;
  ASSERT_EQ(d.table->find_op(d.device, FTRUN_STR("sum_all"), FTRUN_F32, &op), FTRUN_OK);
  char *x = d.allocate(4 << 20), *y = d.allocate(4);
  const int64_t count = 1 << 20, one = 1;
  const ftrun_view in = {x, FTRUN_DEVICE_TYPE_CPU, 0, 1, FTRUN_F32, &count, &one, 0};
  const ftrun_view out = {y, FTRUN_DEVICE_TYPE_CPU, 0, 1, FTRUN_F32, &one, &one, 0};
  const ftrun_op_call call = {{sizeof(ftrun_op_call), FTRUN_OP_CALL_TAG}, op, 1, 1, &in, &out, nullptr};
  ASSERT_EQ(d.table->execute(d.device, nullptr, &call), FTRUN_OK) << d.host.error();
  EXPECT_GT(d.stats().category_bytes[FTRUN_MEMORY_WORKSPACE], 0u);
  d.free(x);
  d.free(y);
  EXPECT_EQ(d.try_allocate((64 << 20) - 1000), FTRUN_OK) << d.host.error();
  EXPECT_EQ(d.stats().category_bytes[FTRUN_MEMORY_WORKSPACE], 0u);
  d.free(d.kept.back());
}

TEST_P(DeviceTest, StreamsAndEventsAreInOrder) {
  OpenDevice d(library, options(64 << 20));
  void *stream = nullptr, *event = nullptr;
  ASSERT_EQ(d.table->stream_create(d.device, &stream), FTRUN_OK);
  ASSERT_EQ(d.table->event_create(d.device, &event), FTRUN_OK);
  EXPECT_EQ(d.table->event_record(d.device, event, stream), FTRUN_OK);
  EXPECT_EQ(d.table->stream_wait_event(d.device, nullptr, event), FTRUN_OK);
  EXPECT_EQ(d.table->event_synchronize(d.device, event), FTRUN_OK);
  EXPECT_EQ(d.table->stream_synchronize(d.device, stream), FTRUN_OK);
  int32_t done = 0;
  EXPECT_EQ(d.table->event_query(d.device, event, &done), FTRUN_OK);
  EXPECT_EQ(done, 1);
  double seconds = 1.0;
  EXPECT_EQ(d.table->simulated_time(d.device, stream, &seconds), FTRUN_UNIMPLEMENTED);
  EXPECT_EQ(d.table->host_cost(d.device, stream, 100, 1e9), FTRUN_OK);
  d.table->event_destroy(d.device, event);
  d.table->stream_destroy(d.device, stream);
}

TEST_P(DeviceTest, FindsOpsByNameAndType) {
  OpenDevice d(library, options(64 << 20));
  uint64_t f32 = 0, bf16 = 1, other = 0;
  EXPECT_EQ(d.table->find_op(d.device, FTRUN_STR("flash_attention"), FTRUN_F32, &f32), FTRUN_OK);
  EXPECT_EQ(d.table->find_op(d.device, FTRUN_STR("flash_attention"), FTRUN_BF16, &bf16), FTRUN_OK);
  EXPECT_EQ(f32, bf16);
  EXPECT_EQ(d.table->find_op(d.device, FTRUN_STR("matmul"), FTRUN_F16, &other), FTRUN_NOT_FOUND);
  EXPECT_EQ(d.table->find_op(d.device, FTRUN_STR("copy"), FTRUN_I64, &other), FTRUN_OK);
  EXPECT_EQ(d.table->find_op(d.device, FTRUN_STR("no_such_op"), FTRUN_F32, &other), FTRUN_NOT_FOUND);
  const ftrun_op_call call = {{sizeof(ftrun_op_call), FTRUN_OP_CALL_TAG}, 1u << 20, 0, 0, nullptr, nullptr, nullptr};
  EXPECT_EQ(d.table->execute(d.device, nullptr, &call), FTRUN_INVALID_ARGUMENT);
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceTest, ::testing::Values("cpu", "npu_a2"),
                         [](const ::testing::TestParamInfo<const char*>& device) { return std::string(device.param); });

}  // namespace
}  // namespace ftrun::test
