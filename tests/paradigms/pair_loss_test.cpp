// The host's losses: gradients against differences, extremes, and symmetry. Values against TRL: golden_test.cpp.
#include "preference/pair_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "preference/label_loss.h"
#include "preference/reference_file.h"

namespace ftrun::preference {
namespace {

constexpr PairLossType kTypes[] = {PairLossType::kSigmoid, PairLossType::kHinge, PairLossType::kIpo,
                                   PairLossType::kRobust,  PairLossType::kOrpo,  PairLossType::kSimpo};

PairLossOptions options_of(PairLossType type) {
  PairLossOptions options;
  options.type = type;
  options.beta = 0.4;
  options.ftx = 0.3;
  if (type == PairLossType::kSigmoid || type == PairLossType::kRobust) options.label_smoothing = 0.2;
  return options;
}

TEST(PairLoss, GradientsAreThoseOfTheLoss) {
  for (const PairLossType type : kTypes) {
    SCOPED_TRACE(static_cast<int>(type));
    const PairLossOptions options = options_of(type);
    for (const double policy : {-9.0, -3.5, -1.2}) {
      const AnswerLogp chosen = {policy, -4.0, 3};
      const AnswerLogp rejected = {-5.5, -6.25, 7};
      const PairLoss found = pair_loss(options, chosen, rejected);
      constexpr double kStep = 1e-5;
      const auto slope = [&](double d_chosen, double d_rejected) {
        const auto at = [&](double sign) {
          return pair_loss(options, {chosen.policy + sign * d_chosen, chosen.reference, chosen.tokens},
                           {rejected.policy + sign * d_rejected, rejected.reference, rejected.tokens})
              .loss;
        };
        return (at(1) - at(-1)) / (2 * kStep);
      };
      EXPECT_NEAR(found.chosen_gradient, slope(kStep, 0), 1e-8);
      EXPECT_NEAR(found.rejected_gradient, slope(0, kStep), 1e-8);
    }
  }
}

TEST(PairLoss, StaysFiniteFarOut) {
  for (const PairLossType type : kTypes) {
    SCOPED_TRACE(static_cast<int>(type));
    for (const double policy : {0.0, -1e-30, -1e5}) {
      for (const double other : {0.0, -1e5}) {
        const PairLoss found = pair_loss(options_of(type), {policy, -5, 4}, {other, -5, 4});
        EXPECT_TRUE(std::isfinite(found.loss)) << policy << " " << other;
        EXPECT_TRUE(std::isfinite(found.chosen_gradient) && std::isfinite(found.rejected_gradient));
      }
    }
  }
}

TEST(PairLoss, AnEqualPairLosesLogTwo) {
  PairLossOptions options;
  const AnswerLogp answer = {-3, -3.5, 4};
  const PairLoss found = pair_loss(options, answer, answer);
  EXPECT_DOUBLE_EQ(found.loss, std::log(2.0));
  EXPECT_DOUBLE_EQ(found.chosen_gradient, -0.05);  // beta / 2
  EXPECT_DOUBLE_EQ(found.rejected_gradient, 0.05);
  EXPECT_DOUBLE_EQ(found.chosen_reward, 0.05);
}

TEST(LabelLoss, GradientsAreThoseOfTheLossAndSidesMirror) {
  const LabelLossOptions options = {0.4, 1.5, 0.5};
  constexpr double kStep = 1e-5;
  for (const double ratio : {-30.0, -0.5, 2.0}) {
    for (const bool desirable : {true, false}) {
      const double above = label_loss(options, ratio + kStep, 0.7, desirable).loss;
      const double below = label_loss(options, ratio - kStep, 0.7, desirable).loss;
      EXPECT_NEAR(label_loss(options, ratio, 0.7, desirable).gradient, (above - below) / (2 * kStep), 1e-9);
    }
    const double good = label_loss(options, ratio, 0.7, true).loss / options.desirable_weight;
    const double bad = label_loss(options, ratio, 0.7, false).loss / options.undesirable_weight;
    EXPECT_NEAR(good + bad, 1, 1e-12);
  }
}

TEST(ReferenceFile, ReadsBackWhatItWroteAndNothingElse) {
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "ftrun_reference_file";
  const std::filesystem::path file = folder / "inner" / "dpo-reference.bin";
  std::filesystem::remove_all(folder);
  const ReferenceTable table = {std::vector<double>{-1.5, -2.25, -3, -4}, std::vector<double>{-7, -8}};
  EXPECT_FALSE(read_reference_file(file, 5, {2, 1}));
  ASSERT_EQ(write_reference_file(file, 5, table), "");
  const auto found = read_reference_file(file, 5, {2, 1});
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, table);
  EXPECT_FALSE(read_reference_file(file, 6, {2, 1})) << "another key";
  EXPECT_FALSE(read_reference_file(file, 5, {1, 2})) << "other rows";
  const auto bytes = std::filesystem::file_size(file);
  for (uintmax_t length = 0; length < bytes; length += 7) {
    ASSERT_EQ(write_reference_file(file, 5, table), "");
    std::filesystem::resize_file(file, length);
    EXPECT_FALSE(read_reference_file(file, 5, {2, 1})) << length;
  }
  std::filesystem::remove_all(folder);
  EXPECT_NE(write_reference_file("/proc/ftrun/none.bin", 5, table), "");
}

}  // namespace
}  // namespace ftrun::preference
