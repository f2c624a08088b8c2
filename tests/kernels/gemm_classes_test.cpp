// The matrix product of every class of CPUs, on this CPU's vectors: each element is one chain over k, bit for bit,
// whatever way the class's limits send a product. Operands of every pair of types lie between a canary and a page
// without access. Leaves out: strides between products of a batch and the ABI's views (matmul_test.cpp).
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "plugins/devices/kernels/isa.h"
#include "tests/kernels/class_kernels.h"
#include "tests/kernels/guarded_bytes.h"
#include "tests/kernels/op_harness.h"

namespace ftrun::test {
namespace {

using kernels::GemmOutput;
using kernels::Matrix;

constexpr ftrun_dtype kFloats[] = {FTRUN_F32, FTRUN_BF16};

/// Random values [rows, columns] in f32 and bf16, as they lie and transposed.
class Values {
 public:
  Values(int64_t rows, int64_t columns, uint64_t seed) : rows_(rows), columns_(columns) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<float> normal;
    for (int turned = 0; turned < 2; ++turned) {
      f32_[turned].resize(static_cast<size_t>(rows * columns));
      bf16_[turned].resize(f32_[turned].size());
    }
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        const float value = normal(engine);
        for (const auto& [turned, index] : {std::pair{0, r * columns + c}, std::pair{1, c * rows + r}}) {
          f32_[turned][static_cast<size_t>(index)] = value;
          bf16_[turned][static_cast<size_t>(index)] = bf16_from_float(value);
        }
      }
    }
  }

  /// Element as f32, after rounding to bf16 where `rounded`.
  float at(int64_t r, int64_t c, bool rounded) const {
    const size_t index = static_cast<size_t>(r * columns_ + c);
    return rounded ? bf16_to_float(bf16_[0][index]) : f32_[0][index];
  }
  /// The first `rows` x `columns` in `memory`, rows (or, transposed, columns) `padding` elements apart.
  const char* part(ftrun_dtype dtype, int64_t rows, int64_t columns, bool transposed, int64_t padding,
                   GuardedTail& memory) const {
    const int64_t lines = transposed ? columns : rows, length = transposed ? rows : columns;
    const int64_t line_length = transposed ? rows_ : columns_;
    const size_t size = FTRUN_DTYPE_BYTES(dtype);
    char* result = memory.take(static_cast<size_t>((lines - 1) * (length + padding) + length) * size);
    const char* from = dtype == FTRUN_F32 ? reinterpret_cast<const char*>(f32_[transposed].data())
                                          : reinterpret_cast<const char*>(bf16_[transposed].data());
    // NaN between the lines.
    std::memset(result, 0xff, static_cast<size_t>((lines - 1) * (length + padding)) * size);
    for (int64_t line = 0; line < lines; ++line) {
      std::memcpy(result + static_cast<size_t>(line * (length + padding)) * size,
                  from + static_cast<size_t>(line * line_length) * size, static_cast<size_t>(length) * size);
    }
    return result;
  }

 private:
  int64_t rows_, columns_;
  std::array<std::vector<float>, 2> f32_;
  std::array<std::vector<uint16_t>, 2> bf16_;
};

/// Operands a [M, K] and b [K, N] and the chains of their products over the first k elements, for some k.
class Operands {
 public:
  Operands(int64_t m, int64_t n, const std::set<int64_t>& depths, bool fused)
      : m_(m), n_(n), depths_(depths), a_(m, *depths.rbegin(), 1), b_(*depths.rbegin(), n, 2) {
    for (int rounded = 0; rounded < 4; ++rounded) sum(rounded / 2 != 0, rounded % 2 != 0, fused);
  }
  const Values& a() const { return a_; }
  const Values& b() const { return b_; }
  const std::set<int64_t>& depths() const { return depths_; }
  /// The sums [M, N] over the first `depth` elements, of operands that are rounded to bf16 or not.
  const float* chains(int64_t depth, bool rounds_a, bool rounds_b) const {
    return chains_.at({depth, rounds_a, rounds_b}).data();
  }
  int64_t columns() const { return n_; }

 private:
  using Key = std::tuple<int64_t, bool, bool>;

  void sum(bool rounds_a, bool rounds_b, bool fused) {
    std::vector<float> sums(static_cast<size_t>(m_ * n_));
    for (int64_t k = 0; k < *depths_.rbegin(); ++k) {
      if (depths_.contains(k)) chains_[{k, rounds_a, rounds_b}] = sums;
      for (int64_t i = 0; i < m_; ++i) {
        const float a = a_.at(i, k, rounds_a);
        float* row = sums.data() + i * n_;
        for (int64_t j = 0; j < n_; ++j) {
          const float b = b_.at(k, j, rounds_b);
          row[j] = fused ? std::fma(a, b, row[j]) : a * b + row[j];
        }
      }
    }
    chains_[{*depths_.rbegin(), rounds_a, rounds_b}] = sums;
  }

  int64_t m_, n_;
  std::set<int64_t> depths_;
  Values a_, b_;
  std::map<Key, std::vector<float>> chains_;
};

/// How c is written.
enum class Finish { kDirect, kScaled, kBiasedAndAdded, kContinued };

struct Case {
  int64_t m, n, k;
  ftrun_dtype a, b, c;
  bool transposed_a, transposed_b, round_a;
  Finish finish = Finish::kDirect;
  int64_t padding = 0;  ///< of all rows in memory
  int32_t threads = 1;

  std::string text() const {
    const auto type = [](ftrun_dtype dtype) { return dtype == FTRUN_F32 ? "f32" : "bf16"; };
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + " " + type(a) + " " + type(b) +
           " to " + type(c) + (transposed_a ? ", a transposed" : "") + (transposed_b ? ", b transposed" : "") +
           (round_a ? ", round_a" : "") + ", finish " + std::to_string(static_cast<int>(finish)) + ", padding " +
           std::to_string(padding) + ", " + std::to_string(threads) + " threads";
  }
};

constexpr float kAlpha = 0.75f;

float old_value(int64_t row, int64_t column) { return static_cast<float>((row * 7 + column * 3) % 11) - 5.0f; }
float bias_value(int64_t column) { return static_cast<float>(column % 5) * 0.375f; }

/// What c must hold, from the finished chain.
float finished(const Case& t, float chain, int64_t row, int64_t column) {
  if (t.finish == Finish::kDirect || t.finish == Finish::kContinued) return chain;
  const float scaled = chain * kAlpha;
  return t.finish == Finish::kScaled ? scaled : (scaled + bias_value(column)) + old_value(row, column);
}

class GemmOfClass : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    class_ = own_class();
    for (const CpuClass& other : cpu_classes()) {
      if (other.name == GetParam()) class_ = other;
    }
    if (class_.name != GetParam()) GTEST_SKIP() << "the portable code is in force";
    has_pairs_ = class_.kernels.gemm_pairs != nullptr;
    kernels::set_tiled_kernels(&class_.kernels);
  }
  void TearDown() override { kernels::set_tiled_kernels(nullptr); }

  /// By the contract of GemmCall and isa.h, not by asking the code.
  bool takes_pairs(const Case& t) const {
    return has_pairs_ && t.b == FTRUN_BF16 && (t.a == FTRUN_BF16 || t.round_a) &&
           (!t.transposed_b || (t.k % 2 == 0 && (t.k + t.padding) % 2 == 0));
  }
  /// The CPU's own pair products may flush subnormals, and are compared with a tolerance.
  bool is_exact(const Case& t) const { return !takes_pairs(t) || GetParam() != "own"; }

  void check(const Operands& operands, const Case& t) {
    const int64_t c_stride = t.n + t.padding;
    char* c = memory_[2].take(static_cast<size_t>((t.m - 1) * c_stride + t.n) * FTRUN_DTYPE_BYTES(t.c));
    char* bias = memory_[3].take(static_cast<size_t>(t.n) * FTRUN_DTYPE_BYTES(t.c));
    for (int64_t j = 0; j < t.n; ++j) reference::store_float(bias, t.c, j, bias_value(j));
    for (int64_t i = 0; i < t.m * c_stride - t.padding; ++i) {
      reference::store_float(c, t.c, i, old_value(i / c_stride, i % c_stride));
    }
    kernels::GemmCall call{};
    call.m = t.m;
    call.n = t.n;
    call.k = t.k;
    call.a = {operands.a().part(t.a, t.m, t.k, t.transposed_a, t.padding, memory_[0]), t.a,
              (t.transposed_a ? t.m : t.k) + t.padding, t.transposed_a};
    call.b = {operands.b().part(t.b, t.k, t.n, t.transposed_b, t.padding, memory_[1]), t.b,
              (t.transposed_b ? t.k : t.n) + t.padding, t.transposed_b};
    call.c = c;
    call.c_dtype = t.c;
    call.c_row_stride = c_stride;
    call.round_a = t.round_a;
    call.alpha = t.finish == Finish::kDirect || t.finish == Finish::kContinued ? 1.0f : kAlpha;
    if (t.finish == Finish::kBiasedAndAdded) {
      call.bias = bias;
      call.bias_dtype = t.c;
      call.output = GemmOutput::kAdd;
    }
    Machine& machine = t.threads == 1 ? one_thread_ : three_threads_;
    if (t.finish == Finish::kContinued) {
      continue_at(machine, call, t);
    } else {
      kernels::gemm(machine.context(), call);
    }
    for (const GuardedTail& memory : memory_) ASSERT_TRUE(memory.intact()) << t.text();
    compare(operands, t, c, c_stride);
  }

  /// Two calls, the second from where the first stopped.
  void continue_at(Machine& machine, kernels::GemmCall call, const Case& t) {
    const int64_t split = t.k / 2 / 2 * 2;
    const auto advance = [&](Matrix& matrix, bool along_rows) {
      matrix.data = static_cast<const char*>(matrix.data) + split * (along_rows ? 1 : matrix.row_stride) *
                                                                static_cast<int64_t>(FTRUN_DTYPE_BYTES(matrix.dtype));
    };
    call.k = split;
    kernels::gemm(machine.context(), call);
    advance(call.a, !t.transposed_a);
    advance(call.b, t.transposed_b);
    call.k = t.k - split;
    call.output = GemmOutput::kContinue;
    kernels::gemm(machine.context(), call);
  }

  void compare(const Operands& operands, const Case& t, const char* c, int64_t c_stride) {
    const bool exact = is_exact(t);
    const float* chains = operands.chains(t.k, t.a == FTRUN_BF16 || takes_pairs(t), t.b == FTRUN_BF16);
    for (int64_t i = 0; i < t.m; ++i) {
      for (int64_t j = 0; j < c_stride && i * c_stride + j < (t.m - 1) * c_stride + t.n; ++j) {
        float expected = old_value(i, j);
        if (j < t.n) expected = finished(t, chains[i * operands.columns() + j], i, j);
        if (t.c == FTRUN_BF16) expected = bf16_to_float(bf16_from_float(expected));
        const float got = reference::load_float(c, t.c, i * c_stride + j);
        if (exact || j >= t.n) {
          if (float_bits(got) != float_bits(expected)) {
            FAIL() << GetParam() << " " << t.text() << ": [" << i << ", " << j << "] " << got << " for " << expected;
          }
        } else {
          const float unit = t.c == FTRUN_BF16 ? 0x1p-7f : 0x1p-22f;
          ASSERT_NEAR(got, expected, unit * (std::fabs(expected) + std::sqrt(static_cast<float>(t.k)) + 1.0f))
              << t.text();
        }
      }
    }
  }

  /// A sum is continued in f32, at an even place, and by calls that take the same kind of products.
  static bool is_possible(const Case& t) {
    return t.finish != Finish::kContinued || (t.c == FTRUN_F32 && t.k >= 4 && (t.k % 2 == 0 || !t.transposed_b));
  }

  /// One of kLayouts ways to lay out and type the product of one shape, in c of f32.
  static Case laid_out(int64_t m, int64_t n, int64_t k, int bits) {
    return {m,
            n,
            k,
            kFloats[bits & 1],
            kFloats[bits >> 1 & 1],
            FTRUN_F32,
            (bits & 4) != 0,
            (bits & 8) != 0,
            (bits & 16) != 0};
  }

  /// Every way to lay out, type and finish the product of one shape.
  void check_all(const Operands& operands, int64_t m, int64_t n, int64_t k) {
    for (int bits = 0; bits < kLayouts && !HasFatalFailure(); ++bits) {
      Case t = laid_out(m, n, k, bits);
      if (t.round_a && t.a == FTRUN_BF16) continue;
      for (const Finish finish : {Finish::kDirect, Finish::kScaled, Finish::kBiasedAndAdded, Finish::kContinued}) {
        for (const ftrun_dtype c : kFloats) {
          t.c = c;
          t.finish = finish;
          t.padding = (bits + static_cast<int>(finish)) % 3;
          if (is_possible(t)) check(operands, t);
        }
      }
    }
  }

  /// Every layout and pair of types; how c is written changes from call to call.
  void check_layouts(const Operands& operands, int64_t m, int64_t n, int64_t k) {
    for (int bits = 0; bits < kLayouts && !HasFatalFailure(); ++bits) {
      Case t = laid_out(m, n, k, bits);
      if (t.round_a && t.a == FTRUN_BF16) continue;
      ++turn_;
      t.finish = static_cast<Finish>(turn_ % 4);
      t.c = kFloats[turn_ / 4 % 2];
      if (!is_possible(t)) t.finish = Finish::kDirect;
      t.padding = turn_ % 5 == 0 ? 1 : turn_ % 7 == 0 ? 2 : 0;
      t.threads = turn_ % 11 == 0 ? 3 : 1;
      check(operands, t);
    }
  }

  static constexpr int kLayouts = 32;
  static constexpr size_t kLargestOperand = size_t{4} << 20;

  CpuClass class_{};
  bool has_pairs_ = false;
  int64_t turn_ = 0;

 private:
  Machine one_thread_{1}, three_threads_{3};
  std::array<GuardedTail, 4> memory_ = {GuardedTail(kLargestOperand), GuardedTail(kLargestOperand),
                                        GuardedTail(kLargestOperand), GuardedTail(kLargestOperand)};
};

/// Shared by the classes: what they must compute is the same.
const Operands& shallow_operands(bool fused) {
  static const Operands operands(131, 97, {1, 2, 3, 6, 9, 10, 34, 70}, fused);
  return operands;
}

TEST_P(GemmOfClass, EveryNumberOfColumns) {
  const Operands& operands = shallow_operands(class_.has_fused_products);
  for (int64_t n = 1; n <= class_.panel + 1; ++n) {
    for (const int64_t m : {class_.thin_rows + 1, class_.few_rows + 1, class_.turned_rows - 1, class_.turned_rows}) {
      for (const int64_t k : {9, 10}) ASSERT_NO_FATAL_FAILURE(check_layouts(operands, m, n, k));
    }
  }
}

TEST_P(GemmOfClass, EveryNumberOfRows) {
  const Operands& operands = shallow_operands(class_.has_fused_products);
  for (int64_t m = 1; m <= class_.few_rows + 1; ++m) {
    for (const int64_t n : {class_.vector, class_.panel, 2 * class_.panel + class_.vector + 1}) {
      ASSERT_NO_FATAL_FAILURE(check_layouts(operands, m, n, 9 + (m + n) % 2));
    }
  }
}

TEST_P(GemmOfClass, EveryWayToWriteAtEveryLimit) {
  const Operands& operands = shallow_operands(class_.has_fused_products);
  for (const int64_t m : {class_.thin_rows, class_.thin_rows + 1, class_.few_rows + 1, class_.turned_rows}) {
    for (const int64_t n : {class_.vector, class_.vector + 1, class_.panel, class_.panel + 1}) {
      ASSERT_NO_FATAL_FAILURE(check_all(operands, m, n, n == class_.panel + 1 ? 3 : 6));
    }
  }
}

TEST_P(GemmOfClass, EveryDepthAtWhichAPassEnds) {
  // A pass counts packed elements: pairs, where the class has them. Packed and turned products end theirs at `depth`,
  // few rows and few columns at `few_depth`.
  const int64_t per_element = has_pairs_ ? 2 : 1;
  const std::pair<int64_t, int64_t> passes[] = {
      {per_element * class_.depth, std::max(class_.turned_rows, class_.few_rows + 1)},
      {per_element * class_.few_depth, class_.thin_rows + 1}};
  for (const auto& [pass, m] : passes) {
    static std::map<int64_t, Operands> cache;
    const std::set<int64_t> depths = {pass - 1, pass, pass + 1, pass + 2};
    const Operands& operands = cache.try_emplace(pass, 65, 33, depths, class_.has_fused_products).first->second;
    for (const int64_t k : depths) {
      for (const int64_t n : {class_.panel, class_.panel + 1}) {
        ASSERT_NO_FATAL_FAILURE(check_layouts(operands, m, n, k));
      }
    }
  }
}

TEST_P(GemmOfClass, RowsBeyondABlockAndATile) {
  static const Operands operands(1160, 34, {2, 5}, class_.has_fused_products);
  for (const int64_t m : {class_.block_rows - 1, class_.block_rows + 1, class_.max_columns + 1, class_.max_rows + 1}) {
    for (const int64_t n : {int64_t{3}, class_.panel + 1}) {
      for (const int64_t k : {2, 5}) ASSERT_NO_FATAL_FAILURE(check_layouts(operands, m, n, k));
    }
  }
}

TEST_P(GemmOfClass, ColumnsBeyondATile) {
  static const Operands operands(50, 520, {2, 5}, class_.has_fused_products);
  for (const int64_t m : {int64_t{1}, class_.thin_rows + 1, class_.few_rows + 1}) {
    for (const int64_t n : {class_.max_columns, class_.max_columns + 1, class_.max_columns + class_.vector}) {
      if (n > 520) continue;
      for (const int64_t k : {2, 5}) ASSERT_NO_FATAL_FAILURE(check_layouts(operands, m, n, k));
    }
  }
}

TEST_P(GemmOfClass, ThinRowsTooDeepToPack) {
  const int64_t limit = class_.packed_a / class_.thin_rows * (has_pairs_ ? 2 : 1);
  const Operands operands(class_.thin_rows, class_.panel + 1, {limit, limit + 2}, class_.has_fused_products);
  for (const int64_t k : operands.depths()) {
    ASSERT_NO_FATAL_FAILURE(check_layouts(operands, class_.thin_rows, class_.panel + 1, k));
  }
}

INSTANTIATE_TEST_SUITE_P(Classes, GemmOfClass,
                         ::testing::Values("own", "portable", "neon", "avx2", "avx512", "avx512_bf16"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace ftrun::test
