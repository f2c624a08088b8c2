// Layout ops and reductions in float64.
#include <algorithm>

#include "core/ops/elementwise.h"
#include "core/ops/layout.h"
#include "core/ops/reductions.h"
#include "tests/ops/op_case.h"

namespace ftrun::test {
namespace {

OpCase case_of(const std::string& name, std::vector<InputSpec> inputs,
               std::function<Tensor(ReferenceEngine&, const std::vector<Tensor>&)> run,
               std::function<Array(const std::vector<Array>&)> reference, int64_t sum_length = 1) {
  return {name, std::move(inputs), std::move(run), std::move(reference), sum_length, 1};
}

Array last_axis(const Array& x, const std::function<double(const double*, int64_t)>& fold) {
  Array y = zeros({x.shape.begin(), x.shape.end() - 1});
  for (int64_t row = 0; row < y.count(); ++row) y[row] = fold(x.values.data() + row * x.last(), x.last());
  return y;
}

void append_layout(std::vector<OpCase>& cases) {
  cases.push_back(case_of(
      "reshape", {{{2, 6}}},
      [](ReferenceEngine& e, const std::vector<Tensor>& in) {
        return ops::reshape(e.ctx(), in[0], {3, 4});
      },
      [](const std::vector<Array>& in) {
        return Array{{3, 4}, in[0].values};
      }));
  cases.push_back(case_of(
      "slice_rows", {{{5, 3}}},
      [](ReferenceEngine& e, const std::vector<Tensor>& in) { return ops::slice(e.ctx(), in[0], 0, 1, 4); },
      [](const std::vector<Array>& in) {
        return Array{{3, 3}, {in[0].values.begin() + 3, in[0].values.begin() + 12}};
      }));
  cases.push_back(case_of(
      "overlapping_slices", {{{5, 3}}},
      [](ReferenceEngine& e, const std::vector<Tensor>& in) {
        return ops::add(e.ctx(), ops::slice(e.ctx(), in[0], 0, 0, 3), ops::slice(e.ctx(), in[0], 0, 2, 5));
      },
      [](const std::vector<Array>& in) {
        Array y = zeros({3, 3});
        for (int64_t i = 0; i < 9; ++i) y[i] = in[0][i] + in[0][i + 6];
        return y;
      }));
  cases.push_back(case_of(
      "copy", {{{4, 3}}}, [](ReferenceEngine& e, const std::vector<Tensor>& in) { return ops::copy(e.ctx(), in[0]); },
      [](const std::vector<Array>& in) { return in[0]; }));
  cases.push_back(case_of(
      "cast_to_f32", {{{4, 3}}},
      [](ReferenceEngine& e, const std::vector<Tensor>& in) {
        return ops::cast(e.ctx(), ops::copy(e.ctx(), in[0]), FTRUN_F32);
      },
      [](const std::vector<Array>& in) { return in[0]; }));
}

void append_reductions(std::vector<OpCase>& cases) {
  cases.push_back(case_of(
      "sum_last", {{{2, 3, 37}}},
      [](ReferenceEngine& e, const std::vector<Tensor>& in) { return ops::sum_last(e.ctx(), in[0]); },
      [](const std::vector<Array>& in) {
        return last_axis(in[0], [](const double* x, int64_t n) {
          double sum = 0.0;
          for (int64_t i = 0; i < n; ++i) sum += x[i];
          return sum;
        });
      },
      37));
  cases.push_back(case_of(
      "max_last", {{{5, 9}}},
      [](ReferenceEngine& e, const std::vector<Tensor>& in) { return ops::max_last(e.ctx(), in[0]); },
      [](const std::vector<Array>& in) {
        return last_axis(in[0], [](const double* x, int64_t n) { return *std::max_element(x, x + n); });
      }));
  cases.push_back(case_of(
      "sum_rows", {{{17, 5}}},
      [](ReferenceEngine& e, const std::vector<Tensor>& in) { return ops::sum_rows(e.ctx(), in[0]); },
      [](const std::vector<Array>& in) {
        Array y = zeros({5});
        for (int64_t i = 0; i < in[0].count(); ++i) y[i % 5] += in[0][i];
        return y;
      },
      17));
  cases.push_back(case_of(
      "sum_all", {{{3, 5, 2, 7}}},
      [](ReferenceEngine& e, const std::vector<Tensor>& in) { return ops::sum_all(e.ctx(), in[0]); },
      [](const std::vector<Array>& in) {
        Array y = zeros({1});
        for (const double value : in[0].values) y[0] += value;
        return y;
      },
      210));
}

}  // namespace

std::vector<OpCase> layout_and_reduction_cases() {
  std::vector<OpCase> cases;
  append_layout(cases);
  append_reductions(cases);
  return cases;
}

}  // namespace ftrun::test
