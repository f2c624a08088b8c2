// Comparisons, each naming what differs.
#include "tests/model/golden_checks.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ftrun::test {

SafetensorsFile open_golden(const std::string& name, const std::string& file) {
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

void expect_training(const std::string& name, ModelOptions options, const SafetensorsFile& expected,
                     const Bounds& bounds) {
  const SafetensorsFile golden = open_golden(name);
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

}  // namespace ftrun::test
