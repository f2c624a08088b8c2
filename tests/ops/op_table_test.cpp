// Every op of the table: forward against float64, gradients against central differences, in f32 and bf16, and that all
// memory is returned after backward.
#include <gtest/gtest.h>

#include <cctype>

#include "tests/ops/op_case.h"

namespace ftrun::test {
namespace {

std::vector<OpCase> all_cases() {
  std::vector<OpCase> cases;
  for (const auto& family : {elementwise_cases(), layout_and_reduction_cases(), matrix_cases(), decoder_cases(),
                             attention_cases(), head_cases()}) {
    cases.insert(cases.end(), family.begin(), family.end());
  }
  return cases;
}

class OpTableTest : public testing::TestWithParam<OpCase> {};

TEST_P(OpTableTest, F32) { check_op_case(GetParam(), FTRUN_F32); }
TEST_P(OpTableTest, Bf16) { check_op_case(GetParam(), FTRUN_BF16); }

std::string name_of(const testing::TestParamInfo<OpCase>& parameter) {
  std::string name = parameter.param.name;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return std::to_string(parameter.index) + "_" + name;
}

INSTANTIATE_TEST_SUITE_P(Reference, OpTableTest, testing::ValuesIn(all_cases()), name_of);

}  // namespace
}  // namespace ftrun::test
