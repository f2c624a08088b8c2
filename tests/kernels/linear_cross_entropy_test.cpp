// The fused linear + cross-entropy against float64: loss, lse, entropy, gradients; skipped rows; bits for rows and
// threads.
#include "plugins/devices/kernels/tiled_kernels.h"
#include "tests/kernels/op_harness.h"

namespace ftrun::test {
namespace {

struct Problem {
  Problem(int64_t t, int64_t d, int64_t v, ftrun_dtype dtype, bool skip)
      : tokens(t),
        features(d),
        vocabulary(v),
        x(dtype, {t, d}),
        weight(dtype, {v, d}),
        labels(FTRUN_I32, {t}),
        loss(FTRUN_F32, {t}),
        lse(FTRUN_F32, {t}),
        entropy(FTRUN_F32, {t}),
        dloss(FTRUN_F32, {t}),
        dx(dtype, {t, d}),
        dweight(dtype, {v, d}),
        a(attributes<ftrun_linear_cross_entropy_attributes>()) {
    x.randomize(1);
    weight.randomize(2, 0.5);
    dloss.randomize(3);
    for (int64_t i = 0; i < t; ++i) labels.set(i, skip && i % 3 == 1 ? -100.0 : static_cast<double>(i * 37 % v));
    a.inv_temperature = 0.8;
  }
  void forward(Machine& machine) {
    machine.run(FTRUN_OP_LINEAR_CROSS_ENTROPY, {&x, &weight, &labels}, {&loss, &lse, &entropy}, &a);
  }
  void backward(Machine& machine) {
    machine.run(FTRUN_OP_LINEAR_CROSS_ENTROPY_BACKWARD, {&dloss, &x, &weight, &labels, &lse}, {&dx, &dweight}, &a);
  }
  int64_t tokens, features, vocabulary;
  Array x, weight, labels, loss, lse, entropy, dloss, dx, dweight;
  ftrun_linear_cross_entropy_attributes a;
};

struct Reference {
  std::vector<double> loss, lse, entropy, dx, dweight;
  explicit Reference(const Problem& p)
      : dx(static_cast<size_t>(p.x.count())), dweight(static_cast<size_t>(p.weight.count())) {
    for (int64_t t = 0; t < p.tokens; ++t) row(p, t);
  }
  void row(const Problem& p, int64_t t) {
    const int64_t label = static_cast<int64_t>(p.labels.get(t));
    if (label < 0) {
      loss.push_back(0);
      lse.push_back(0);
      entropy.push_back(0);
      return;
    }
    std::vector<double> z(static_cast<size_t>(p.vocabulary));
    double largest = -1e300, sum = 0, mean = 0;
    for (int64_t v = 0; v < p.vocabulary; ++v) {
      double dot = 0;
      for (int64_t i = 0; i < p.features; ++i) dot += p.x.get(t * p.features + i) * p.weight.get(v * p.features + i);
      z[static_cast<size_t>(v)] = dot * p.a.inv_temperature;
      largest = std::max(largest, z[static_cast<size_t>(v)]);
    }
    for (const double value : z) sum += std::exp(value - largest);
    const double log_sum = largest + std::log(sum);
    for (const double value : z) mean += value * std::exp(value - log_sum);
    loss.push_back(log_sum - z[static_cast<size_t>(label)]);
    lse.push_back(log_sum);
    entropy.push_back(log_sum - mean);
    for (int64_t v = 0; v < p.vocabulary; ++v) {
      const double g = p.dloss.get(t) * p.a.inv_temperature *
                       (std::exp(z[static_cast<size_t>(v)] - log_sum) - (v == label ? 1.0 : 0.0));
      for (int64_t i = 0; i < p.features; ++i) {
        dx[static_cast<size_t>(t * p.features + i)] += g * p.weight.get(v * p.features + i);
        dweight[static_cast<size_t>(v * p.features + i)] += g * p.x.get(t * p.features + i);
      }
    }
  }
};

TEST(LinearCrossEntropy, MatchesFloat64) {
  for (const ftrun_dtype dtype : {FTRUN_F32, FTRUN_BF16}) {
    for (const bool skip : {false, true}) {
      std::vector<std::array<int64_t, 3>> sizes = {{1, 3, 2}, {17, 40, 1031}, {40, 17, 512}, {9, 33, 515}};
      for (const int64_t tail : with_every_tail({})) sizes.push_back({5, tail, 67 + tail});
      for (const auto& [t, d, v] : sizes) {
        Problem p(t, d, v, dtype, skip);
        const Reference r(p);
        Machine machine(2);
        p.forward(machine);
        p.backward(machine);
        const double k = static_cast<double>(d);
        // bf16 products take the logits' gradients rounded to bf16: errors are 2^-9 of a typical term, not 2^-24.
        const double roundings = dtype == FTRUN_BF16 && kernels::tiled_kernels().gemm_pairs != nullptr ? 1024.0 : 1.0;
        expect_close(p.loss, r.loss, std::vector<double>(r.loss.size(), 4.0), k, "loss");
        expect_close(p.lse, r.lse, std::vector<double>(r.lse.size(), 4.0), k, "lse");
        expect_close(p.entropy, r.entropy, std::vector<double>(r.entropy.size(), 16.0), k, "entropy");
        expect_close(p.dx, r.dx, std::vector<double>(r.dx.size(), 8.0 * roundings), static_cast<double>(v), "dx");
        expect_close(p.dweight, r.dweight, std::vector<double>(r.dweight.size(), 4.0 * roundings), k, "dweight");
        // Accumulating on top, and each gradient alone.
        const Array dx = p.dx, dweight = p.dweight;
        p.a.accumulate = 1;
        machine.run(FTRUN_OP_LINEAR_CROSS_ENTROPY_BACKWARD, {&p.dloss, &p.x, &p.weight, &p.labels, &p.lse},
                    {nullptr, &p.dweight}, &p.a);
        for (double& value : const_cast<std::vector<double>&>(r.dweight)) value *= 2;
        expect_close(p.dweight, r.dweight, std::vector<double>(r.dweight.size(), 8.0 * roundings), k, "accumulated",
                     2.0);
        p.dx.fill(5.0);
        machine.run(FTRUN_OP_LINEAR_CROSS_ENTROPY_BACKWARD, {&p.dloss, &p.x, &p.weight, &p.labels, &p.lse},
                    {&p.dx, nullptr}, &p.a);
        EXPECT_EQ(p.dx.bits(), dx.bits());
      }
    }
  }
}

TEST(LinearCrossEntropy, SameBitsForAnyRowsAndThreads) {
  Problem p(61, 48, 1500, FTRUN_BF16, true);
  Machine one(1);
  p.forward(one);
  p.backward(one);
  for (const int32_t threads : {2, 4}) {
    Problem other(61, 48, 1500, FTRUN_BF16, true);
    Machine machine(threads);
    other.forward(machine);
    other.backward(machine);
    EXPECT_EQ(other.loss.bits(), p.loss.bits());
    EXPECT_EQ(other.entropy.bits(), p.entropy.bits());
    EXPECT_EQ(other.dx.bits(), p.dx.bits());
    EXPECT_EQ(other.dweight.bits(), p.dweight.bits());
  }
  Problem alone(1, 48, 1500, FTRUN_BF16, false);
  for (int64_t i = 0; i < 48; ++i) alone.x.set(i, p.x.get(30 * 48 + i));
  alone.labels.set(0, p.labels.get(30));
  alone.dloss.set(0, p.dloss.get(30));
  alone.forward(one);
  alone.backward(one);
  EXPECT_EQ(alone.loss.get(0), p.loss.get(30));
  EXPECT_EQ(alone.entropy.get(0), p.entropy.get(30));
  for (int64_t i = 0; i < 48; ++i) EXPECT_EQ(alone.dx.get(i), p.dx.get(30 * 48 + i));
}

TEST(LinearCrossEntropy, OnePassHasTheBitsOfTwo) {
  // 64 KiB hold fewer than 16 rows of 1,500 entries: the second problem takes four passes, the third two.
  for (const auto& [t, d, v] : {std::array<int64_t, 3>{1, 3, 2}, {61, 48, 1500}, {17, 40, 1031}}) {
    for (const bool skip : {false, true}) {
      Problem two(t, d, v, FTRUN_F32, skip), one(t, d, v, FTRUN_F32, skip);
      Machine machine(2);
      machine.context().whole_rows_bytes = 64 << 10;
      two.forward(machine);
      two.backward(machine);
      one.dx.fill(5.0);
      one.dweight.fill(5.0);
      machine.run(FTRUN_OP_LINEAR_CROSS_ENTROPY_WITH_GRADIENTS, {&one.x, &one.weight, &one.labels, &one.dloss},
                  {&one.loss, &one.lse, &one.dx, &one.dweight}, &one.a);
      EXPECT_EQ(one.loss.bits(), two.loss.bits());
      EXPECT_EQ(one.lse.bits(), two.lse.bits());
      EXPECT_EQ(one.dx.bits(), two.dx.bits());
      EXPECT_EQ(one.dweight.bits(), two.dweight.bits());
      const Array dx = one.dx;
      one.dx.fill(5.0);
      machine.run(FTRUN_OP_LINEAR_CROSS_ENTROPY_WITH_GRADIENTS, {&one.x, &one.weight, &one.labels, &one.dloss},
                  {&one.loss, &one.lse, &one.dx, nullptr}, &one.a);
      EXPECT_EQ(one.dx.bits(), dx.bits());
    }
  }
}

TEST(LinearCrossEntropy, LogitsOfAllRowsAreNeverHeld) {
  constexpr int64_t kRows = 2048;
  constexpr int64_t kVocabulary = 8192;
  for (const bool one_pass : {false, true}) {
    Problem p(kRows, 16, kVocabulary, FTRUN_F32, false);
    Machine machine(2);
    if (one_pass) {
      machine.run(FTRUN_OP_LINEAR_CROSS_ENTROPY_WITH_GRADIENTS, {&p.x, &p.weight, &p.labels, &p.dloss},
                  {&p.loss, &p.lse, &p.dx, &p.dweight}, &p.a);
    } else {
      p.forward(machine);
      p.backward(machine);
    }
    EXPECT_LT(machine.context().scratch.held_bytes(), kRows * kVocabulary * 4 * 3 / 4) << "one pass: " << one_pass;
  }
}

TEST(LinearCrossEntropy, ManyRowTilesSumLikeOne) {
  // 8,200 rows take two row tiles; the weight gradient is compared with float64.
  Problem p(8200, 4, 20, FTRUN_F32, false);
  const Reference r(p);
  Machine machine(2);
  p.forward(machine);
  p.backward(machine);
  expect_close(p.loss, r.loss, std::vector<double>(r.loss.size(), 4.0), 4, "loss");
  expect_close(p.dweight, r.dweight, std::vector<double>(r.dweight.size(), 50.0), 8200, "dweight");
}

TEST(LinearCrossEntropy, NoSupervisedRowAndWrongLabels) {
  Problem p(6, 8, 30, FTRUN_F32, false);
  p.labels.fill(-1);
  p.dweight.fill(3.0);
  Machine machine(1);
  p.forward(machine);
  p.backward(machine);
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(p.loss.get(i), 0.0);
  for (int64_t i = 0; i < p.dweight.count(); ++i) ASSERT_EQ(p.dweight.get(i), 0.0);
  p.labels.set(2, 30);
  EXPECT_THROW(p.forward(machine), KernelError);
}

}  // namespace
}  // namespace ftrun::test
