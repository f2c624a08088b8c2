// Attention in float64: segments, grouped queries, key-value caches, causal or not.
#include <cmath>

#include "core/ops/attention.h"
#include "tests/ops/op_case.h"

namespace ftrun::test {
namespace {

struct Problem {
  std::string name;
  int64_t keys = 0;
  int64_t heads = 1;
  int64_t kv_heads = 1;
  int64_t head_dim = 4;
  bool causal = true;
  ops::AttentionSegments segments;
};

Array attention(const Problem& problem, const Array& q, const Array& k, const Array& v, double scale) {
  Array out = zeros(q.shape);
  const int64_t c = problem.head_dim;
  const auto at = [c](int64_t heads, int64_t row, int64_t head) { return (row * heads + head) * c; };
  for (size_t s = 0; s + 1 < problem.segments.query_offsets.size(); ++s) {
    const int64_t first = problem.segments.query_offsets[s];
    const int64_t n = problem.segments.query_offsets[s + 1] - first;
    const int64_t key_first = problem.segments.key_begins.empty() ? first : problem.segments.key_begins[s];
    const int64_t m = problem.segments.key_lengths.empty() ? n : problem.segments.key_lengths[s];
    for (int64_t h = 0; h < problem.heads; ++h) {
      const int64_t g = h / (problem.heads / problem.kv_heads);
      for (int64_t i = 0; i < n; ++i) {
        const int64_t visible = problem.causal ? i + m - n + 1 : m;
        std::vector<double> weights;
        double sum = 0.0;
        for (int64_t j = 0; j < visible; ++j) {
          double score = 0.0;
          for (int64_t x = 0; x < c; ++x) {
            score += q[at(problem.heads, first + i, h) + x] * k[at(problem.kv_heads, key_first + j, g) + x];
          }
          weights.push_back(std::exp(scale * score));
          sum += weights.back();
        }
        for (int64_t j = 0; j < visible; ++j) {
          for (int64_t x = 0; x < c; ++x) {
            out[at(problem.heads, first + i, h) + x] +=
                weights[static_cast<size_t>(j)] / sum * v[at(problem.kv_heads, key_first + j, g) + x];
          }
        }
      }
    }
  }
  return out;
}

OpCase attention_case(const Problem& problem) {
  OpCase op;
  op.name = "attention_" + problem.name;
  const int64_t queries = problem.segments.query_offsets.back();
  op.inputs = {{{queries, problem.heads, problem.head_dim}, -2.0, 2.0},
               {{problem.keys, problem.kv_heads, problem.head_dim}, -2.0, 2.0},
               {{problem.keys, problem.kv_heads, problem.head_dim}, -2.0, 2.0}};
  const double scale = 1.0 / std::sqrt(static_cast<double>(problem.head_dim));
  op.run = [problem, scale](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::attention(engine.ctx(), in[0], in[1], in[2], std::make_shared<ops::AttentionSegments>(problem.segments),
                          scale, problem.causal);
  };
  op.reference = [problem, scale](const std::vector<Array>& in) {
    return attention(problem, in[0], in[1], in[2], scale);
  };
  op.sum_length = problem.keys * problem.head_dim * (problem.heads / problem.kv_heads);
  op.roundings = 6;
  return op;
}

}  // namespace

std::vector<OpCase> attention_cases() {
  return {
      attention_case({"one_segment", 5, 1, 1, 4, true, {{0, 5}, {}, {}}}),
      attention_case({"packed_grouped", 9, 4, 2, 3, true, {{0, 4, 5, 9}, {}, {}}}),
      attention_case({"empty_segment", 4, 2, 1, 4, true, {{0, 1, 1, 4}, {}, {}}}),
      attention_case({"two_tiles", 70, 1, 1, 2, true, {{0, 70}, {}, {}}}),
      attention_case({"not_causal", 6, 2, 2, 4, false, {{0, 6}, {}, {}}}),
      attention_case({"cache", 12, 2, 1, 4, true, {{0, 1, 3}, {0, 6}, {5, 4}}}),
  };
}

}  // namespace ftrun::test
