// The tape: accumulation, gradient targets, replay of a unit, memory, and what it refuses.
#include "core/autograd/tape.h"

#include <gmock/gmock.h>

#include <cmath>

#include "core/base/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/layout.h"
#include "core/ops/linear_cross_entropy.h"
#include "core/ops/matmul.h"
#include "core/ops/reductions.h"
#include "core/ops/rms_norm.h"
#include "core/ops/swiglu.h"
#include "tests/tensor/reference_engine.h"

namespace ftrun {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class TapeTest : public testing::Test {
 protected:
  Tensor leaf(const Tensor& x, std::shared_ptr<GradientTarget>& target) {
    target = GradientTarget::capture();
    return make_leaf(x, target);
  }
  std::vector<float> taken(const std::shared_ptr<GradientTarget>& target) { return read_floats(ctx, target->take()); }

  test::ReferenceEngine engine;
  ExecutionContext& ctx = engine.ctx();
  Tape& tape = engine.tape();
};

TEST_F(TapeTest, NothingIsRecordedWithoutGradients) {
  std::shared_ptr<GradientTarget> target;
  const Tensor x = leaf(engine.tensor({2}, {1, 2}), target);
  EXPECT_FALSE(ops::add(ctx, x, x).requires_grad());
  const RecordingScope scope(ctx, tape);
  EXPECT_FALSE(ops::add(ctx, x.detach(), x.detach()).requires_grad());
  {
    const NoGradGuard no_grad(ctx);
    EXPECT_FALSE(ops::add(ctx, x, x).requires_grad());
  }
  EXPECT_EQ(tape.size(), 0u);
  EXPECT_TRUE(ops::add(ctx, x, x).requires_grad());
  EXPECT_EQ(tape.size(), 1u);
}

TEST_F(TapeTest, EveryUseOfATensorAdds) {
  std::shared_ptr<GradientTarget> target;
  const Tensor x = leaf(engine.tensor({2}, {3, 5}), target);
  Tensor loss;
  {
    const RecordingScope scope(ctx, tape);
    // f = sum(x^2 + 2 x + x): an intermediate that is used three times, too
    const Tensor twice = ops::affine(ctx, x, 2.0);
    const Tensor y = ops::add(ctx, ops::mul(ctx, x, x), ops::add(ctx, twice, x));
    const Tensor z = ops::add(ctx, ops::add(ctx, y, y), y);
    loss = ops::sum_all(ctx, z);
  }
  tape.backward(ctx, loss);
  EXPECT_THAT(taken(target), ElementsAre(3 * (6 + 3), 3 * (10 + 3)));
}

TEST_F(TapeTest, GradientsPassedOnAreNotOverwritten) {
  std::shared_ptr<GradientTarget> of_a;
  std::shared_ptr<GradientTarget> of_b;
  const Tensor a = leaf(engine.tensor({2}, {1, 2}), of_a);
  const Tensor b = leaf(engine.tensor({2}, {3, 4}), of_b);
  Tensor loss;
  {
    const RecordingScope scope(ctx, tape);
    // add hands one and the same gradient tensor to a2 and b2; a2 then gets a second contribution
    const Tensor a2 = ops::affine(ctx, a, 1.0);
    const Tensor b2 = ops::affine(ctx, b, 1.0);
    const Tensor tripled = ops::affine(ctx, a2, 3.0);
    loss = ops::add(ctx, ops::sum_all(ctx, ops::add(ctx, a2, b2)), ops::sum_all(ctx, tripled));
  }
  tape.backward(ctx, loss);
  EXPECT_THAT(taken(of_a), ElementsAre(4, 4));
  EXPECT_THAT(taken(of_b), ElementsAre(1, 1));
}

TEST_F(TapeTest, SeveralRootsAndUnusedOutputs) {
  std::shared_ptr<GradientTarget> target;
  const Tensor x = leaf(engine.tensor({2}, {1, 2}), target);
  Tensor first;
  Tensor second;
  Tensor unused;
  {
    const RecordingScope scope(ctx, tape);
    first = ops::affine(ctx, x, 2.0);
    second = ops::mul(ctx, x, x);
    unused = ops::unary(ctx, FTRUN_OP_EXP, x);
  }
  const Tensor roots[] = {first, second, unused};
  const Tensor gradients[] = {engine.tensor({2}, {1, 10}), engine.tensor({2}, {1, 1}), Tensor()};
  tape.backward(ctx, roots, gradients);
  EXPECT_THAT(taken(target), ElementsAre(2 + 2, 20 + 4));
}

TEST_F(TapeTest, WeightGradientsAreWrittenThenAddedInTheirBuffer) {
  const Tensor x = engine.tensor({3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor buffer = engine.tensor({4}, {99, 99, 99, 99});  // stale content must not matter
  const auto target = GradientTarget::into(buffer);
  const Tensor weight = make_leaf(engine.tensor({2, 2}, {1, 0, 0, 1}), target);
  for (int micro_batch = 1; micro_batch <= 2; ++micro_batch) {
    Tensor loss;
    {
      const RecordingScope scope(ctx, tape);
      loss = ops::sum_all(ctx, ops::linear(ctx, x, weight));
    }
    tape.backward(ctx, loss);
    const float n = static_cast<float>(micro_batch);
    EXPECT_THAT(read_floats(ctx, buffer), ElementsAre(9 * n, 12 * n, 9 * n, 12 * n));
  }
  target->zero();
  EXPECT_FALSE(target->has_value());
  target->fill_if_empty(ctx);
  EXPECT_THAT(read_floats(ctx, buffer), Each(0.0f));
}

TEST_F(TapeTest, WeightGradientNeedsNoTemporary) {
  const Tensor x = engine.tensor({1, 64}, std::vector<double>(64, 1.0));
  const Tensor buffer = empty(ctx, FTRUN_F32, {64 * 64}, FTRUN_MEMORY_GRADIENTS);
  const Tensor weight =
      make_leaf(engine.tensor({64, 64}, std::vector<double>(64 * 64, 0.5)), GradientTarget::into(buffer));
  Tensor loss;
  {
    const RecordingScope scope(ctx, tape);
    loss = ops::sum_all(ctx, ops::linear(ctx, x, weight));
  }
  engine.device().reset_peak();
  const uint64_t before = engine.live_bytes();
  tape.backward(ctx, loss);
  EXPECT_LT(engine.peak_bytes() - before, buffer.bytes() / 4);
}

// 1 + 2^-9 + 2^-9 + ... : added one by one in bf16 every small term vanishes.
TEST_F(TapeTest, SeveralUsesSumInF32BeforeANarrowBuffer) {
  const Tensor buffer = engine.tensor({1}, {0}, FTRUN_BF16);
  const auto target = GradientTarget::into(buffer);
  const Tensor weight = make_leaf(engine.tensor({1}, {1}, FTRUN_BF16), target);
  Tensor loss;
  {
    const RecordingScope scope(ctx, tape);
    loss = ops::sum_all(ctx, ops::affine(ctx, weight, 0x1p-9));
    for (int i = 1; i < 8; ++i) loss = ops::add(ctx, ops::sum_all(ctx, ops::affine(ctx, weight, 0x1p-9)), loss);
    // Recorded last, so it contributes first.
    loss = ops::add(ctx, ops::sum_all(ctx, ops::affine(ctx, weight, 1.0)), loss);
  }
  tape.backward(ctx, loss);
  EXPECT_THAT(read_floats(ctx, buffer), ElementsAre(1.0f + 8 * 0x1p-9f));
}

TEST_F(TapeTest, HeldTargetSumsOverTapesAndFlushesOnce) {
  const Tensor buffer = engine.tensor({1}, {0}, FTRUN_BF16);
  const auto target = GradientTarget::into(buffer);
  target->hold(true);
  const Tensor weight = make_leaf(engine.tensor({1}, {1}, FTRUN_BF16), target);
  for (const double slope : {1.0, 0x1p-9, 0x1p-9, 0x1p-8}) {
    Tape segment;
    Tensor loss;
    {
      const RecordingScope scope(ctx, segment);
      loss = ops::sum_all(ctx, ops::affine(ctx, weight, slope));
    }
    segment.backward(ctx, loss);
    EXPECT_THAT(read_floats(ctx, buffer), ElementsAre(0.0f));
  }
  target->flush(ctx);
  EXPECT_THAT(read_floats(ctx, buffer), ElementsAre(1.0f + 0x1p-7f));
  EXPECT_TRUE(target->has_value());
}

/// A small decoder-like unit with a residual: x + down(swiglu(gate n, up n)), n = norm(x).
struct Unit {
  Tensor norm;
  Tensor gate;
  Tensor up;
  Tensor down;
  Tensor forward(ExecutionContext& ctx, const Tensor& x) const {
    const Tensor n = ops::rms_norm(ctx, x, norm, 1e-6);
    const Tensor weights[] = {gate, up};
    const std::vector<Tensor> both = ops::linear(ctx, n, weights);
    return ops::add(ctx, x, ops::linear(ctx, ops::swiglu(ctx, both[0], both[1]), down));
  }
};

class ReplayTest : public TapeTest, public testing::WithParamInterface<ftrun_dtype> {
 protected:
  static constexpr int64_t kTokens = 5;
  static constexpr int64_t kFeatures = 6;
  static constexpr int64_t kHidden = 9;

  Tensor parameter(const Shape& shape) {
    const Tensor buffer = empty(ctx, GetParam(), shape, FTRUN_MEMORY_GRADIENTS);
    buffers.push_back(buffer);
    return make_leaf(values(shape), GradientTarget::into(buffer));
  }
  Tensor values(const Shape& shape) {
    return engine.tensor(shape, test::random_values(generator, shape.element_count(), -1, 1, GetParam()), GetParam());
  }
  void build() {
    for (int i = 0; i < 3; ++i) {
      units.push_back({parameter({kFeatures}), parameter({kHidden, kFeatures}), parameter({kHidden, kFeatures}),
                       parameter({kFeatures, kHidden})});
    }
    input = values({kTokens, kFeatures});
    gradient = values({kTokens, kFeatures});
  }
  void zero() {
    for (const Unit& unit : units) {
      for (const Tensor& p : {unit.norm, unit.gate, unit.up, unit.down}) p.autograd().target->zero();
    }
  }
  std::vector<std::vector<float>> gradients() {
    std::vector<std::vector<float>> result;
    for (const Tensor& buffer : buffers) result.push_back(read_floats(ctx, buffer));
    return result;
  }

  std::mt19937_64 generator{7};
  std::vector<Unit> units;
  std::vector<Tensor> buffers;
  Tensor input;
  Tensor gradient;
};

TEST_P(ReplayTest, GivesTheSameBitsAsRecording) {
  build();
  std::shared_ptr<GradientTarget> recorded_target;
  Tensor recorded;
  {
    const RecordingScope scope(ctx, tape);
    recorded = leaf(input, recorded_target);
    for (const Unit& unit : units) recorded = unit.forward(ctx, recorded);
  }
  tape.backward(ctx, recorded, gradient);
  const std::vector<std::vector<float>> wanted = gradients();
  const std::vector<float> wanted_input = taken(recorded_target);

  zero();
  std::vector<Tensor> inputs{input};
  for (const Unit& unit : units) inputs.push_back(unit.forward(ctx, inputs.back()));
  EXPECT_EQ(tape.size(), 0u);
  EXPECT_EQ(read_floats(ctx, inputs.back()), read_floats(ctx, recorded));
  Tensor flowing = gradient;
  for (size_t u = units.size(); u-- > 0;) {
    inputs.pop_back();
    std::shared_ptr<GradientTarget> target;
    const Tensor in = leaf(inputs.back(), target);
    Tape segment;
    Tensor out;
    {
      const RecordingScope scope(ctx, segment);
      out = units[u].forward(ctx, in);
    }
    segment.backward(ctx, out, flowing);
    flowing = target->take();
  }
  EXPECT_EQ(gradients(), wanted);
  EXPECT_EQ(read_floats(ctx, flowing), wanted_input);
}

INSTANTIATE_TEST_SUITE_P(Dtypes, ReplayTest, testing::Values(FTRUN_F32, FTRUN_BF16));

// A unit walk is one node on the loss's tape whose rule replays units on tapes of their own.
TEST_F(TapeTest, ARuleMayRunItsOwnTape) {
  std::shared_ptr<GradientTarget> target;
  const Tensor x = leaf(engine.tensor({2}, {2, 3}), target);
  Tensor loss;
  {
    const RecordingScope scope(ctx, tape);
    Tensor walked;
    {
      const NoGradGuard no_grad(ctx);
      walked = ops::mul(ctx, x, x);
    }
    record_op(ctx, "walk", {x}, {walked}, [saved = x.detach()](BackwardCall& call) {
      ExecutionContext& scope_ctx = call.context();
      const auto inner = GradientTarget::capture();
      const Tensor in = make_leaf(saved, inner);
      Tape segment;
      Tensor out;
      {
        const RecordingScope replay(scope_ctx, segment);
        out = ops::mul(scope_ctx, in, in);
      }
      segment.backward(scope_ctx, out, call.gradient());
      call.contribute(0, inner->take());
    });
    loss = ops::sum_all(ctx, ops::affine(ctx, walked, 10.0));
  }
  tape.backward(ctx, loss);
  EXPECT_THAT(taken(target), ElementsAre(40, 60));
  EXPECT_EQ(ctx.tape, &tape);
  EXPECT_FALSE(ctx.recording);
}

TEST_F(TapeTest, BackwardFreesAsItGoes) {
  constexpr int64_t kElements = 1000;
  constexpr int kOps = 50;
  std::shared_ptr<GradientTarget> target;
  const Tensor x = leaf(engine.tensor({kElements}, std::vector<double>(kElements, 0.5)), target);
  Tensor y = x;
  {
    const RecordingScope scope(ctx, tape);
    for (int i = 0; i < kOps; ++i) y = ops::unary(ctx, FTRUN_OP_SIN, y);
  }
  const Tensor dy = engine.tensor({kElements}, std::vector<double>(kElements, 1.0));
  engine.device().reset_peak();
  const uint64_t before = engine.live_bytes();
  tape.backward(ctx, y, dy);
  EXPECT_LT(engine.peak_bytes() - before, 5u * kElements * 4);
  target->take();
  EXPECT_EQ(engine.live_bytes(), 3u * kElements * 4);  // x, dy and y (still held here)
}

TEST_F(TapeTest, RefusesForeignAndConsumedHistory) {
  std::shared_ptr<GradientTarget> target;
  const Tensor x = leaf(engine.tensor({1}, {2}), target);
  Tensor y;
  {
    const RecordingScope scope(ctx, tape);
    y = ops::mul(ctx, x, x);
  }
  Tape other;
  {
    const RecordingScope scope(ctx, other);
    EXPECT_THAT([&] { ops::mul(ctx, y, y); }, ThrowsMessage<Error>(HasSubstr("another tape")));
  }
  EXPECT_THAT([&] { other.backward(ctx, y); }, ThrowsMessage<Error>(HasSubstr("no history")));
  tape.backward(ctx, y);
  EXPECT_THROW(tape.backward(ctx, y), Error);
  const RecordingScope scope(ctx, tape);
  EXPECT_THROW(ops::mul(ctx, y, y), Error);
  EXPECT_NO_THROW(ops::mul(ctx, y.detach(), x));
}

TEST_F(TapeTest, RefusesABadRootAndAnUnboundBuffer) {
  std::shared_ptr<GradientTarget> target;
  const Tensor x = leaf(engine.tensor({2}, {1, 2}), target);
  EXPECT_THAT([&] { tape.backward(ctx, x); }, ThrowsMessage<Error>(HasSubstr("no history")));
  Tensor y;
  {
    const RecordingScope scope(ctx, tape);
    y = ops::mul(ctx, x, x);
  }
  EXPECT_THAT([&] { tape.backward(ctx, y); }, ThrowsMessage<Error>(HasSubstr("more than one element")));
  EXPECT_EQ(tape.size(), 0u);
  const auto unbound = GradientTarget::into({});
  Tensor loss;
  {
    const RecordingScope scope(ctx, tape);
    loss = ops::sum_all(ctx, make_leaf(x, unbound));
  }
  EXPECT_THAT([&] { tape.backward(ctx, loss); }, ThrowsMessage<Error>(HasSubstr("not bound")));
  EXPECT_EQ(tape.size(), 0u);
}

TEST_F(TapeTest, NonFiniteBackwardOpIsNamed) {
  std::shared_ptr<GradientTarget> target;
  const Tensor x = leaf(engine.tensor({2}, {0, 4}), target);
  ctx.check_finite = true;
  ctx.unit_label = "norm";
  Tensor loss;
  {
    const RecordingScope scope(ctx, tape);
    loss = ops::sum_all(ctx, ops::unary(ctx, FTRUN_OP_SQRT, x));
  }
  EXPECT_EQ(ctx.first_nonfinite_op, "");
  tape.backward(ctx, loss);
  EXPECT_EQ(ctx.first_nonfinite_op, "sqrt (backward) in norm");
}

// Every allocation of a forward and backward fails once: an error each time, nothing leaked, and the next attempt
// works.
TEST_F(TapeTest, EveryFailedAllocationLeavesNothingBehind) {
  const Tensor x = engine.tensor({3, 4}, std::vector<double>(12, 0.5));
  const Tensor w = engine.tensor({6, 4}, std::vector<double>(24, 0.25), FTRUN_F32);
  const Tensor labels = engine.ids({1, -1, 5});
  const Tensor buffer = engine.tensor({24}, std::vector<double>(24, 0.0));
  const auto step = [&] {
    std::shared_ptr<GradientTarget> captured;
    const auto bound = GradientTarget::into(buffer);
    Tensor loss;
    {
      const RecordingScope scope(ctx, tape);
      const Tensor in = leaf(x, captured);
      const Tensor n = ops::rms_norm(ctx, in, engine.tensor({4}, {1, 1, 1, 1}), 1e-6);
      loss = ops::cross_entropy_sum(ctx, n, make_leaf(w, bound), labels, {}, 1.0);
    }
    tape.backward(ctx, loss);
  };
  const uint64_t before = engine.live_bytes();
  int64_t failures = 0;
  for (int64_t n = 0;; ++n) {
    engine.state().fail_after = n;
    try {
      step();
      engine.state().fail_after = -1;
      break;
    } catch (const Error& error) {
      ++failures;
      ASSERT_EQ(error.code(), FTRUN_RESOURCE_EXHAUSTED) << error.what();
      engine.tape().clear();
      ASSERT_EQ(engine.live_bytes(), before) << "after failing allocation " << n;
      ASSERT_FALSE(ctx.recording);
    }
  }
  EXPECT_GT(failures, 20);
  EXPECT_EQ(engine.live_bytes(), before);
}

}  // namespace
}  // namespace ftrun
