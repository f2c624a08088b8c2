// Reductions, gathers, scatters, norms and rope against float64.
#include "ftrun/cpp/reference_kernels/reductions.hpp"
#include "tests/kernels/op_harness.h"

namespace ftrun::test {
namespace {

constexpr ftrun_dtype kFloats[] = {FTRUN_F32, FTRUN_BF16};

TEST(Reduce, LastAxis) {
  for (const ftrun_dtype dtype : kFloats) {
    for (const int64_t columns : with_every_tail({1024, 3001})) {
      const int64_t rows = 5;
      Array x(dtype, {rows, columns}), sum(FTRUN_F32, {rows}), maximum(FTRUN_F32, {rows});
      x.randomize(static_cast<uint64_t>(columns));
      Machine(2).run(FTRUN_OP_SUM_LAST, {&x}, {&sum});
      Machine(2).run(FTRUN_OP_MAX_LAST, {&x}, {&maximum});
      std::vector<double> expected, magnitude;
      for (int64_t row = 0; row < rows; ++row) {
        double total = 0, absolute = 0, largest = x.get(row * columns);
        for (int64_t i = 0; i < columns; ++i) {
          const double value = x.get(row * columns + i);
          total += value;
          absolute += std::fabs(value);
          largest = std::max(largest, value);
        }
        expected.push_back(total);
        magnitude.push_back(absolute);
        ASSERT_EQ(maximum.get(row), largest);
      }
      expect_close(sum, expected, magnitude, 1, "sum_last");
    }
  }
}

TEST(Reduce, RowsAllSquaresAndRanks) {
  for (const ftrun_dtype dtype : kFloats) {
    const int64_t rows = 37, columns = 131;
    Array x(dtype, {rows, columns}), sums(dtype, {columns});
    x.randomize(4);
    sums.fill(2.0);
    auto accumulate = attributes<ftrun_accumulate_attributes>();
    accumulate.accumulate = 1;
    Machine(2).run(FTRUN_OP_SUM_ROWS, {&x}, {&sums}, &accumulate);
    std::vector<double> expected, magnitude;
    for (int64_t i = 0; i < columns; ++i) {
      float total = 0;
      for (int64_t row = 0; row < rows; ++row) total += static_cast<float>(x.get(row * columns + i));
      expected.push_back(static_cast<double>(total) + 2.0);
      magnitude.push_back(1.0);
    }
    expect_close(sums, expected, magnitude, 1, "sum_rows");

    const int64_t n = 8 * 1024 * 2 + 3000;
    Array flat(dtype, {n}), all(FTRUN_F32, {1}), squares(FTRUN_F64, {(n + 1023) / 1024});
    flat.randomize(5);
    Machine(3).run(FTRUN_OP_SUM_ALL, {&flat}, {&all});
    Machine(3).run(FTRUN_OP_SUM_SQUARES, {&flat}, {&squares});
    double total = 0;
    for (int64_t block = 0; block * 1024 < n; ++block) {
      double partial = 0, square = 0;
      for (int64_t i = block * 1024; i < std::min(n, block * 1024 + 1024); ++i) {
        partial += flat.get(i);
        square += flat.get(i) * flat.get(i);
      }
      total += partial;
      ASSERT_EQ(squares.get(block), square) << "exact: the order is the contract";
    }
    ASSERT_EQ(all.get(0), static_cast<double>(static_cast<float>(total)));

    Array a(dtype, {n}), b(FTRUN_F32, {n}), c(dtype, {n}), y(dtype, {n}), fold(dtype, {n});
    a.randomize(6);
    b.randomize(7);
    c.randomize(8);
    Machine(2).run(FTRUN_OP_SUM_RANKS, {&a, &b, &c}, {&y});
    for (int64_t i = 0; i < n; ++i) {
      fold.set(i, static_cast<double>((static_cast<float>(a.get(i)) + static_cast<float>(b.get(i))) +
                                      static_cast<float>(c.get(i))));
    }
    ASSERT_EQ(y.bits(), fold.bits()) << "exact: left fold in f32, one rounding";
  }
}

TEST(Indexing, GatherAndScatterRows) {
  for (const ftrun_dtype dtype : kFloats) {
    for (const int64_t columns : with_every_tail({64, 1100})) {
      const int64_t vocabulary = 23, tokens = 40;
      Array table(dtype, {vocabulary, columns}), ids(FTRUN_I32, {tokens}), y(dtype, {tokens, columns});
      table.randomize(1);
      for (int64_t t = 0; t < tokens; ++t) ids.set(t, static_cast<double>((t * t * 7 + 3) % 19));
      Machine(2).run(FTRUN_OP_GATHER_ROWS, {&table, &ids}, {&y});
      for (int64_t t = 0; t < tokens; ++t) {
        for (int64_t i = 0; i < columns; ++i) {
          ASSERT_EQ(y.get(t * columns + i), table.get(static_cast<int64_t>(ids.get(t)) * columns + i));
        }
      }
      for (const int accumulate : {0, 1}) {
        Array dtable(dtype, {vocabulary, columns});
        dtable.fill(1.5);
        auto a = attributes<ftrun_accumulate_attributes>();
        a.accumulate = accumulate;
        Machine(2).run(FTRUN_OP_SCATTER_ADD_ROWS, {&y, &ids}, {&dtable}, &a);
        Array expected(dtype, {vocabulary, columns});
        for (int64_t v = 0; v < vocabulary; ++v) {
          for (int64_t i = 0; i < columns; ++i) {
            float sum = 0;
            for (int64_t t = 0; t < tokens; ++t) {
              if (static_cast<int64_t>(ids.get(t)) == v) sum += static_cast<float>(y.get(t * columns + i));
            }
            expected.set(v * columns + i, static_cast<double>(sum + (accumulate ? 1.5f : 0.0f)));
          }
        }
        ASSERT_EQ(dtable.bits(), expected.bits());
      }
      ids.set(3, 23);
      EXPECT_THROW(Machine(1).run(FTRUN_OP_GATHER_ROWS, {&table, &ids}, {&y}), KernelError);
      ids.set(3, -1);
      EXPECT_THROW(Machine(1).run(FTRUN_OP_GATHER_ROWS, {&table, &ids}, {&y}), KernelError);
    }
  }
}

TEST(Indexing, LastAxisAndCausalFill) {
  for (const ftrun_dtype dtype : kFloats) {
    const int64_t tokens = 6, columns = 11;
    Array x(dtype, {tokens, columns}), ids(FTRUN_I32, {tokens}), picked(FTRUN_F32, {tokens}), w(FTRUN_F32, {tokens});
    x.randomize(2);
    w.randomize(3);
    const double id_values[] = {0, 10, -1, 11, 5, 3};
    for (int64_t t = 0; t < tokens; ++t) ids.set(t, id_values[t]);
    Machine(1).run(FTRUN_OP_GATHER_LAST, {&x, &ids}, {&picked});
    Array expected = x;
    for (int64_t t = 0; t < tokens; ++t) {
      const int64_t id = static_cast<int64_t>(id_values[t]);
      const bool inside = id >= 0 && id < columns;
      ASSERT_EQ(picked.get(t), inside ? x.get(t * columns + id) : 0.0);
      if (inside) {
        expected.set(t * columns + id,
                     static_cast<double>(static_cast<float>(x.get(t * columns + id)) + static_cast<float>(w.get(t))));
      }
    }
    Machine(1).run(FTRUN_OP_ADD_AT_LAST, {&x, &ids, &w}, {&x});
    ASSERT_EQ(x.bits(), expected.bits());

    auto causal = attributes<ftrun_causal_fill_attributes>();
    causal.row_offset = 2;
    causal.column_offset = 1;
    causal.value = -7.0;
    Machine(2).run(FTRUN_OP_CAUSAL_FILL, {&x}, {&x}, &causal);
    for (int64_t i = 0; i < tokens; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        ASSERT_EQ(x.get(i * columns + j), j + 1 > i + 2 ? -7.0 : expected.get(i * columns + j));
      }
    }
  }
}

TEST(RmsNorm, ForwardAndBackward) {
  for (const ftrun_dtype dtype : kFloats) {
    for (const int64_t columns : with_every_tail({128, 1500})) {
      const int64_t rows = columns == 128 ? 33 : 6;
      Array x(dtype, {rows, columns}), weight(dtype, {columns}), y(dtype, {rows, columns}), rstd(FTRUN_F32, {rows});
      Array dy(dtype, {rows, columns}), dx(dtype, {rows, columns}), dweight(FTRUN_F32, {columns});
      x.randomize(1, 2.0);
      weight.randomize(2);
      dy.randomize(3);
      dweight.fill(0.25);
      auto a = attributes<ftrun_rms_norm_attributes>();
      a.eps = 1e-5;
      a.accumulate = 1;
      Machine(2).run(FTRUN_OP_RMS_NORM, {&x, &weight}, {&y, &rstd}, &a);
      Machine(2).run(FTRUN_OP_RMS_NORM_BACKWARD, {&dy, &x, &weight, &rstd}, {&dx, &dweight}, &a);
      std::vector<double> expected_y, expected_dx, y_magnitude, dx_magnitude, expected_rstd;
      std::vector<double> expected_dw(static_cast<size_t>(columns), 0.25),
          dw_magnitude(static_cast<size_t>(columns), 0.25);
      for (int64_t row = 0; row < rows; ++row) {
        double squares = 0, dot = 0;
        for (int64_t i = 0; i < columns; ++i) {
          squares += x.get(row * columns + i) * x.get(row * columns + i);
          dot += dy.get(row * columns + i) * weight.get(i) * x.get(row * columns + i);
        }
        const double r = 1.0 / std::sqrt(squares / static_cast<double>(columns) + 1e-5);
        expected_rstd.push_back(r);
        for (int64_t i = 0; i < columns; ++i) {
          const double xi = x.get(row * columns + i), w = weight.get(i), g = dy.get(row * columns + i);
          expected_y.push_back(xi * r * w);
          // bf16: x * rstd is rounded before the product, half a unit more.
          y_magnitude.push_back(std::fabs(xi * r * w) * (dtype == FTRUN_BF16 ? 1e4 : 1.0));
          expected_dx.push_back(r * (g * w - xi * r * r * dot / static_cast<double>(columns)));
          dx_magnitude.push_back(r * (std::fabs(g * w) + std::fabs(xi * r)) + 1e-3);
          expected_dw[static_cast<size_t>(i)] += g * xi * r;
          dw_magnitude[static_cast<size_t>(i)] += std::fabs(g * xi * r) * (dtype == FTRUN_BF16 ? 8e3 : 1.0);
        }
      }
      expect_close(rstd, expected_rstd, {}, static_cast<double>(columns), "rstd");
      expect_close(y, expected_y, y_magnitude, 1, "y");
      expect_close(dx, expected_dx, dx_magnitude, static_cast<double>(columns), "dx");
      expect_close(dweight, expected_dw, dw_magnitude, 1, "dweight");
      const Array dx_before = dx;
      Array other(dtype, {rows, columns});
      Machine(1).run(FTRUN_OP_RMS_NORM_BACKWARD, {&dy, &x, &weight, &rstd}, {&other, nullptr}, &a);
      EXPECT_EQ(other.bits(), dx_before.bits());
      if (rows > 4) {  // a row alone gives the same bits
        Array x1(dtype, {1, columns}), y1(dtype, {1, columns}), rstd1(FTRUN_F32, {1});
        for (int64_t i = 0; i < columns; ++i) x1.set(i, x.get(4 * columns + i));
        Machine(1).run(FTRUN_OP_RMS_NORM, {&x1, &weight}, {&y1, &rstd1}, &a);
        for (int64_t i = 0; i < columns; ++i) ASSERT_EQ(y1.get(i), y.get(4 * columns + i));
      }
    }
  }
}

TEST(AddRmsNorm, HasTheBitsOfItsParts) {
  for (const ftrun_dtype dtype : kFloats) {
    for (const int64_t columns : with_every_tail({128, 1500})) {
      const int64_t rows = columns == 128 ? 33 : 6;
      const std::vector<int64_t> shape = {rows, columns};
      Array x(dtype, shape), delta(dtype, shape), weight(dtype, {columns}), dsum(dtype, shape), dy(dtype, shape);
      Array sum(dtype, shape), y(dtype, shape), rstd(FTRUN_F32, {rows});
      Array sum_alone(dtype, shape), y_alone(dtype, shape), rstd_alone(FTRUN_F32, {rows});
      x.randomize(1, 2.0);
      delta.randomize(2);
      weight.randomize(3);
      dsum.randomize(4);
      dy.randomize(5);
      auto a = attributes<ftrun_rms_norm_attributes>();
      a.eps = 1e-5;
      Machine(2).run(FTRUN_OP_ADD_RMS_NORM, {&x, &delta, &weight}, {&sum, &y, &rstd}, &a);
      Machine(1).run(FTRUN_OP_ADD, {&x, &delta}, {&sum_alone});
      Machine(1).run(FTRUN_OP_RMS_NORM, {&sum_alone, &weight}, {&y_alone, &rstd_alone}, &a);
      EXPECT_EQ(sum.bits(), sum_alone.bits());
      EXPECT_EQ(y.bits(), y_alone.bits());
      EXPECT_EQ(rstd.bits(), rstd_alone.bits());

      Array dx(dtype, shape), dweight(FTRUN_F32, {columns}), norm_dx(FTRUN_F32, shape), dx_alone(dtype, shape);
      Array dweight_alone(FTRUN_F32, {columns});
      Machine(2).run(FTRUN_OP_ADD_RMS_NORM_BACKWARD, {&dsum, &dy, &sum, &weight, &rstd}, {&dx, &dweight}, &a);
      Machine(1).run(FTRUN_OP_RMS_NORM_BACKWARD, {&dy, &sum, &weight, &rstd}, {&norm_dx, &dweight_alone}, &a);
      Machine(1).run(FTRUN_OP_ADD, {&norm_dx, &dsum}, {&dx_alone});
      EXPECT_EQ(dx.bits(), dx_alone.bits());
      EXPECT_EQ(dweight.bits(), dweight_alone.bits());
    }
  }
}

TEST(Rope, RotatesAndBack) {
  for (const ftrun_dtype dtype : kFloats) {
    for (const int64_t half : with_every_tail({64})) {
      const int64_t tokens = 9, heads = 3;
      Array positions(FTRUN_I32, {tokens}), inv_freq(FTRUN_F32, {half}), cos(FTRUN_F32, {tokens, half}),
          sin(FTRUN_F32, {tokens, half});
      for (int64_t t = 0; t < tokens; ++t) positions.set(t, static_cast<double>(t * t * 1500));
      for (int64_t i = 0; i < half; ++i)
        inv_freq.set(i, std::pow(1e4, -static_cast<double>(i) / static_cast<double>(half)));
      auto table = attributes<ftrun_rope_table_attributes>();
      table.scaling = 1.25;
      Machine(2).run(FTRUN_OP_ROPE_TABLE, {&positions, &inv_freq}, {&cos, &sin}, &table);
      for (int64_t t = 0; t < tokens; ++t) {
        for (int64_t i = 0; i < half; ++i) {
          const float angle = static_cast<float>(positions.get(t)) * static_cast<float>(inv_freq.get(i));
          ASSERT_NEAR(cos.get(t * half + i), 1.25 * std::cos(static_cast<double>(angle)), 1e-6);
          ASSERT_NEAR(sin.get(t * half + i), 1.25 * std::sin(static_cast<double>(angle)), 1e-6);
        }
      }
      Array x(dtype, {tokens, heads, 2 * half}), y(dtype, {tokens, heads, 2 * half});
      x.randomize(3);
      auto a = attributes<ftrun_rope_attributes>();
      for (const int inverse : {0, 1}) {
        a.inverse = inverse;
        Machine(2).run(FTRUN_OP_ROPE, {&x, &cos, &sin}, {&y}, &a);
        std::vector<double> expected, magnitude;
        for (int64_t row = 0; row < tokens * heads; ++row) {
          for (int64_t i = 0; i < 2 * half; ++i) {
            const int64_t j = i % half, at = row / heads * half + j;
            const double x1 = x.get(row * 2 * half + j), x2 = x.get(row * 2 * half + half + j);
            const double c = cos.get(at), s = inverse ? -sin.get(at) : sin.get(at);
            expected.push_back(i < half ? x1 * c - x2 * s : x2 * c + x1 * s);
            magnitude.push_back(std::fabs(x1) + std::fabs(x2));
          }
        }
        expect_close(y, expected, magnitude, 1, "rope");
      }
      Array in_place = x;
      Machine(1).run(FTRUN_OP_ROPE, {&in_place, &cos, &sin}, {&in_place}, &a);
      EXPECT_EQ(in_place.bits(), y.bits());
    }
  }
}

}  // namespace
}  // namespace ftrun::test
