// The SDK's reference device, and the fast kernels against its scalar ones, op by op.
#include "ftrun/cpp/reference_kernels/reference_device.hpp"

#include "plugins/devices/kernels/op_table.h"
#include "tests/devices/plugin_harness.h"
#include "tests/kernels/op_harness.h"

namespace ftrun::test {
namespace {

TEST(ReferenceDevice, AllocatesComputesAndFails) {
  TestHost host;
  const ftrun_device* table = sdk::reference_device_table();
  const ftrun_device_open_args args = {{sizeof(args), FTRUN_DEVICE_OPEN_TAG}, host.host(), nullptr, 0, 0};
  void* device = nullptr;
  ASSERT_EQ(table->open(&args, &device), FTRUN_OK);
  void *a = nullptr, *b = nullptr;
  ASSERT_EQ(table->allocate(device, nullptr, 400, FTRUN_MEMORY_WEIGHTS, &a), FTRUN_OK);
  std::vector<float> values(100, 1.5f);
  ASSERT_EQ(table->copy(device, nullptr, a, values.data(), 400, FTRUN_COPY_HOST_TO_DEVICE), FTRUN_OK);
  EXPECT_EQ(table->copy(device, nullptr, a, values.data(), 404, FTRUN_COPY_HOST_TO_DEVICE), FTRUN_INVALID_ARGUMENT);
  uint64_t op = 0;
  ASSERT_EQ(table->find_op(device, FTRUN_STR("neg"), FTRUN_F32, &op), FTRUN_OK);
  EXPECT_EQ(table->find_op(device, FTRUN_STR("flash_attention"), FTRUN_F32, &op), FTRUN_NOT_FOUND);
  ASSERT_EQ(table->find_op(device, FTRUN_STR("neg"), FTRUN_F32, &op), FTRUN_OK);
  const int64_t count = 100, stride = 1;
  const ftrun_view view = {a, FTRUN_DEVICE_TYPE_CPU, 0, 1, FTRUN_F32, &count, &stride, 0};
  const ftrun_op_call call = {{sizeof(call), FTRUN_OP_CALL_TAG}, op, 1, 1, &view, &view, nullptr};
  ASSERT_EQ(table->execute(device, nullptr, &call), FTRUN_OK);
  ASSERT_EQ(table->copy(device, nullptr, values.data(), a, 400, FTRUN_COPY_DEVICE_TO_HOST), FTRUN_OK);
  EXPECT_EQ(values, std::vector<float>(100, -1.5f));
  sdk::ReferenceDevice::of(device).fail_after = 0;
  EXPECT_EQ(table->allocate(device, nullptr, 1, FTRUN_MEMORY_OTHER, &b), FTRUN_RESOURCE_EXHAUSTED);
  EXPECT_EQ(table->allocate(device, nullptr, 1, FTRUN_MEMORY_OTHER, &b), FTRUN_OK);
  EXPECT_EQ(table->deallocate(device, nullptr, b), FTRUN_OK);
  EXPECT_EQ(table->deallocate(device, nullptr, a), FTRUN_OK);
  EXPECT_EQ(table->deallocate(device, nullptr, a), FTRUN_INVALID_ARGUMENT);
  table->close(device);
}

TEST(ReferenceKernels, EveryPrimitiveHasAFastKernel) {
  for (const reference::Op& op : reference::kOps) EXPECT_GE(kernels::find_op(op.name, FTRUN_F32), 0) << op.name;
}

void run_reference(const char* name, const std::vector<const Array*>& inputs, const std::vector<Array*>& outputs,
                   const void* attributes) {
  std::vector<ftrun_view> in, out;
  for (const Array* array : inputs) in.push_back(array->view());
  for (Array* array : outputs) out.push_back(array->view());
  const ftrun_op_call call = {{sizeof(call), FTRUN_OP_CALL_TAG},
                              0,
                              static_cast<int32_t>(in.size()),
                              static_cast<int32_t>(out.size()),
                              in.data(),
                              out.data(),
                              attributes};
  reference::kOps[reference::find_op_index(name)].run(call);
}

/// Compares fast and scalar kernels; where `exact`, bit for bit.
void compare(const char* name, const std::vector<const Array*>& inputs, const Array& output, const void* attributes,
             bool exact, double k = 1) {
  Array fast = output, scalar = output;
  std::vector<const Array*> fast_inputs = inputs, scalar_inputs = inputs;
  // An input that is the output itself stands for an in-place op.
  for (const Array*& input : fast_inputs) input = input == &output ? &fast : input;
  for (const Array*& input : scalar_inputs) input = input == &output ? &scalar : input;
  Machine(2).run(name, fast_inputs, {&fast}, attributes);
  run_reference(name, scalar_inputs, {&scalar}, attributes);
  if (exact) {
    EXPECT_EQ(fast.bits(), scalar.bits()) << name;
    return;
  }
  std::vector<double> expected, magnitude;
  for (int64_t i = 0; i < scalar.count(); ++i) {
    expected.push_back(scalar.get(i));
    magnitude.push_back(std::fabs(scalar.get(i)) + std::sqrt(k));
  }
  expect_close(fast, expected, magnitude, k, name, 2.0);
}

TEST(ReferenceKernels, AgreeWithTheFastOnes) {
  for (const ftrun_dtype dtype : {FTRUN_F32, FTRUN_BF16}) {
    Array a(dtype, {37, 65}), b(dtype, {37, 65}), y(dtype, {37, 65}), row(FTRUN_F32, {65}), ids(FTRUN_I32, {37});
    Array sums(FTRUN_F32, {37}), columns(dtype, {65}), one(FTRUN_F32, {1}), squares(FTRUN_F64, {3}),
        product(dtype, {37, 37});
    a.randomize(1);
    b.randomize(2);
    row.randomize(3);
    y.randomize(4);
    sums.randomize(5);
    for (int64_t i = 0; i < 37; ++i) ids.set(i, static_cast<double>(i * 5 % 37));
    for (const char* name : {FTRUN_OP_ADD, FTRUN_OP_SUB, FTRUN_OP_MUL, FTRUN_OP_DIV, FTRUN_OP_MAXIMUM, FTRUN_OP_MINIMUM,
                             FTRUN_OP_GREATER_EQUAL}) {
      compare(name, {&a, &b}, y, nullptr, true);
      compare(name, {&a, &row}, y, nullptr, true);
    }
    for (const char* name :
         {FTRUN_OP_NEG, FTRUN_OP_SQRT, FTRUN_OP_SQUARE, FTRUN_OP_RELU, FTRUN_OP_ABS, FTRUN_OP_SIN, FTRUN_OP_COS}) {
      compare(name, {&a}, y, nullptr, std::strcmp(name, FTRUN_OP_SQRT) != 0);
    }
    for (const char* name : {FTRUN_OP_EXP, FTRUN_OP_SIGMOID, FTRUN_OP_LOG_SIGMOID, FTRUN_OP_SILU, FTRUN_OP_TANH}) {
      compare(name, {&a}, y, nullptr, false);
    }
    auto affine = attributes<ftrun_affine_attributes>();
    affine.alpha = 0.3;
    compare(FTRUN_OP_AXPY, {&a, &y}, y, &affine, false);
    compare(FTRUN_OP_SELECT, {&a, &b, &y}, y, nullptr, true);
    auto accumulate = attributes<ftrun_accumulate_attributes>();
    compare(FTRUN_OP_SUM_ROWS, {&a}, columns, &accumulate, true);
    compare(FTRUN_OP_SUM_LAST, {&a}, sums, nullptr, false, 65);
    compare(FTRUN_OP_MAX_LAST, {&a}, sums, nullptr, true);
    compare(FTRUN_OP_SUM_ALL, {&a}, one, nullptr, true);
    compare(FTRUN_OP_SUM_SQUARES, {&a}, squares, nullptr, true);
    compare(FTRUN_OP_SUM_RANKS, {&a, &b, &a}, y, nullptr, true);
    compare(FTRUN_OP_GATHER_ROWS, {&b, &ids}, y, nullptr, true);
    compare(FTRUN_OP_SCATTER_ADD_ROWS, {&a, &ids}, y, &accumulate, true);
    compare(FTRUN_OP_GATHER_LAST, {&a, &ids}, sums, nullptr, true);
    compare(FTRUN_OP_ADD_AT_LAST, {&y, &ids, &sums}, y, nullptr, true);
    auto random = attributes<ftrun_random_attributes>();
    random.seed = 11;
    random.b = 1.0;
    compare(FTRUN_OP_RANDOM_NORMAL, {}, y, &random, true);
    compare(FTRUN_OP_RANDOM_UNIFORM, {}, y, &random, true);
    auto matmul = attributes<ftrun_matmul_attributes>();
    matmul.alpha = 1.0;
    matmul.transpose_b = 1;
    compare(FTRUN_OP_MATMUL, {&a, &b}, product, &matmul, false, 65);
  }
}

}  // namespace
}  // namespace ftrun::test
