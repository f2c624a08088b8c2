// Logits, losses, gradients and ten AdamW steps against transformers (tests/golden/README.md).
#include <cmath>

#include "tests/model/model_fixture.h"

namespace ftrun::test {
namespace {

SafetensorsFile open_golden(const std::string& name, const std::string& file = "golden.safetensors") {
  return SafetensorsFile(golden_folder(name) / file);
}

double largest_difference(std::span<const float> a, std::span<const double> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < b.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  return largest;
}

void expect_gradients(TestModel& model, const SafetensorsFile& golden, const std::string& prefix, double tolerance) {
  const auto found = gradients(model);
  int32_t compared = 0;
  for (size_t id = 0; id < found.size(); ++id) {
    const std::string name = prefix + "grad." + model.model().parameters()[id].name;
    if (golden.find(name) == nullptr) continue;
    ++compared;
    EXPECT_LE(relative_distance(found[id], golden_values(golden, name)), tolerance) << name;
  }
  EXPECT_GT(compared, 0);
}

/// Relative bounds of a training run.
struct Bounds {
  double loss;
  double norm;
  double weights;  ///< whole model
  double tensor;   ///< each tensor
};

/// Ten AdamW steps with accumulation 2, uneven masks, clipping and a schedule; `expected` holds the results. What has
/// no final values there is frozen.
void expect_training(const std::string& name, Precision precision, const SafetensorsFile& expected,
                     const Bounds& bounds) {
  const SafetensorsFile golden = open_golden(name);
  ModelOptions options;
  options.precision = precision;
  options.accumulation = 2;
  options.weight_decay = golden_number(golden, "train.weight_decay");
  options.optimizer = {golden_number(golden, "train.beta1"), golden_number(golden, "train.beta2"),
                       golden_number(golden, "train.epsilon")};
  options.is_trained = [&](const std::string& parameter) {
    return expected.find("train.final." + parameter) != nullptr;
  };
  TestModel model(name, options);
  const auto before = weights(model);
  const auto counts = golden_values(golden, "train.documents_per_micro_batch");
  const auto denominators = golden_values(golden, "train.num_targets");
  const auto rates = golden_values(golden, "train.learning_rate");
  const auto losses = golden_values(expected, "train.loss");
  const auto norms = golden_values(expected, "train.grad_norm");
  const double max_norm = golden_number(golden, "train.max_grad_norm");
  int64_t first = 0;
  for (size_t step = 0; step < losses.size(); ++step) {
    double loss = 0;
    for (int32_t micro = 0; micro < 2; ++micro) {
      const auto count = static_cast<int64_t>(counts[2 * step + static_cast<size_t>(micro)]);
      loss += train(model, golden_documents(golden, "train.", first, count), 1.0 / denominators[step], micro, 2);
      first += count;
    }
    const double norm = model.rank().finish_grads();
    EXPECT_NEAR(loss, losses[step], bounds.loss * losses[step]) << "step " << step;
    EXPECT_NEAR(norm, norms[step], bounds.norm * norms[step]) << "step " << step;
    model.rank().step(std::min(1.0, max_norm / (norm + 1e-6)), rates[step]);
  }
  const auto found = weights(model);
  double difference = 0;
  double total = 0;
  for (size_t id = 0; id < found.size(); ++id) {
    const std::string& parameter = model.model().parameters()[id].name;
    if (!options.is_trained(parameter)) {
      EXPECT_TRUE(found[id] == before[id]) << parameter << " is frozen";
      continue;
    }
    const auto wanted = golden_values(expected, "train.final." + parameter);
    EXPECT_LE(relative_distance(found[id], wanted), bounds.tensor) << parameter;
    for (size_t i = 0; i < wanted.size(); ++i) {
      difference += std::pow(static_cast<double>(found[id][i]) - wanted[i], 2);
      total += wanted[i] * wanted[i];
    }
  }
  EXPECT_LE(std::sqrt(difference / total), bounds.weights);
}

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
  expect_training(GetParam(), Precision::f32(), open_golden(GetParam()), {1e-5, 1e-4, 2e-6, 2e-4});
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenCase,
                         testing::Values("llama", "llama_rope3", "llama_yarn", "llama_tied_linear", "qwen2",
                                         "qwen2_untied", "qwen3", "qwen3_untied"),
                         [](const auto& row) { return row.param; });

class GoldenFreeze : public testing::TestWithParam<std::string> {};

TEST_P(GoldenFreeze, TenAdamWStepsInF32) {
  expect_training(GetParam(), Precision::f32(), open_golden(GetParam(), "golden_freeze.safetensors"),
                  {1e-5, 1e-4, 2e-6, 2e-4});
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
  expect_training(GetParam(), Precision::bf16(), open_golden(GetParam(), "golden_bf16.safetensors"),
                  {1e-3, 2e-2, 3e-3, 1.0});
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
