// Rows of the golden files, not their numbers.
#include "tests/paradigms/stage_cases.h"

#include <algorithm>
#include <cmath>

namespace ftrun::test {
namespace {

std::string rows_of(const std::string& paradigm) {
  if (paradigm == "pt") return "pt";
  if (paradigm == "rm") return "rm_margin";
  return paradigm == "dpo" ? "sigmoid" : "kto";
}

void expect_near(double found, double expected, double relative, const std::string& what) {
  EXPECT_NEAR(found, expected, relative * std::max(1.0, std::abs(expected))) << what;
}

void expect_near(const std::map<std::string, double>& found, const std::map<std::string, double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, value] : expected) expect_near(found.at(name), value, 1e-5, name);
}

double norm_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

double norm_of(const std::map<std::string, std::vector<float>>& tensors) {
  double sum = 0;
  for (const auto& [name, values] : tensors) sum += std::pow(norm_of(values), 2);
  return std::sqrt(sum);
}

void expect_near_changes(const ParadigmOutcome& found, const ParadigmOutcome& expected) {
  ASSERT_EQ(found.changes.size(), expected.changes.size());
  const double all = norm_of(expected.changes);
  EXPECT_GT(all, 1e-3) << "the updates changed next to nothing";
  double difference = 0;
  for (const auto& [name, values] : expected.changes) {
    std::vector<float> distance = found.changes.at(name);
    std::ranges::transform(distance, values, distance.begin(), std::minus<>());
    // What nothing trained must not move at all.
    const double norm = norm_of(values);
    EXPECT_LE(norm_of(distance), norm == 0 ? 0 : 2e-4 * norm + 1e-6 * all) << name;
    difference += std::pow(norm_of(distance), 2);
  }
  EXPECT_LE(std::sqrt(difference), 1e-5 * all) << "all weights";
}

}  // namespace

void PrintTo(const Stage& stage, std::ostream* out) { *out << stage.name; }

const std::vector<Stage>& stages() {
  static const std::vector<Stage> all = {{"pt", "pt", {}},
                                         {"sft", "sft", {}},
                                         {"rm", "rm", {}},
                                         {"dpo", "dpo", {{"pref_beta", "0.3"}}},
                                         {"kto", "kto", {{"pref_beta", "0.3"}}}};
  return all;
}

const Stage& simpo_stage() {
  static const Stage simpo = {"simpo", "dpo", {{"pref_beta", "0.3"}, {"pref_loss", "simpo"}}};
  return simpo;
}

ParadigmCase stage_case(const Stage& stage, const std::string& tuner) {
  const SafetensorsFile golden = preference_golden(rows_of(stage.paradigm));
  ParadigmCase given;
  given.paradigm = stage.paradigm;
  given.options = stage.options;
  given.tuner = tuner;
  given.rows = golden_rows(golden);
  given.rows.resize(10);
  given.eval_rows = {given.rows.begin(), given.rows.begin() + 3};
  if (golden.find("score.weight") != nullptr) given.head = golden_series(golden, "score.weight");
  const bool has_reference =
      stage.paradigm == "kto" || (stage.paradigm == "dpo" && !stage.options.contains("pref_loss"));
  if (has_reference && tuner == "full") given.options["ref_model"] = "x";
  given.learning_rates = {0.1, 0.1, 0.1};
  given.adam_epsilon = 1;
  given.weight_decay = 0;
  return given;
}

void expect_equivalent(const ParadigmOutcome& found, const ParadigmOutcome& expected) {
  ASSERT_EQ(found.losses.size(), expected.losses.size());
  for (size_t step = 0; step < expected.losses.size(); ++step) {
    expect_near(found.losses[step], expected.losses[step], 2e-6, "loss");
    expect_near(found.norms[step], expected.norms[step], 1e-5, "norm");
    expect_near(found.metrics[step], expected.metrics[step]);
  }
  expect_near(found.evaluation, expected.evaluation, 1e-5, "evaluation");
  expect_near(found.evaluation_metrics, expected.evaluation_metrics);
  expect_near_changes(found, expected);
}

void expect_same_bits(const ParadigmOutcome& found, const ParadigmOutcome& expected) {
  EXPECT_EQ(found.losses, expected.losses);
  EXPECT_EQ(found.norms, expected.norms);
  EXPECT_EQ(found.metrics, expected.metrics);
  EXPECT_EQ(found.evaluation, expected.evaluation);
  EXPECT_EQ(found.evaluation_metrics, expected.evaluation_metrics);
  EXPECT_TRUE(found.changes == expected.changes) << "weights";
}

}  // namespace ftrun::test
