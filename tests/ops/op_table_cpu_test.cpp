// The same table on the `cpu` plugin, whose fused kernels take the place of compositions, with 1, 2 and 4 threads: the
// same tolerances, and the same bits for every number of threads.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <thread>

#include "core/parallel/thread_pool.h"
#include "ftrun/plugin.h"
#include "tests/ops/op_case.h"

namespace ftrun::test {
namespace {

const ftrun_device* cpu_table() {
  static const ftrun_device* const table = [] {
    void* library = ::dlopen(FTRUN_CPU_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(::dlerror());
    const auto query = reinterpret_cast<ftrun_plugin_query_v1_function>(::dlsym(library, "ftrun_plugin_query_v1"));
    const ftrun_plugin* plugin = nullptr;
    if (query == nullptr || query(0, &plugin) != FTRUN_OK) throw std::runtime_error("no plugin in " FTRUN_CPU_PLUGIN);
    return static_cast<const ftrun_device*>(plugin->table);
  }();
  return table;
}

TestDevice threaded_cpu() {
  TestDevice device;
  device.table = cpu_table();
  device.has_fused_ops = true;
  device.host.parallel_for = [](const ftrun_host*, int64_t count, ftrun_task task, void* argument) {
    parallel_for(count, task, argument);
  };
  device.host.thread_count = [](const ftrun_host*) -> int32_t { return thread_count(); };
  device.host.thread_index = [](const ftrun_host*) -> int32_t { return thread_index(); };
  return device;
}

class OpTableCpuTest : public testing::TestWithParam<OpCase> {};

void check_with_threads(const OpCase& op, ftrun_dtype dtype) {
  const TestDevice device = threaded_cpu();
  OpBits bits_of_one;
  for (const int32_t threads : {1, 2, 4}) {
    configure_threads(threads);
    OpBits bits;
    std::thread([&] { bits = check_op_case(op, dtype, device); }).join();
    if (threads == 1) bits_of_one = bits;
    EXPECT_EQ(bits, bits_of_one) << op.name << ": other bits with " << threads << " threads";
  }
}

TEST_P(OpTableCpuTest, F32) { check_with_threads(GetParam(), FTRUN_F32); }
TEST_P(OpTableCpuTest, Bf16) { check_with_threads(GetParam(), FTRUN_BF16); }

std::string name_of(const testing::TestParamInfo<OpCase>& parameter) {
  return op_case_name(parameter.param, parameter.index);
}

INSTANTIATE_TEST_SUITE_P(Cpu, OpTableCpuTest, testing::ValuesIn(all_op_cases()), name_of);

}  // namespace
}  // namespace ftrun::test
