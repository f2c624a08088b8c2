// AdamW on spans against its formula in float64, and optimizers by name.
#include "core/optim/optimizer.h"

#include <gmock/gmock.h>

#include <cmath>

#include "core/base/error.h"
#include "core/ops/layout.h"
#include "tests/tensor/reference_engine.h"

namespace ftrun {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

/// torch.optim.AdamW on one element, in float64.
struct Element {
  double weight;
  double m = 0.0;
  double v = 0.0;
  void step(double g, double lr, double decay, int64_t t) {
    weight *= 1.0 - lr * decay;
    m = 0.9 * m + 0.1 * g;
    v = 0.98 * v + 0.02 * g * g;
    const double correction1 = 1.0 - std::pow(0.9, static_cast<double>(t));
    const double correction2 = 1.0 - std::pow(0.98, static_cast<double>(t));
    weight -= lr / correction1 * m / (std::sqrt(v) / std::sqrt(correction2) + 1e-6);
  }
};

class OptimizerTest : public testing::Test {
 protected:
  test::ReferenceEngine engine;
  ExecutionContext& ctx = engine.ctx();
  std::mt19937_64 generator{11};
  std::unique_ptr<Optimizer> adamw = make_optimizer("adamw_torch", {0.9, 0.98, 1e-6});
};

TEST_F(OptimizerTest, FollowsTheFormula) {
  constexpr int64_t kElements = 37;
  const std::vector<double> initial = test::random_values(generator, kElements, -1, 1);
  std::vector<Element> wanted;
  for (const double weight : initial) wanted.push_back({weight});
  OptimizerSpan span;
  span.master = engine.tensor({kElements}, initial);
  span.parameter = engine.tensor({kElements}, initial, FTRUN_BF16);
  const Tensor states[] = {ops::full(ctx, FTRUN_F32, {kElements}, 0.0), ops::full(ctx, FTRUN_F32, {kElements}, 0.0)};
  span.states = states;
  span.weight_decay = 0.1;
  for (int64_t t = 1; t <= 5; ++t) {
    const std::vector<double> gradient = test::random_values(generator, kElements, -1, 1, FTRUN_BF16);
    span.gradient = engine.tensor({kElements}, gradient, FTRUN_BF16);
    span.learning_rate = 0.01 / static_cast<double>(t);
    adamw->update(ctx, span, 0.5, t);
    for (int64_t i = 0; i < kElements; ++i) {
      wanted[static_cast<size_t>(i)].step(0.5 * gradient[static_cast<size_t>(i)], span.learning_rate, 0.1, t);
    }
  }
  const std::vector<double> master = engine.values(span.master);
  const std::vector<double> parameter = engine.values(span.parameter);
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_NEAR(master[i], wanted[i].weight, 4e-7);
    EXPECT_EQ(parameter[i], bf16_to_float(bf16_from_float(static_cast<float>(master[i]))));
  }
  EXPECT_NEAR(engine.values(states[1])[3], wanted[3].v, 1e-7);
}

TEST_F(OptimizerTest, PureBf16HasNoMaster) {
  OptimizerSpan span;
  span.master = engine.tensor({2}, {1.0, -2.0}, FTRUN_BF16);
  span.gradient = engine.tensor({2}, {1.0, 0.5}, FTRUN_BF16);
  const Tensor states[] = {ops::full(ctx, FTRUN_BF16, {2}, 0.0), ops::full(ctx, FTRUN_BF16, {2}, 0.0)};
  span.states = states;
  span.learning_rate = 0.125;
  adamw->update(ctx, span, 1.0, 1);
  const std::vector<double> weights = engine.values(span.master);
  EXPECT_NEAR(weights[0], 0.875, 0.004);
  EXPECT_NEAR(weights[1], -2.125, 0.02);
  EXPECT_NEAR(engine.values(states[0])[0], 0.1, 0.0005);
}

TEST_F(OptimizerTest, LeavesNoWorkspaceAndTakesNoElements) {
  OptimizerSpan span;
  span.master = span.gradient = empty(ctx, FTRUN_F32, {0});
  const Tensor states[] = {span.master, span.master};
  span.states = states;
  EXPECT_NO_THROW(adamw->update(ctx, span, 1.0, 1));
  span.gradient = empty(ctx, FTRUN_F32, {3});
  EXPECT_THAT([&] { adamw->update(ctx, span, 1.0, 1); }, ThrowsMessage<Error>(HasSubstr("f32[3]")));
  span = {};
  EXPECT_EQ(adamw->state_names()[1], "exp_avg_sq");
}

TEST(Optimizers, AreFoundByName) {
  for (const std::string& name : optimizer_names()) EXPECT_NE(make_optimizer(name, {}), nullptr);
  EXPECT_THAT([] { make_optimizer("adamw_torc", {}); }, ThrowsMessage<Error>(HasSubstr("did you mean 'adamw_torch'")));
  EXPECT_THROW(make_optimizer("adamw", {1.0, 0.9, 1e-8}), Error);
  EXPECT_THROW(make_optimizer("adamw", {0.9, 0.9, -1.0}), Error);
}

}  // namespace
}  // namespace ftrun
