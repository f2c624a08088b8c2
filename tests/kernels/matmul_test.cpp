// matmul: float64 reference over odd shapes, transposes, strides and types; rows, threads and K splits keep the bits.
#include "plugins/devices/kernels/gemm.h"
#include "tests/kernels/op_harness.h"

namespace ftrun::test {
namespace {

constexpr ftrun_dtype kFloats[] = {FTRUN_F32, FTRUN_BF16};

struct Case {
  int64_t batch, m, n, k;
};

void check(const Case& shape, int ta, int tb, ftrun_dtype ad, ftrun_dtype bd, ftrun_dtype cd, bool bias, int accumulate,
           int64_t padding) {
  const auto dims = [&](int64_t rows, int64_t columns) {
    return shape.batch > 1 ? std::vector<int64_t>{shape.batch, rows, columns} : std::vector<int64_t>{rows, columns};
  };
  Array a(ad, ta ? dims(shape.k, shape.m) : dims(shape.m, shape.k), padding);
  Array b(bd, tb ? dims(shape.n, shape.k) : dims(shape.k, shape.n), padding);
  Array c(cd, dims(shape.m, shape.n), padding), bias_n(cd, {shape.n});
  a.randomize(1);
  b.randomize(2);
  c.randomize(3);
  bias_n.randomize(4);
  std::vector<double> expected, magnitude;
  for (int64_t p = 0; p < shape.batch; ++p) {
    for (int64_t i = 0; i < shape.m; ++i) {
      for (int64_t j = 0; j < shape.n; ++j) {
        double sum = 0, absolute = 0;
        for (int64_t k = 0; k < shape.k; ++k) {
          const double term = a.get(p * shape.m * shape.k + (ta ? k * shape.m + i : i * shape.k + k)) *
                              b.get(p * shape.n * shape.k + (tb ? j * shape.k + k : k * shape.n + j));
          sum += term;
          absolute += std::fabs(term);
        }
        const double old = c.get((p * shape.m + i) * shape.n + j);
        expected.push_back(0.5 * sum + (bias ? bias_n.get(j) : 0.0) + (accumulate ? old : 0.0));
        magnitude.push_back(absolute + std::fabs(old) + 2.0);
      }
    }
  }
  auto attribute = attributes<ftrun_matmul_attributes>();
  attribute.transpose_a = ta;
  attribute.transpose_b = tb;
  attribute.accumulate = accumulate;
  attribute.alpha = 0.5;
  std::vector<const Array*> inputs = {&a, &b};
  if (bias) inputs.push_back(&bias_n);
  Machine(2).run(FTRUN_OP_MATMUL, inputs, {&c}, &attribute);
  // Errors of a chain of K fused multiply-adds grow like sqrt(K) of a typical term, not of the sum of all.
  for (double& value : magnitude) value /= std::sqrt(static_cast<double>(shape.k) + 1.0);
  expect_close(c, expected, magnitude, static_cast<double>(shape.k), "matmul");
}

TEST(Matmul, MatchesFloat64) {
  const Case shapes[] = {{1, 1, 1, 1},     {1, 7, 33, 5},   {1, 13, 17, 300}, {1, 150, 40, 64},
                         {1, 5, 530, 9},   {3, 20, 19, 31}, {1, 4, 8, 0},     {1, 600, 16, 20},
                         {1, 61, 8, 1030}, {2, 70, 5, 40},  {1, 530, 3, 260}};
  for (const Case& shape : shapes) {
    for (const int ta : {0, 1}) {
      for (const int tb : {0, 1}) {
        check(shape, ta, tb, FTRUN_F32, FTRUN_F32, FTRUN_F32, false, 0, 0);
        check(shape, ta, tb, FTRUN_BF16, FTRUN_BF16, FTRUN_BF16, true, 1, 0);
        check(shape, ta, tb, FTRUN_BF16, FTRUN_F32, FTRUN_F32, true, 0, 3);
        check(shape, ta, tb, FTRUN_F32, FTRUN_BF16, FTRUN_BF16, false, 1, 3);
      }
    }
  }
}

TEST(Matmul, SameBitsForAnyRowsThreadsAndTiles) {
  const int64_t m = 301, n = 70, k = 2060;
  for (const ftrun_dtype dtype : kFloats) {
    Array a(dtype, {m, k}), b(dtype, {n, k}), c(dtype, {m, n});
    a.randomize(1);
    b.randomize(2);
    auto attribute = attributes<ftrun_matmul_attributes>();
    attribute.transpose_b = 1;
    attribute.alpha = 1.0;
    Machine(1).run(FTRUN_OP_MATMUL, {&a, &b}, {&c}, &attribute);
    for (const int32_t threads : {2, 4}) {
      Array other(dtype, {m, n});
      Machine(threads).run(FTRUN_OP_MATMUL, {&a, &b}, {&other}, &attribute);
      ASSERT_EQ(other.bits(), c.bits());
    }
    // One to four rows, 5 to 48 and more take different ways.
    for (const int64_t rows : {1, 2, 3, 4, 5, 8, 9, 16, 17, 24, 25, 33, 40, 48, 49, 100}) {
      Array part(dtype, {rows, k}), out(dtype, {rows, n});
      for (int64_t i = 0; i < rows * k; ++i) part.set(i, a.get(37 * k + i));
      Machine(1).run(FTRUN_OP_MATMUL, {&part, &b}, {&out}, &attribute);
      for (int64_t i = 0; i < rows * n; ++i) ASSERT_EQ(out.get(i), c.get(37 * n + i)) << rows << " rows";
    }
  }
}

Array turned(const Array& in, int64_t rows, int64_t columns, ftrun_dtype dtype) {
  Array out(dtype, {columns, rows});
  for (int64_t i = 0; i < rows * columns; ++i) out.set(i % columns * rows + i / columns, in.get(i));
  return out;
}

// Up to one panel of columns takes ways of its own, by how a and b lie.
TEST(Matmul, SameBitsForAnyColumns) {
  const int64_t m = 601, n = 40, k = 1100;
  for (const ftrun_dtype dtype : kFloats) {
    Array a(dtype, {m, k}), b(dtype, {n, k}), c(dtype, {m, n});
    a.randomize(1);
    b.randomize(2);
    auto attribute = attributes<ftrun_matmul_attributes>();
    attribute.transpose_b = 1;
    attribute.alpha = 1.0;
    Machine(2).run(FTRUN_OP_MATMUL, {&a, &b}, {&c}, &attribute);
    const Array at = turned(a, m, k, dtype);
    for (const int64_t columns : {1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33}) {
      Array part(dtype, {columns, k});
      for (int64_t i = 0; i < columns * k; ++i) part.set(i, b.get(i));
      const Array part_t = turned(part, columns, k, dtype);
      for (const int ta : {0, 1}) {
        for (const int tb : {0, 1}) {
          attribute.transpose_a = ta;
          attribute.transpose_b = tb;
          Array out(dtype, {m, columns});
          Machine(2).run(FTRUN_OP_MATMUL, {ta != 0 ? &at : &a, tb != 0 ? &part : &part_t}, {&out}, &attribute);
          for (int64_t i = 0; i < m * columns; ++i) {
            ASSERT_EQ(out.get(i), c.get(i / columns * n + i % columns))
                << columns << " columns, transposed: a " << ta << ", b " << tb;
          }
        }
      }
    }
  }
}

TEST(Matmul, TransposesGiveTheSameBits) {
  const int64_t m = 50, n = 45, k = 270;
  Array a(FTRUN_F32, {m, k}), b(FTRUN_F32, {k, n});
  a.randomize(1);
  b.randomize(2);
  const Array at = turned(a, m, k, FTRUN_F32), bt = turned(b, k, n, FTRUN_F32);
  Array plain(FTRUN_F32, {m, n}), both(FTRUN_F32, {m, n});
  auto attribute = attributes<ftrun_matmul_attributes>();
  attribute.alpha = 1.0;
  Machine(1).run(FTRUN_OP_MATMUL, {&a, &b}, {&plain}, &attribute);
  attribute.transpose_a = attribute.transpose_b = 1;
  Machine(1).run(FTRUN_OP_MATMUL, {&at, &bt}, {&both}, &attribute);
  EXPECT_EQ(plain.bits(), both.bits());
}

/// c = or += a[:, begin, end) b[begin, end), all f32 as they lie or transposed.
void continue_product(Machine& machine, const Array& a, bool ta, const Array& b, bool tb, Array& c, int64_t begin,
                      int64_t end, kernels::GemmOutput output) {
  const int64_t m = c.view().shape[0], n = c.view().shape[1];
  const int64_t a_stride = a.view().shape[1], b_stride = b.view().shape[1];
  kernels::GemmCall call{};
  call.m = m;
  call.n = n;
  call.k = end - begin;
  call.a = {static_cast<const float*>(a.view().data) + begin * (ta ? a_stride : 1), FTRUN_F32, a_stride, ta};
  call.b = {static_cast<const float*>(b.view().data) + begin * (tb ? 1 : b_stride), FTRUN_F32, b_stride, tb};
  call.c = c.view().data;
  call.c_dtype = FTRUN_F32;
  call.c_row_stride = n;
  call.output = output;
  kernels::gemm(machine.context(), call);
}

TEST(Matmul, ContinuingEqualsOneLongSum) {
  const int64_t k = 900, split = 300;
  Machine machine(2);
  for (const int64_t m : {20, 60}) {
    for (const int64_t n : {5, 8, 16, 33}) {
      for (const int transposed : {0, 1, 2, 3}) {
        const bool ta = transposed / 2 != 0, tb = transposed % 2 != 0;
        Array a(FTRUN_F32, {ta ? k : m, ta ? m : k}), b(FTRUN_F32, {tb ? n : k, tb ? k : n});
        Array whole(FTRUN_F32, {m, n}), parts(FTRUN_F32, {m, n});
        a.randomize(1);
        b.randomize(2);
        continue_product(machine, a, ta, b, tb, whole, 0, k, kernels::GemmOutput::kStore);
        continue_product(machine, a, ta, b, tb, parts, 0, split, kernels::GemmOutput::kStore);
        continue_product(machine, a, ta, b, tb, parts, split, k, kernels::GemmOutput::kContinue);
        EXPECT_EQ(whole.bits(), parts.bits()) << m << "x" << n << ", transposed: a " << ta << ", b " << tb;
      }
    }
  }
}

TEST(Matmul, RefusesWrongShapes) {
  Array a(FTRUN_F32, {3, 4}), b(FTRUN_F32, {5, 6}), c(FTRUN_F32, {3, 6}), i32(FTRUN_I32, {4, 6});
  auto attribute = attributes<ftrun_matmul_attributes>();
  attribute.alpha = 1.0;
  EXPECT_THROW(Machine(1).run(FTRUN_OP_MATMUL, {&a, &b}, {&c}, &attribute), KernelError);
  EXPECT_THROW(Machine(1).run(FTRUN_OP_MATMUL, {&a, &i32}, {&c}, &attribute), KernelError);
  EXPECT_THROW(Machine(1).run(FTRUN_OP_MATMUL, {&a, &b}, {&c}, nullptr), KernelError);
}

}  // namespace
}  // namespace ftrun::test
