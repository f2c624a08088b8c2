// Logits, losses, gradients and ten AdamW steps against transformers (tests/golden/README.md).
#include <gtest/gtest.h>

#include "tests/model/golden_checks.h"

namespace ftrun::test {
namespace {

class GoldenCase : public testing::TestWithParam<std::string> {};

TEST_P(GoldenCase, LogitsLossAndGradientsInF32) {
  const SafetensorsFile golden = open_golden(GetParam());
  TestModel model(GetParam());
  const Documents documents = golden_documents(golden, "forward.");
  EXPECT_LE(largest_difference(all_logits(model, documents), golden_values(golden, "forward.logits")), 1e-4);
  const double loss = train(model, documents, 1.0 / golden_number(golden, "forward.num_targets"));
  EXPECT_NEAR(loss, golden_number(golden, "forward.loss_mean"), 1e-5 * loss);
  expect_gradients(model, golden, "forward.", 1e-4);
  const double norm = golden_number(golden, "forward.grad_norm");
  EXPECT_NEAR(model.rank().finish_grads(), norm, 1e-4 * norm);
}

TEST_P(GoldenCase, BothConfigDialectsGiveTheSameBits) {
  const Documents documents = golden_documents(open_golden(GetParam()), "forward.");
  TestModel five(GetParam());
  ModelOptions options;
  options.config = "config.v4.json";
  TestModel four(GetParam(), options);
  EXPECT_EQ(all_logits(five, documents), all_logits(four, documents));
}

TEST_P(GoldenCase, TenAdamWStepsInF32) {
  expect_training(GetParam(), {}, open_golden(GetParam()), {1e-5, 1e-4, 2e-6, 2e-4});
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenCase,
                         testing::Values("llama", "llama_rope3", "llama_yarn", "llama_tied_linear", "qwen2",
                                         "qwen2_untied", "qwen3", "qwen3_untied"),
                         [](const auto& row) { return row.param; });

class GoldenFreeze : public testing::TestWithParam<std::string> {};

TEST_P(GoldenFreeze, TenAdamWStepsInF32) {
  expect_training(GetParam(), {}, open_golden(GetParam(), "golden_freeze.safetensors"), {1e-5, 1e-4, 2e-6, 2e-4});
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenFreeze, testing::Values("llama", "qwen3"),
                         [](const auto& test) { return test.param; });

class GoldenBf16 : public testing::TestWithParam<std::string> {};

TEST_P(GoldenBf16, LossAndGradients) {
  const SafetensorsFile golden = open_golden(GetParam());
  const SafetensorsFile bf16 = open_golden(GetParam(), "golden_bf16.safetensors");
  ModelOptions options;
  options.precision = Precision::bf16();
  TestModel model(GetParam(), options);
  const double loss =
      train(model, golden_documents(golden, "forward."), 1.0 / golden_number(golden, "forward.num_targets"));
  const double expected = golden_number(bf16, "forward.loss_mean");
  EXPECT_NEAR(loss, expected, 1e-3 * expected);
  expect_gradients(model, bf16, "forward.", 6e-2);
  const double norm = golden_number(bf16, "forward.grad_norm");
  EXPECT_NEAR(model.rank().finish_grads(), norm, 2e-2 * norm);
}

TEST_P(GoldenBf16, TenAdamWSteps) {
  // No bound per tensor: where a gradient nearly cancels, rounding decides AdamW's direction.
  ModelOptions options;
  options.precision = Precision::bf16();
  expect_training(GetParam(), options, open_golden(GetParam(), "golden_bf16.safetensors"), {1e-3, 2e-2, 3e-3, 1.0});
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenBf16, testing::Values("llama", "qwen2", "qwen3"),
                         [](const auto& row) { return row.param; });

class GoldenPacked : public testing::TestWithParam<std::string> {};

TEST_P(GoldenPacked, BlockDiagonalAndCausal) {
  const SafetensorsFile golden = open_golden(GetParam());
  for (const std::string kind : {"packed.block.", "packed.causal."}) {
    TestModel model(GetParam());
    Documents documents = golden_documents(golden, "packed.");
    if (kind == "packed.causal.") documents.offsets = {0, static_cast<int32_t>(documents.ids.size())};
    EXPECT_LE(largest_difference(all_logits(model, documents), golden_values(golden, kind + "logits")), 1e-4) << kind;
    train(model, documents, 1.0 / golden_number(golden, kind + "num_targets"));
    expect_gradients(model, golden, kind, 1e-4);
    const double norm = golden_number(golden, kind + "grad_norm");
    EXPECT_NEAR(model.rank().finish_grads(), norm, 1e-4 * norm) << kind;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenPacked, testing::Values("llama", "qwen3"),
                         [](const auto& row) { return row.param; });

}  // namespace
}  // namespace ftrun::test
