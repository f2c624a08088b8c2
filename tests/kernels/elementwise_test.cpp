// Elementwise ops, fill, copy, adamw, swiglu and random numbers against float64.
#include <limits>

#include "ftrun/cpp/reference_kernels/random.hpp"
#include "tests/kernels/op_harness.h"

namespace ftrun::test {
namespace {

constexpr ftrun_dtype kFloats[] = {FTRUN_F32, FTRUN_BF16};

struct UnaryCase {
  const char* name;
  std::function<double(double)> reference;
  bool positive;
};

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

const std::vector<UnaryCase>& unary_cases() {
  static const std::vector<UnaryCase> cases = {
      {FTRUN_OP_NEG, [](double x) { return -x; }, false},
      {FTRUN_OP_EXP, [](double x) { return std::exp(x); }, false},
      {FTRUN_OP_LOG, [](double x) { return std::log(x); }, true},
      {FTRUN_OP_SQRT, [](double x) { return std::sqrt(x); }, true},
      {FTRUN_OP_RSQRT, [](double x) { return 1.0 / std::sqrt(x); }, true},
      {FTRUN_OP_SQUARE, [](double x) { return x * x; }, false},
      {FTRUN_OP_RECIPROCAL, [](double x) { return 1.0 / x; }, false},
      {FTRUN_OP_SIGMOID, sigmoid, false},
      {FTRUN_OP_LOG_SIGMOID, [](double x) { return std::min(x, 0.0) - std::log1p(std::exp(-std::fabs(x))); }, false},
      {FTRUN_OP_SILU, [](double x) { return x * sigmoid(x); }, false},
      {FTRUN_OP_RELU, [](double x) { return x < 0 ? 0.0 : x; }, false},
      {FTRUN_OP_TANH, [](double x) { return std::tanh(x); }, false},
      {FTRUN_OP_ABS, [](double x) { return std::fabs(x); }, false},
      {FTRUN_OP_SIN, [](double x) { return std::sin(x); }, false},
      {FTRUN_OP_COS, [](double x) { return std::cos(x); }, false},
  };
  return cases;
}

TEST(Elementwise, UnaryMatchesFloat64) {
  for (const UnaryCase& test : unary_cases()) {
    for (const ftrun_dtype in : kFloats) {
      for (const ftrun_dtype out : kFloats) {
        for (const int64_t n : with_every_tail({1024, 1025, 2500})) {
          Array x(in, {n}), y(out, {n});
          x.randomize(static_cast<uint64_t>(n), 8.0);
          std::vector<double> expected;
          for (int64_t i = 0; i < n; ++i) {
            if (test.positive) x.set(i, std::fabs(x.get(i)) + 1e-3);
            expected.push_back(test.reference(x.get(i)));
          }
          Machine(1).run(test.name, {&x}, {&y});
          // log is judged beside its condition: near 1 the result is small.
          std::vector<double> magnitude;
          for (const double value : expected)
            magnitude.push_back(std::max(std::fabs(value), test.positive ? 1e-1 : 0.0));
          expect_close(y, expected, magnitude, 1, test.name);
        }
      }
    }
  }
}

TEST(Elementwise, SpecialValues) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> inputs = {0.0, inf, -inf, nan, 1e-30, -1e-30, 100.0, -100.0, 88.0, -88.0};
  for (const UnaryCase& test : unary_cases()) {
    Array x(FTRUN_F32, {static_cast<int64_t>(inputs.size())}), y(FTRUN_F32, {static_cast<int64_t>(inputs.size())});
    std::vector<double> expected;
    for (size_t i = 0; i < inputs.size(); ++i) {
      x.set(static_cast<int64_t>(i), inputs[i]);
      const double stored = x.get(static_cast<int64_t>(i));
      double value = static_cast<double>(static_cast<float>(test.reference(stored)));
      // Results below the smallest normal number flush to zero.
      if (std::strcmp(test.name, FTRUN_OP_EXP) == 0 && value < 1.2e-38) value = 0.0;
      expected.push_back(value);
    }
    Machine(1).run(test.name, {&x}, {&y});
    for (size_t i = 0; i < inputs.size(); ++i) {
      const double got = y.get(static_cast<int64_t>(i)), want = expected[i];
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(got)) << test.name << "(" << inputs[i] << ") = " << got;
      } else if (std::isinf(want)) {
        EXPECT_EQ(got, want) << test.name << "(" << inputs[i] << ")";
      } else {
        EXPECT_NEAR(got, want, 1e-6 * std::fabs(want) + 1e-37) << test.name << "(" << inputs[i] << ")";
      }
    }
  }
}

TEST(Elementwise, ElementDoesNotDependOnItsPlace) {
  for (const UnaryCase& test : unary_cases()) {
    const int64_t n = 77;
    Array x(FTRUN_BF16, {n}), whole(FTRUN_F32, {n});
    x.randomize(3, 2.0);
    for (int64_t i = 0; i < n; ++i) x.set(i, std::fabs(x.get(i)) + 0.01);
    Machine(1).run(test.name, {&x}, {&whole});
    for (int64_t begin = 0; begin < n; begin += 5) {
      Array part_x(FTRUN_BF16, {n - begin}), part_y(FTRUN_F32, {n - begin});
      for (int64_t i = begin; i < n; ++i) part_x.set(i - begin, x.get(i));
      Machine(1).run(test.name, {&part_x}, {&part_y});
      for (int64_t i = begin; i < n; ++i) ASSERT_EQ(whole.get(i), part_y.get(i - begin)) << test.name << " " << i;
    }
  }
}

struct BinaryCase {
  const char* name;
  std::function<double(double, double)> reference;
};

TEST(Elementwise, BinaryBroadcasts) {
  const std::vector<BinaryCase> cases = {
      {FTRUN_OP_ADD, [](double a, double b) { return a + b; }},
      {FTRUN_OP_SUB, [](double a, double b) { return a - b; }},
      {FTRUN_OP_MUL, [](double a, double b) { return a * b; }},
      {FTRUN_OP_DIV, [](double a, double b) { return a / b; }},
      {FTRUN_OP_MAXIMUM, [](double a, double b) { return std::max(a, b); }},
      {FTRUN_OP_MINIMUM, [](double a, double b) { return std::min(a, b); }},
      {FTRUN_OP_GREATER_EQUAL, [](double a, double b) { return a >= b ? 1.0 : 0.0; }},
  };
  for (const BinaryCase& test : cases) {
    for (const int64_t columns : with_every_tail({1030})) {
      const int64_t rows = columns == 1030 ? 70 : 3;
      for (int kind = 0; kind < 4; ++kind) {
        for (const ftrun_dtype dtype : kFloats) {
          const std::vector<std::vector<int64_t>> shapes = {{rows, columns}, {1}, {columns}, {rows, 1}};
          Array a(FTRUN_F32, {rows, columns}), b(dtype, shapes[static_cast<size_t>(kind)]), y(dtype, {rows, columns});
          a.randomize(1);
          b.randomize(2);
          Machine(2).run(test.name, {&a, &b}, {&y});
          std::vector<double> expected, magnitude;
          for (int64_t i = 0; i < rows * columns; ++i) {
            const int64_t j = kind == 0 ? i : kind == 1 ? 0 : kind == 2 ? i % columns : i / columns;
            expected.push_back(test.reference(a.get(i), b.get(j)));
            magnitude.push_back(std::fabs(expected.back()) + std::fabs(a.get(i)));
          }
          expect_close(y, expected, magnitude, 1, std::string(test.name) + " kind " + std::to_string(kind));
        }
      }
    }
  }
}

TEST(Elementwise, InPlaceAndParameters) {
  const int64_t n = 1500;
  for (const ftrun_dtype dtype : kFloats) {
    Array x(dtype, {n}), y(dtype, {n});
    x.randomize(5);
    const Array original = x;
    auto affine = attributes<ftrun_affine_attributes>();
    affine.alpha = 0.75;
    affine.beta = -0.5;
    Machine(1).run(FTRUN_OP_AFFINE, {&x}, {&x}, &affine);
    std::vector<double> expected, terms;
    for (int64_t i = 0; i < n; ++i) {
      expected.push_back(0.75 * original.get(i) - 0.5);
      terms.push_back(std::fabs(original.get(i)) + 0.5);
    }
    expect_close(x, expected, terms, 1, "affine");

    auto clamp = attributes<ftrun_clamp_attributes>();
    clamp.low = -0.25;
    clamp.high = 0.5;
    Machine(1).run(FTRUN_OP_CLAMP, {&original}, {&y}, &clamp);
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(y.get(i), std::min(std::max(original.get(i), -0.25), 0.5));

    y.randomize(6);
    const Array y0 = y;
    Machine(1).run(FTRUN_OP_AXPY, {&original, &y}, {&y}, &affine);
    expected.clear();
    std::vector<double> magnitude;
    for (int64_t i = 0; i < n; ++i) {
      expected.push_back(y0.get(i) + 0.75 * original.get(i));
      magnitude.push_back(std::fabs(y0.get(i)) + std::fabs(original.get(i)));
    }
    expect_close(y, expected, magnitude, 1, "axpy");

    Array condition(FTRUN_F32, {n}), chosen(dtype, {n});
    for (int64_t i = 0; i < n; ++i) condition.set(i, i % 3 ? 1.0 : 0.0);
    Machine(1).run(FTRUN_OP_SELECT, {&condition, &original, &y0}, {&chosen});
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(chosen.get(i), i % 3 ? original.get(i) : y0.get(i));
  }
}

TEST(Elementwise, FillAndCopyEveryDtypeAndStride) {
  const ftrun_dtype dtypes[] = {FTRUN_F64, FTRUN_F32, FTRUN_F16, FTRUN_BF16, FTRUN_I64,
                                FTRUN_I32, FTRUN_U8,  FTRUN_U32, FTRUN_U64};
  for (const ftrun_dtype from : dtypes) {
    for (const ftrun_dtype to : dtypes) {
      for (const int64_t padding : {0, 3}) {
        Array x(from, {3, 5, 7}, padding), y(to, {3, 5, 7}, padding ? 0 : 2);
        auto fill = attributes<ftrun_fill_attributes>();
        fill.value = 3.0;
        Machine(1).run(FTRUN_OP_FILL, {}, {&x}, &fill);
        ASSERT_EQ(x.get(0), 3.0);
        ASSERT_EQ(x.get(104), 3.0);
        for (int64_t i = 0; i < x.count(); ++i) x.set(i, static_cast<double>(i % 120) + (from < FTRUN_F64 ? 0 : 0.25));
        Machine(2).run(FTRUN_OP_COPY, {&x}, {&y});
        Array expected(to, {3, 5, 7});
        for (int64_t i = 0; i < x.count(); ++i) expected.set(i, x.get(i));
        ASSERT_EQ(y.bits(), expected.bits()) << reference::dtype_name(from) << " to " << reference::dtype_name(to);
      }
    }
  }
  Array x(FTRUN_F32, {70000}), y(FTRUN_BF16, {70000}), back(FTRUN_F32, {70000});
  x.randomize(9);
  Machine(2).run(FTRUN_OP_COPY, {&x}, {&y});
  Machine(2).run(FTRUN_OP_COPY, {&y}, {&back});
  for (int64_t i = 0; i < x.count(); ++i) {
    ASSERT_EQ(back.get(i), static_cast<double>(bf16_to_float(bf16_from_float(static_cast<float>(x.get(i))))));
  }
}

void check_swiglu(ftrun_dtype dtype, int64_t n) {
  Array gate(dtype, {n}), up(dtype, {n}), dy(dtype, {n}), y(dtype, {n}), dgate(dtype, {n}), dup(dtype, {n});
  gate.randomize(1, 3.0);
  up.randomize(2);
  dy.randomize(3);
  Machine(1).run(FTRUN_OP_SWIGLU, {&gate, &up}, {&y});
  Machine(1).run(FTRUN_OP_SWIGLU_BACKWARD, {&dy, &gate, &up}, {&dgate, &dup});
  std::vector<double> expected_y, expected_dgate, expected_dup, magnitude;
  for (int64_t i = 0; i < n; ++i) {
    const double g = gate.get(i), u = up.get(i), s = sigmoid(g);
    expected_y.push_back(g * s * u);
    expected_dgate.push_back(dy.get(i) * u * (s + g * s * (1 - s)));
    expected_dup.push_back(dy.get(i) * g * s);
    magnitude.push_back(std::fabs(dy.get(i) * u) * (1 + std::fabs(g)));
  }
  expect_close(y, expected_y, {}, 1, "swiglu");
  expect_close(dgate, expected_dgate, magnitude, 1, "dgate");
  expect_close(dup, expected_dup, {}, 1, "dup");
}

TEST(Elementwise, Swiglu) {
  for (const ftrun_dtype dtype : kFloats) {
    for (const int64_t n : with_every_tail({1665})) check_swiglu(dtype, n);
  }
}

void check_adamw(ftrun_dtype dtype, int64_t n) {
  Array grad(dtype, {n}), master(FTRUN_F32, {n}), m(FTRUN_F32, {n}), v(FTRUN_F32, {n}), param(FTRUN_BF16, {n});
  master.randomize(2);
  std::vector<double> w(static_cast<size_t>(n)), dm(w.size()), dv(w.size());
  for (size_t i = 0; i < w.size(); ++i) w[i] = master.get(static_cast<int64_t>(i));
  for (int step = 1; step <= 5; ++step) {
    grad.randomize(static_cast<uint64_t>(10 + step), 0.1);
    auto a = attributes<ftrun_adamw_attributes>();
    a.learning_rate = 1e-2;
    a.beta1 = 0.9;
    a.beta2 = 0.999;
    a.eps = 1e-8;
    a.weight_decay = 0.1;
    a.bias_correction1 = 1 - std::pow(0.9, step);
    a.bias_correction2 = 1 - std::pow(0.999, step);
    a.grad_scale = 0.5;
    Machine(2).run(FTRUN_OP_ADAMW, {&grad, &master, &m, &v}, {&master, &m, &v, &param}, &a);
    for (size_t i = 0; i < w.size(); ++i) {
      const double g = grad.get(static_cast<int64_t>(i)) * 0.5;
      w[i] *= 1 - 1e-2 * 0.1;
      dm[i] = 0.9 * dm[i] + 0.1 * g;
      dv[i] = 0.999 * dv[i] + 0.001 * g * g;
      w[i] -= 1e-2 / a.bias_correction1 * dm[i] / (std::sqrt(dv[i]) / std::sqrt(a.bias_correction2) + 1e-8);
    }
  }
  std::vector<double> magnitude(w.size(), 1.0);
  expect_close(master, w, magnitude, 4, "master");
  expect_close(m, dm, std::vector<double>(w.size(), 0.1), 4, "m");
  for (int64_t i = 0; i < n; ++i) {
    ASSERT_EQ(param.get(i), static_cast<double>(bf16_to_float(bf16_from_float(static_cast<float>(master.get(i))))));
  }
}

TEST(Elementwise, AdamwFollowsItsFormula) {
  for (const ftrun_dtype dtype : kFloats) {
    for (const int64_t n : with_every_tail({1333})) check_adamw(dtype, n);
  }
}

TEST(Random, PhiloxKnownAnswers) {
  // kat_vectors of Random123: philox4x32 10.
  const auto zero = reference::philox4x32({0, 0, 0, 0}, {0, 0});
  EXPECT_EQ(zero, (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const auto ones = reference::philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u});
  EXPECT_EQ(ones, (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  const auto pi = reference::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
  EXPECT_EQ(pi, (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, ElementDependsOnItsIndexOnly) {
  for (const char* name : {FTRUN_OP_RANDOM_NORMAL, FTRUN_OP_RANDOM_UNIFORM}) {
    auto a = attributes<ftrun_random_attributes>();
    a.seed = 42;
    a.stream = 7;
    a.a = -1.0;
    a.b = 2.0;
    Array whole(FTRUN_F32, {20001});
    Machine(3).run(name, {}, {&whole}, &a);
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < whole.count(); ++i) {
      sum += whole.get(i);
      squares += whole.get(i) * whole.get(i);
    }
    const double mean = sum / 20001, deviation = std::sqrt(squares / 20001 - mean * mean);
    const bool normal = std::strcmp(name, FTRUN_OP_RANDOM_NORMAL) == 0;
    EXPECT_NEAR(mean, normal ? -1.0 : 0.5, 0.06);
    EXPECT_NEAR(deviation, normal ? 2.0 : 3.0 / std::sqrt(12.0), 0.04);
    for (const uint64_t offset : {1u, 2u, 777u, 12345u}) {
      a.offset = offset;
      Array part(FTRUN_F32, {50});
      Machine(1).run(name, {}, {&part}, &a);
      for (int64_t i = 0; i < 50; ++i) ASSERT_EQ(part.get(i), whole.get(static_cast<int64_t>(offset) + i));
    }
  }
}

TEST(Random, UniformStaysBelowHighInBf16) {
  auto a = attributes<ftrun_random_attributes>();
  a.a = 0.0;
  a.b = 1.0;
  Array y(FTRUN_BF16, {5000});
  Machine(1).run(FTRUN_OP_RANDOM_UNIFORM, {}, {&y}, &a);
  for (int64_t i = 0; i < y.count(); ++i) ASSERT_TRUE(y.get(i) >= 0.0 && y.get(i) < 1.0);
}

}  // namespace
}  // namespace ftrun::test
