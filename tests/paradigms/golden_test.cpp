// Losses, logged metrics, gradients and ten updates against TRL (tests/golden/preference).
#include <algorithm>
#include <cmath>

#include "tests/paradigms/paradigm_fixture.h"

namespace ftrun::test {
namespace {

struct GoldenRow {
  const char* golden;
  const char* paradigm;
  std::map<std::string, std::string> options;
  std::string adapter = "";  ///< trained instead of the model
};
void PrintTo(const GoldenRow& row, std::ostream* out) { *out << row.golden; }

const std::vector<GoldenRow>& golden_rows_of_losses() {
  static const std::vector<GoldenRow> rows = {
      {"sigmoid", "dpo", {{"pref_beta", "0.3"}, {"ref_model", "x"}}},
      {"hinge", "dpo", {{"pref_beta", "0.3"}, {"ref_model", "x"}, {"pref_loss", "hinge"}}},
      {"ipo", "dpo", {{"pref_beta", "0.3"}, {"ref_model", "x"}, {"pref_loss", "ipo"}}},
      {"robust",
       "dpo",
       {{"pref_beta", "0.3"}, {"ref_model", "x"}, {"pref_loss", "robust"}, {"dpo_label_smoothing", "0.1"}}},
      {"smoothed", "dpo", {{"pref_beta", "0.3"}, {"ref_model", "x"}, {"dpo_label_smoothing", "0.1"}}},
      {"ftx", "dpo", {{"pref_beta", "0.3"}, {"ref_model", "x"}, {"pref_ftx", "0.2"}}},
      {"orpo", "dpo", {{"pref_beta", "0.3"}, {"pref_loss", "orpo"}}},
      {"simpo", "dpo", {{"pref_beta", "0.3"}, {"pref_loss", "simpo"}, {"simpo_gamma", "0.5"}}},
      {"kto",
       "kto",
       {{"pref_beta", "0.3"}, {"ref_model", "x"}, {"kto_chosen_weight", "1.25"}, {"kto_rejected_weight", "0.75"}}},
      {"kto_ftx",
       "kto",
       {{"pref_beta", "0.3"},
        {"ref_model", "x"},
        {"kto_chosen_weight", "1.25"},
        {"kto_rejected_weight", "0.75"},
        {"pref_ftx", "0.2"}}},
      {"dpo_start", "dpo", {{"pref_beta", "0.3"}, {"ref_model", "start"}}, "start_lora"},
      {"kto_start",
       "kto",
       {{"pref_beta", "0.3"}, {"ref_model", "start"}, {"kto_chosen_weight", "1.25"}, {"kto_rejected_weight", "0.75"}},
       "start_lora"},
      {"rm", "rm", {}},
      {"rm_bias", "rm", {}},
      {"rm_lora", "rm", {}, "rm_lora"},
      {"rm_margin", "rm", {{"center_rewards_coefficient", "0.05"}}},
  };
  return rows;
}

const GoldenRow& row_of(const std::string& golden) {
  const auto& rows = golden_rows_of_losses();
  return *std::ranges::find_if(rows, [&](const GoldenRow& row) { return row.golden == golden; });
}

ParadigmCase case_of(const GoldenRow& row, const SafetensorsFile& golden) {
  ParadigmCase given;
  given.paradigm = row.paradigm;
  given.options = row.options;
  given.rows = golden_rows(golden);
  if (golden.find("score.weight") != nullptr) given.head = golden_series(golden, "score.weight");
  if (golden.find("score.bias") != nullptr) given.head_bias = golden_series(golden, "score.bias");
  given.adapter = row.adapter;
  if (!row.adapter.empty()) given.tuner = "lora";
  given.learning_rates = golden_series(golden, "train.learning_rate");
  return given;
}

std::string stored(std::string name) {
  std::ranges::replace(name, '/', '.');
  return name;
}

void expect_near(double found, double wanted, double relative, const std::string& what) {
  EXPECT_NEAR(found, wanted, relative * std::max(1.0, std::abs(wanted))) << what;
}

/// Of what is logged. A reward is a tenth of a difference of sums of about 50, so f32 leaves it some 1e-6; weights that
/// have drifted apart in a curve as far as its losses may add that much.
void expect_metric(double found, double wanted, double drift, const std::string& what) {
  EXPECT_NEAR(found, wanted, 1e-4 * std::abs(wanted) + 1e-6 + drift) << what;
}

void expect_gradients(const ParadigmOutcome& outcome, const SafetensorsFile& golden) {
  int32_t compared = 0;
  for (const auto& [name, found] : outcome.gradients) {
    if (golden.find("first.grad." + name) == nullptr) {
      // A sequence classifier has no words to predict.
      EXPECT_EQ(name, "lm_head.weight");
      EXPECT_TRUE(std::ranges::all_of(found, [](float value) { return value == 0; }));
      continue;
    }
    const auto wanted = golden_series(golden, "first.grad." + name);
    ASSERT_EQ(found.size(), wanted.size()) << name;
    double difference = 0;
    double norm = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      difference += std::pow(static_cast<double>(found[i]) - wanted[i], 2);
      norm += wanted[i] * wanted[i];
    }
    EXPECT_LE(std::sqrt(difference), 1e-4 * std::sqrt(norm) + 1e-12) << name;
    ++compared;
  }
  EXPECT_GT(compared, 10);
}

void expect_curve(const ParadigmOutcome& outcome, const SafetensorsFile& golden, double tolerance = 5e-5) {
  const auto losses = golden_series(golden, "train.loss");
  const auto norms = golden_series(golden, "train.grad_norm");
  ASSERT_EQ(outcome.losses.size(), losses.size());
  for (size_t step = 0; step < losses.size(); ++step) {
    const std::string what = "step " + std::to_string(step);
    EXPECT_NEAR(outcome.losses[step], losses[step], tolerance * std::max(1.0, std::abs(losses[step]))) << what;
    EXPECT_NEAR(outcome.norms[step], norms[step], 1e-3 * norms[step] + 1e-7) << what;
    for (const auto& [name, value] : outcome.metrics[step]) {
      const auto wanted = golden_series(golden, "train." + stored(name)).at(step);
      expect_metric(value, wanted, step == 0 ? 0 : tolerance, what + " " + name);
    }
  }
}

class PreferenceGolden : public testing::TestWithParam<GoldenRow> {};

TEST_P(PreferenceGolden, LossMetricsGradientsAndTenUpdates) {
  const SafetensorsFile golden = preference_golden(GetParam().golden);
  const ParadigmOutcome outcome = run_paradigm_well(case_of(GetParam(), golden));
  ASSERT_FALSE(outcome.losses.empty());
  expect_near(outcome.losses[0], golden_series(golden, "first.loss").at(0), 1e-5, "loss");
  ASSERT_GE(outcome.metrics[0].size(), 5U);
  for (const auto& [name, value] : outcome.metrics[0]) {
    expect_metric(value, golden_series(golden, "first." + stored(name)).at(0), 0, name);
  }
  expect_gradients(outcome, golden);
  expect_curve(outcome, golden);
}

INSTANTIATE_TEST_SUITE_P(Losses, PreferenceGolden, testing::ValuesIn(golden_rows_of_losses()),
                         [](const auto& test) { return std::string(test.param.golden); });

TEST(RewardModel, AnAdaptersHeadIsMergedWithItsPairs) {
  const SafetensorsFile golden = preference_golden("rm_lora");
  ParadigmCase given = case_of(row_of("rm_lora"), golden);
  given.tuner = "full";
  given.learning_rates = {0};
  const ParadigmOutcome outcome = run_paradigm_well(given);
  ASSERT_FALSE(outcome.losses.empty());
  expect_near(outcome.losses[0], golden_series(golden, "first.loss").at(0), 1e-5, "loss");
  expect_near(outcome.metrics[0].at("max_reward"), golden_series(golden, "first.max_reward").at(0), 1e-5, "reward");
}

/// Rows of which each holds the end of one text and the beginning of another, as the data layer lays them out.
ParadigmCase text_case(const SafetensorsFile& golden) {
  ParadigmCase given;
  given.paradigm = "pt";
  given.rows = golden_rows(golden);
  for (TestRow& row : given.rows) {
    const auto length = static_cast<int32_t>(row.ids.size());
    row.document_lengths = {length / 3, length - length / 3};
    row.continuous = true;
  }
  given.learning_rates = golden_series(golden, "train.learning_rate");
  return given;
}

TEST(Pretraining, LossGradientsAndTenUpdates) {
  const SafetensorsFile golden = preference_golden("pt");
  const ParadigmOutcome outcome = run_paradigm_well(text_case(golden));
  ASSERT_FALSE(outcome.losses.empty());
  EXPECT_EQ(outcome.data_format, "plain");
  expect_near(outcome.losses[0], golden_series(golden, "first.loss").at(0), 1e-6, "loss");
  expect_gradients(outcome, golden);
  expect_curve(outcome, golden, 1e-5);
}

TEST(Pretraining, EveryStrategyIsSingle) {
  ParadigmCase given = text_case(preference_golden("pt"));
  given.learning_rates.resize(4);
  given.rows.resize(10);
  const ParadigmOutcome expected = run_paradigm_well(given);
  for (const char* strategy : {"ddp", "zero1", "zero2", "zero3", "fsdp"}) {
    given.strategy = strategy;
    given.world = 2;
    given.accumulation = 2;
    SCOPED_TRACE(given.name());
    const ParadigmOutcome found = run_paradigm_well(given);
    ASSERT_EQ(found.losses.size(), expected.losses.size());
    for (size_t step = 0; step < expected.losses.size(); ++step) {
      expect_near(found.losses[step], expected.losses[step], 2e-6, "loss");
    }
  }
}

/// Every strategy, world and division of an update gives what one rank with one micro-batch does.
class PreferenceEquivalence : public testing::TestWithParam<const char*> {};

TEST_P(PreferenceEquivalence, EveryStrategyIsSingle) {
  const SafetensorsFile golden = preference_golden(GetParam());
  ParadigmCase given = case_of(row_of(GetParam()), golden);
  given.learning_rates.resize(4);
  // A last short window: 10 rows in updates of 4.
  given.rows.resize(10);
  given.eval_rows = {given.rows.begin(), given.rows.begin() + 3};
  const ParadigmOutcome expected = run_paradigm_well(given);
  for (const char* strategy : {"ddp", "zero1", "zero2", "zero3", "fsdp"}) {
    for (const auto& [world, accumulation] : {std::pair{2, 1}, std::pair{2, 2}, std::pair{4, 1}}) {
      given.strategy = strategy;
      given.world = world;
      given.accumulation = accumulation;
      SCOPED_TRACE(given.name());
      const ParadigmOutcome found = run_paradigm_well(given);
      ASSERT_EQ(found.losses.size(), expected.losses.size());
      for (size_t step = 0; step < expected.losses.size(); ++step) {
        expect_near(found.losses[step], expected.losses[step], 2e-6, "loss");
        expect_near(found.norms[step], expected.norms[step], 1e-5, "norm");
        for (const auto& [name, value] : expected.metrics[step]) {
          expect_near(found.metrics[step].at(name), value, 1e-5, name);
        }
      }
      expect_near(found.evaluation, expected.evaluation, 1e-5, "evaluation");
      for (const auto& [name, value] : expected.evaluation_metrics) {
        expect_near(found.evaluation_metrics.at(name), value, 1e-5, "evaluation " + name);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Losses, PreferenceEquivalence,
                         testing::Values("sigmoid", "simpo", "kto", "rm_margin", "dpo_start", "kto_start"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace ftrun::test
