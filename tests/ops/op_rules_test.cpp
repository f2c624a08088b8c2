// What the table test cannot show: refusals and their words, calls by name, sizes that are zero, memory bounds, the
// entropy, random numbers, and the norm's partial sums.
#include <gmock/gmock.h>

#include <cmath>

#include "core/base/error.h"
#include "core/ops/attention.h"
#include "core/ops/custom_op.h"
#include "core/ops/elementwise.h"
#include "core/ops/embedding.h"
#include "core/ops/layout.h"
#include "core/ops/linear_cross_entropy.h"
#include "core/ops/matmul.h"
#include "core/ops/op_table.h"
#include "core/ops/random.h"
#include "core/ops/reductions.h"
#include "core/ops/rms_norm.h"
#include "core/ops/rope.h"
#include "core/ops/swiglu.h"
#include "tests/tensor/reference_engine.h"

namespace ftrun {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class OpRulesTest : public testing::Test {
 protected:
  Tensor ones(const Shape& shape, ftrun_dtype dtype = FTRUN_F32) { return ops::full(ctx, dtype, shape, 1.0); }
  Tensor captured(const Tensor& x) {
    target = GradientTarget::capture();
    return make_leaf(x, target);
  }

  test::ReferenceEngine engine;
  ExecutionContext& ctx = engine.ctx();
  Tape& tape = engine.tape();
  std::shared_ptr<GradientTarget> target;
};

TEST_F(OpRulesTest, MessagesNameOpAndShapes) {
  EXPECT_THAT(
      [&] {
        ops::add(ctx, ones({2, 3}), ones({2}));
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("'add'"), HasSubstr("f32[2]"), HasSubstr("f32[2, 3]"))));
  EXPECT_THAT(
      [&] {
        ops::matmul(ctx, ones({2, 3}), ones({2, 3}));
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("'matmul'"), HasSubstr("[2, 3]"))));
  EXPECT_THAT([&] { ops::linear(ctx, ones({2, 3}), ones({4, 5})); }, ThrowsMessage<Error>(HasSubstr("f32[4, 5]")));
  EXPECT_THAT([&] { ops::rms_norm(ctx, ones({2, 3}), ones({4}), 1e-6); }, ThrowsMessage<Error>(HasSubstr("[3]")));
  EXPECT_THAT([&] { ops::embedding(ctx, ones({2, 3}), ones({4})); }, ThrowsMessage<Error>(HasSubstr("i32")));
  EXPECT_THAT([&] { ops::rope(ctx, ones({2, 1, 3}), {}); }, ThrowsMessage<Error>(HasSubstr("even")));
  EXPECT_THAT([&] { ops::swiglu(ctx, ones({2}), ones({3})); }, ThrowsMessage<Error>(HasSubstr("'swiglu'")));
  EXPECT_THAT([&] { ops::clamp(ctx, ones({2}), 1.0, 0.0); }, ThrowsMessage<Error>(HasSubstr("low")));
  EXPECT_THAT(
      [&] {
        ops::embedding(ctx, ones({2, 3}), engine.ids({2}));
      },
      ThrowsMessage<Error>(HasSubstr("gather_rows")));
}

TEST_F(OpRulesTest, AttentionChecksSegments) {
  const auto run = [&](ops::AttentionSegments segments, int64_t heads = 2) {
    return ops::attention(ctx, ones({4, heads, 2}), ones({4, 2, 2}), ones({4, 2, 2}),
                          std::make_shared<ops::AttentionSegments>(std::move(segments)), 1.0);
  };
  EXPECT_NO_THROW(run({{0, 1, 4}, {}, {}}));
  EXPECT_THAT([&] { run({{0, 3}, {}, {}}); }, ThrowsMessage<Error>(HasSubstr("4 query rows")));
  EXPECT_THROW(run({{0, 3, 2, 4}, {}, {}}), Error);
  EXPECT_THAT([&] { run({{0, 4}, {0}, {3}}); }, ThrowsMessage<Error>(HasSubstr("only 3 keys")));
  EXPECT_THROW(run({{0, 4}, {1}, {4}}), Error);
  EXPECT_THROW(run({{0, 4}, {0}, {}}), Error);
  EXPECT_THAT([&] { run({{0, 4}, {}, {}}, 3); }, ThrowsMessage<Error>(HasSubstr("multiple")));
}

TEST_F(OpRulesTest, HeadChecksLabels) {
  EXPECT_THAT(
      [&] {
        ops::cross_entropy_sum(ctx, ones({2, 3}), ones({5, 3}), engine.ids({1, 5}), {}, 1.0);
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("label 5"), HasSubstr("vocabulary size 5"))));
  EXPECT_THROW(ops::cross_entropy_sum(ctx, ones({2, 3}), ones({5, 3}), engine.ids({1}), {}, 1.0), Error);
  EXPECT_THROW(ops::logprobs(ctx, ones({2, 3}), ones({5, 3}), engine.ids({1, 2}), 0.0, false), Error);
}

TEST_F(OpRulesTest, CallsByName) {
  auto affine = attributes<ftrun_affine_attributes>();
  affine.alpha = 2.0;
  affine.beta = 1.0;
  EXPECT_THAT(read_floats(ctx, ops::run_op(ctx, "affine", std::vector{ones({2})}, &affine)[0]), ElementsAre(3, 3));
  affine.head.struct_size = 16;  // an older caller that does not know beta
  EXPECT_THAT(read_floats(ctx, ops::run_op(ctx, "affine", std::vector{ones({2})}, &affine)[0]), ElementsAre(2, 2));
  const auto run = [&](const char* name, std::vector<Tensor> inputs, const void* values = nullptr,
                       int32_t outputs = 1) { ops::run_op(ctx, name, inputs, values, outputs); };
  EXPECT_THAT([&] { run("affin", {ones({2})}); }, ThrowsMessage<Error>(HasSubstr("did you mean 'affine'")));
  EXPECT_THAT([&] { run("affine", {ones({2})}); }, ThrowsMessage<Error>(HasSubstr("attribute struct")));
  auto product = attributes<ftrun_matmul_attributes>();
  product.alpha = 1.0;
  EXPECT_NO_THROW(run("matmul", {ones({2, 2}), ones({2, 2}), ones({2})}, &product));
  product.reserved = 1;
  EXPECT_THAT(
      [&] {
        run("matmul", {ones({2, 2}), ones({2, 2})}, &product);
      },
      ThrowsMessage<Error>(HasSubstr("reserved must be 0")));
  affine.head.tag = 0;
  EXPECT_THROW(run("affine", {ones({2})}, &affine), Error);
  EXPECT_THAT([&] { run("add", {ones({2})}); }, ThrowsMessage<Error>(HasSubstr("inputs, not 1")));
  EXPECT_THAT([&] { run("add", {ones({2}), Tensor()}); }, ThrowsMessage<Error>(HasSubstr("input 1 is missing")));
  EXPECT_THAT([&] { run("add", {ones({2}), ones({2})}, nullptr, 2); }, ThrowsMessage<Error>(HasSubstr("not 2")));
}

// Names are the ABI's: what ops.h lists and has a tensor result is callable, in-place ops are not.
TEST_F(OpRulesTest, EveryOpOfTheAbiIsCallableByName) {
  for (const char* name : {"copy",         "add",
                           "sub",          "mul",
                           "div",          "maximum",
                           "minimum",      "neg",
                           "exp",          "log",
                           "sqrt",         "rsqrt",
                           "square",       "reciprocal",
                           "sigmoid",      "log_sigmoid",
                           "silu",         "relu",
                           "tanh",         "abs",
                           "sin",          "cos",
                           "affine",       "axpy",
                           "clamp",        "greater_equal",
                           "select",       "sum_last",
                           "max_last",     "sum_rows",
                           "sum_all",      "sum_squares",
                           "matmul",       "gather_rows",
                           "gather_last",  "rms_norm",
                           "add_rms_norm", "rope_table",
                           "rope",         "flash_attention",
                           "swiglu",       "linear_cross_entropy"}) {
    EXPECT_TRUE(ops::op_table().contains(name)) << name;
  }
  EXPECT_FALSE(ops::op_table().contains("causal_fill"));
}

TEST_F(OpRulesTest, FusedOpsByName) {
  auto norm = attributes<ftrun_rms_norm_attributes>();
  const std::vector<Tensor> y = ops::run_op(ctx, "rms_norm", std::vector{ones({1, 2}), ones({2})}, &norm);
  EXPECT_THAT(read_floats(ctx, y[0]), ElementsAre(1, 1));
  const int32_t offsets[] = {0, 1, 3};
  auto segments = attributes<ftrun_attention_attributes>();
  segments.scale = 1.0;
  segments.causal = 1;
  segments.n_segments = 2;
  segments.query_offsets = offsets;
  const Tensor x = ones({3, 1, 2});
  EXPECT_THAT(read_floats(ctx, ops::run_op(ctx, "flash_attention", std::vector{x, x, x}, &segments)[0]),
              testing::Each(1.0f));
  auto head = attributes<ftrun_linear_cross_entropy_attributes>();
  head.inv_temperature = 1.0;
  const std::vector<Tensor> loss =
      ops::run_op(ctx, "linear_cross_entropy", std::vector{ones({2, 3}), ones({4, 3}), engine.ids({0, 3})}, &head, 3);
  EXPECT_NEAR(read_floats(ctx, loss[0])[1], std::log(4.0), 1e-6);
  EXPECT_NEAR(read_floats(ctx, loss[1])[0], 3.0 + std::log(4.0), 1e-6);
  EXPECT_NEAR(read_floats(ctx, loss[2])[0], std::log(4.0), 1e-6);
  auto frequencies = attributes<ftrun_rope_table_attributes>();
  frequencies.scaling = 1.0;
  const std::vector<Tensor> table =
      ops::run_op(ctx, "rope_table", std::vector{engine.ids({0, 2}), ones({1})}, &frequencies, 2);
  const std::vector<Tensor> inputs{ones({2, 1, 2}), table[0], table[1]};
  auto rotation = attributes<ftrun_rope_attributes>();
  const Tensor rotated = ops::run_op(ctx, "rope", inputs, &rotation)[0];
  rotation.inverse = 1;
  const Tensor back = ops::run_op(ctx, "rope", std::vector{rotated, table[0], table[1]}, &rotation)[0];
  for (const float value : read_floats(ctx, back)) EXPECT_NEAR(value, 1.0, 1e-6);
}

TEST_F(OpRulesTest, OpsWithoutGradientRefuseTrainedInputs) {
  const Tensor x = captured(ones({2}));
  EXPECT_NO_THROW(ops::greater_equal(ctx, x, ones({2})));
  const RecordingScope scope(ctx, tape);
  EXPECT_THAT([&] { ops::greater_equal(ctx, x, ones({2})); }, ThrowsMessage<Error>(HasSubstr("no gradient")));
  EXPECT_THAT([&] { ops::run_op(ctx, "sum_squares", std::vector{x}, nullptr); },
              ThrowsMessage<Error>(HasSubstr("no gradient")));
  EXPECT_NO_THROW(ops::greater_equal(ctx, x.detach(), ones({2})));
  const Tensor y = captured(ones({2, 2}));
  EXPECT_THAT([&] { ops::slice(ctx, y, 1, 0, 1); }, ThrowsMessage<Error>(HasSubstr("axis 0")));
}

TEST_F(OpRulesTest, TiesShareTheGradientAsInTorch) {
  const Tensor x = captured(engine.tensor({1, 4}, {3, 1, 3, 0}));
  Tensor y;
  {
    const RecordingScope scope(ctx, tape);
    y = ops::max_last(ctx, x);
  }
  tape.backward(ctx, y);
  EXPECT_THAT(read_floats(ctx, target->take()), ElementsAre(0.5, 0, 0.5, 0));
  const Tensor z = captured(engine.tensor({3}, {1, -1, 0}));
  {
    const RecordingScope scope(ctx, tape);
    y = ops::sum_all(ctx, ops::binary(ctx, FTRUN_OP_MAXIMUM, z, engine.tensor({1}, {0})));
  }
  tape.backward(ctx, y);
  EXPECT_THAT(read_floats(ctx, target->take()), ElementsAre(1, 0, 0.5));
}

TEST_F(OpRulesTest, NoTokensIsNoSpecialCase) {
  const Tensor buffer = ones({5, 4});
  const Tensor head = make_leaf(ones({5, 4}), GradientTarget::into(buffer));
  const Tensor x = captured(empty(ctx, FTRUN_F32, {0, 4}));
  Tensor loss;
  {
    const RecordingScope scope(ctx, tape);
    const Tensor n = ops::rms_norm(ctx, x, ones({4}), 1e-6);
    const Tensor q = ops::reshape(ctx, ops::linear(ctx, n, ones({4, 4}), ones({4})), {0, 2, 2});
    const ops::RopeTable table = ops::rope_table(ctx, engine.ids({}), engine.tensor({1}, {1.0}), 1.0);
    const Tensor rotated = ops::rope(ctx, q, table);
    const Tensor a = ops::attention(ctx, rotated, rotated, q,
                                    std::make_shared<ops::AttentionSegments>(ops::AttentionSegments{{0}, {}, {}}), 1.0);
    const Tensor out = ops::add(ctx, x, ops::swiglu(ctx, ops::reshape(ctx, a, {0, 4}), n));
    loss = ops::cross_entropy_sum(ctx, out, head, engine.ids({}), {}, 1.0);
  }
  EXPECT_THAT(read_floats(ctx, loss), ElementsAre(0));
  tape.backward(ctx, loss);
  EXPECT_EQ(target->take().shape(), (Shape{0, 4}));
  EXPECT_THAT(read_floats(ctx, buffer), testing::Each(0.0f));
}

TEST_F(OpRulesTest, HeadNeverHoldsAllLogits) {
  constexpr int64_t kTokens = 700;
  constexpr int64_t kVocabulary = 90;
  const Tensor x = captured(ones({kTokens, 3}));
  const Tensor head = make_leaf(ones({kVocabulary, 3}), GradientTarget::into(ones({kVocabulary * 3})));
  const Tensor labels = engine.ids(std::vector<int32_t>(kTokens, 7));
  engine.device().reset_peak();
  const uint64_t before = engine.live_bytes();
  Tensor loss;
  {
    const RecordingScope scope(ctx, tape);
    loss = ops::cross_entropy_sum(ctx, x, head, labels, {}, 1.0 / kTokens);
  }
  tape.backward(ctx, loss);
  EXPECT_LT(engine.peak_bytes() - before, kTokens * kVocabulary * 4u);
  EXPECT_NEAR(read_floats(ctx, loss)[0], std::log(90.0), 1e-4);
}

TEST_F(OpRulesTest, AttentionNeverHoldsAllScores) {
  constexpr int64_t kTokens = 600;
  const Tensor q = captured(ones({kTokens, 1, 2}));
  engine.device().reset_peak();
  const uint64_t before = engine.live_bytes();
  Tensor y;
  {
    const RecordingScope scope(ctx, tape);
    y = ops::attention(ctx, q, ones({kTokens, 1, 2}), ones({kTokens, 1, 2}),
                       std::make_shared<ops::AttentionSegments>(ops::AttentionSegments{{0, kTokens}, {}, {}}), 1.0);
  }
  tape.backward(ctx, y, ones({kTokens, 1, 2}));
  EXPECT_LT(engine.peak_bytes() - before, kTokens * kTokens * 4u);
}

TEST_F(OpRulesTest, SegmentsDoNotSeeEachOther) {
  std::mt19937_64 generator(3);
  const std::vector<double> values = test::random_values(generator, 5 * 2 * 2, -1, 1);
  const auto run = [&](int64_t begin, int64_t end, std::vector<int32_t> offsets) {
    const Tensor x = engine.tensor({5, 2, 2}, values).slice(0, begin, end);
    return read_floats(
        ctx, ops::attention(
                 ctx, x, x, x,
                 std::make_shared<ops::AttentionSegments>(ops::AttentionSegments{std::move(offsets), {}, {}}), 0.5));
  };
  std::vector<float> apart = run(0, 2, {0, 2});
  const std::vector<float> second = run(2, 5, {0, 3});
  apart.insert(apart.end(), second.begin(), second.end());
  EXPECT_EQ(run(0, 5, {0, 2, 5}), apart);
}

TEST_F(OpRulesTest, EntropyOfTheHead) {
  const Tensor x = engine.tensor({3, 2}, {1, 2, -1, 0.5, 0, 0});
  const std::vector<double> weight = {1, 0, 0, 1, -1, 1, 0.5, 0.5};
  const double temperature = 0.5;
  const ops::LogProbabilities out =
      ops::logprobs(ctx, x, engine.tensor({4, 2}, weight), engine.ids({0, -1, 3}), temperature, true);
  const std::vector<float> entropy = read_floats(ctx, out.entropy);
  double sum = 0.0;
  double weighted = 0.0;
  for (size_t v = 0; v < 4; ++v) {
    const double logit = (weight[2 * v] + 2.0 * weight[2 * v + 1]) / temperature;
    sum += std::exp(logit);
    weighted += std::exp(logit) * logit;
  }
  EXPECT_NEAR(entropy[0], std::log(sum) - weighted / sum, 1e-5);
  EXPECT_EQ(entropy[1], 0.0f);
  EXPECT_NEAR(entropy[2], std::log(4.0), 1e-6);
  EXPECT_EQ(read_floats(ctx, out.logp)[1], 0.0f);
}

// A row without label may have logits whose exp overflows; its gradient is still zero, not NaN.
TEST_F(OpRulesTest, RowsWithoutLabelStayFinite) {
  const Tensor x = captured(engine.tensor({2, 1}, {500, 1}));
  Tensor loss;
  {
    const RecordingScope scope(ctx, tape);
    loss = ops::cross_entropy_sum(ctx, x, engine.tensor({2, 1}, {1, -1}), engine.ids({-100, 0}), {}, 1.0);
  }
  tape.backward(ctx, loss);
  const std::vector<float> gradient = read_floats(ctx, target->take());
  EXPECT_EQ(gradient[0], 0.0f);
  EXPECT_TRUE(std::isfinite(gradient[1]));
}

TEST_F(OpRulesTest, FrozenHeadAsksForNoWeightGradient) {
  const Tensor x = captured(ones({2, 3}, FTRUN_BF16));
  Tensor loss;
  {
    const RecordingScope scope(ctx, tape);
    loss = ops::cross_entropy_sum(ctx, x, ones({5, 3}, FTRUN_BF16), engine.ids({1, 2}), {}, 1.0);
  }
  tape.backward(ctx, loss);
  EXPECT_EQ(target->take().dtype(), FTRUN_BF16);
}

TEST_F(OpRulesTest, ComposedOpsAreReported) {
  ops::swiglu(ctx, ones({2}), ones({2}));
  ops::rms_norm(ctx, ones({2}), ones({2}), 1e-6);
  EXPECT_THAT(engine.device().composed_ops(), ElementsAre("rms_norm", "swiglu"));
}

TEST_F(OpRulesTest, RandomNumbersDependOnTheirIndexOnly) {
  const Tensor whole = empty(ctx, FTRUN_F32, {1000});
  ops::random_normal(ctx, whole, 5, 9, 0, 1.0, 2.0);
  const Tensor part = empty(ctx, FTRUN_F32, {100});
  ops::random_normal(ctx, part, 5, 9, 333, 1.0, 2.0);
  EXPECT_EQ(read_floats(ctx, whole.slice(0, 333, 433)), read_floats(ctx, part));
  ops::random_normal(ctx, part, 5, 10, 333, 1.0, 2.0);
  EXPECT_NE(read_floats(ctx, whole.slice(0, 333, 433)), read_floats(ctx, part));
  double mean = 0.0;
  for (const float value : read_floats(ctx, whole)) mean += value / 1000.0;
  EXPECT_NEAR(mean, 1.0, 4 * 2.0 / std::sqrt(1000.0));
  ops::random_uniform(ctx, whole, 5, 9, 0, -1.0, 3.0);
  for (const float value : read_floats(ctx, whole)) EXPECT_TRUE(value >= -1.0f && value < 3.0f);
}

TEST_F(OpRulesTest, SumSquaresComesInBlocks) {
  std::vector<double> blocks;
  ops::append_block_sums(ctx, ops::sum_squares(ctx, ops::full(ctx, FTRUN_F32, {2500}, 2.0)), blocks);
  EXPECT_THAT(blocks, ElementsAre(4096.0, 4096.0, 452.0 * 4.0));
  ops::append_block_sums(ctx, ops::sum_squares(ctx, ones({0})), blocks);
  EXPECT_EQ(blocks.size(), 3u);
}

struct PluginState {
  int32_t destroyed = 0;
  int32_t calls = 0;
  ExecutionContext* ctx = nullptr;
};

ftrun_status plugin_backward(void* state, ftrun_context*, ftrun_tensor* const* output_gradients, int32_t,
                             ftrun_tensor** input_gradients, int32_t n_inputs) {
  auto& plugin = *static_cast<PluginState*>(state);
  ++plugin.calls;
  if (n_inputs != 2 || output_gradients[0] == nullptr) return FTRUN_INTERNAL;
  Tensor gradient = ops::affine(*plugin.ctx, Tensor::share(output_gradients[0]), 7.0);
  input_gradients[0] = gradient.release();
  return FTRUN_OK;
}

TEST_F(OpRulesTest, CustomOpGradient) {
  PluginState state;
  state.ctx = &ctx;
  const auto destroy = [](void* pointer) { ++static_cast<PluginState*>(pointer)->destroyed; };
  const Tensor x = captured(ones({2}));
  {
    const RecordingScope scope(ctx, tape);
    const Tensor y = ones({2});
    const Tensor inputs[] = {x, ones({2})};
    ops::record_custom_op(ctx, nullptr, "mine", inputs, std::span(&y, 1), plugin_backward, &state, destroy);
    tape.backward(ctx, y, engine.tensor({2}, {1, 2}));
    EXPECT_THAT(read_floats(ctx, target->take()), ElementsAre(7, 14));
    EXPECT_EQ(state.calls, 1);
    EXPECT_EQ(state.destroyed, 1);
  }
  const Tensor y = ones({2});
  ops::record_custom_op(ctx, nullptr, "mine", std::span(&x, 1), std::span(&y, 1), plugin_backward, &state, destroy);
  EXPECT_EQ(state.destroyed, 2);
  EXPECT_FALSE(y.requires_grad());
}

}  // namespace
}  // namespace ftrun
