// What an evaluation changes of the best model so far and of early stopping.
#include "core/train/best_metric.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ftrun {
namespace {

TEST(EnterEvaluation, KeepsTheFirstBestAndCountsTheOthers) {
  TrainerState state;
  const auto enter = [&](int64_t step, double value) {
    state.global_step = step;
    return enter_evaluation(state, value, false);
  };
  EXPECT_FALSE(enter(1, std::nan(""))) << "what is not finite is never the best";
  EXPECT_FALSE(state.best_metric);
  EXPECT_TRUE(enter(2, 3.0));
  state.best_model_checkpoint = "checkpoint-2";
  EXPECT_FALSE(enter(3, 3.0)) << "the same is no gain";
  EXPECT_FALSE(enter(4, INFINITY));
  EXPECT_EQ(state.evaluations_without_gain, 2);
  EXPECT_EQ(state.best_global_step, 2);
  EXPECT_EQ(state.best_model_checkpoint, "checkpoint-2");
  EXPECT_TRUE(enter(5, 2.5));
  EXPECT_EQ(state.evaluations_without_gain, 0);
  EXPECT_EQ(state.best_global_step, 5);
  EXPECT_EQ(state.best_metric, 2.5);
  EXPECT_EQ(state.best_model_checkpoint, "") << "nothing is saved of it yet";
}

TEST(EnterEvaluation, GreaterIsBetter) {
  TrainerState state;
  EXPECT_TRUE(enter_evaluation(state, 0.5, true));
  EXPECT_FALSE(enter_evaluation(state, 0.25, true));
  EXPECT_TRUE(enter_evaluation(state, 0.75, true));
}

TEST(IsStoppedEarly, IsKnownFromTheStateAlone) {
  TrainerState state;
  TrainingArguments arguments;
  state.evaluations_without_gain = 2;
  EXPECT_FALSE(is_stopped_early(state, arguments)) << "off";
  arguments.early_stopping_steps = 2;
  EXPECT_TRUE(is_stopped_early(state, arguments));
  arguments.early_stopping_steps = 3;
  EXPECT_FALSE(is_stopped_early(state, arguments)) << "a resumed run may have more patience";
}

}  // namespace
}  // namespace ftrun
