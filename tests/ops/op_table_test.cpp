// Every op of the table on the reference device, where fused ops are composed: forward against float64, gradients
// against central differences, in f32 and bf16, and that all memory is returned after backward.
#include <gtest/gtest.h>

#include "tests/ops/op_case.h"

namespace ftrun::test {
namespace {

class OpTableTest : public testing::TestWithParam<OpCase> {};

TEST_P(OpTableTest, F32) { check_op_case(GetParam(), FTRUN_F32); }
TEST_P(OpTableTest, Bf16) { check_op_case(GetParam(), FTRUN_BF16); }

std::string name_of(const testing::TestParamInfo<OpCase>& parameter) {
  return op_case_name(parameter.param, parameter.index);
}

INSTANTIATE_TEST_SUITE_P(Reference, OpTableTest, testing::ValuesIn(all_op_cases()), name_of);

}  // namespace
}  // namespace ftrun::test
