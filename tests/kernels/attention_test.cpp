// Flash attention forward and backward against float64, with segments, KV caches, grouped heads and odd head sizes.
#include "tests/kernels/op_harness.h"

namespace ftrun::test {
namespace {

struct Case {
  int64_t heads, groups, dim;
  std::vector<int32_t> offsets, key_begins, key_lengths;  ///< the last two may be empty
  int causal;
};

struct Problem {
  explicit Problem(const Case& c, ftrun_dtype dtype)
      : tokens(c.offsets.back()),
        keys(c.key_begins.empty() ? tokens : 0),
        q(dtype, {tokens, c.heads, c.dim}),
        out(dtype, {tokens, c.heads, c.dim}),
        lse(FTRUN_F32, {c.heads, tokens}),
        a(attributes<ftrun_attention_attributes>()) {
    for (size_t s = 0; s < c.key_begins.size(); ++s) {
      keys = std::max<int64_t>(keys, c.key_begins[s] + c.key_lengths[s] + 2);
    }
    k = std::make_unique<Array>(dtype, std::vector<int64_t>{keys, c.groups, c.dim});
    v = std::make_unique<Array>(dtype, std::vector<int64_t>{keys, c.groups, c.dim});
    q.randomize(1);
    k->randomize(2);
    v->randomize(3);
    a.scale = 1.0 / std::sqrt(static_cast<double>(c.dim));
    a.causal = c.causal;
    a.n_segments = static_cast<int32_t>(c.offsets.size()) - 1;
    a.query_offsets = c.offsets.data();
    if (!c.key_begins.empty()) {
      a.key_begins = c.key_begins.data();
      a.key_lengths = c.key_lengths.data();
    }
  }
  int64_t tokens, keys;
  Array q, out, lse;
  std::unique_ptr<Array> k, v;
  ftrun_attention_attributes a;
};

/// Everything in float64 from the definition.
struct Reference {
  std::vector<double> out, lse, dq, dk, dv;
  Reference(const Case& c, const Problem& p, const Array& dout)
      : out(static_cast<size_t>(p.q.count())),
        lse(static_cast<size_t>(c.heads * p.tokens)),
        dq(out.size()),
        dk(static_cast<size_t>(p.k->count())),
        dv(dk.size()) {
    for (int32_t s = 0; s < p.a.n_segments; ++s) {
      const int64_t begin = c.offsets[static_cast<size_t>(s)], n = c.offsets[static_cast<size_t>(s) + 1] - begin;
      const int64_t key_begin = c.key_begins.empty() ? begin : c.key_begins[static_cast<size_t>(s)];
      const int64_t m = c.key_begins.empty() ? n : c.key_lengths[static_cast<size_t>(s)];
      for (int64_t i = 0; i < n; ++i) {
        const int64_t visible = c.causal ? std::max<int64_t>(0, std::min(m, i + m - n + 1)) : m;
        for (int64_t h = 0; h < c.heads; ++h) row(c, p, dout, begin + i, h, key_begin, visible);
      }
    }
  }

  void row(const Case& c, const Problem& p, const Array& dout, int64_t t, int64_t h, int64_t key_begin,
           int64_t visible) {
    const int64_t g = h / (c.heads / c.groups), at_q = (t * c.heads + h) * c.dim;
    const auto at_k = [&](int64_t j) { return ((key_begin + j) * c.groups + g) * c.dim; };
    std::vector<double> s(static_cast<size_t>(visible)), dp(s.size());
    double largest = -std::numeric_limits<double>::infinity(), sum = 0, delta = 0;
    for (int64_t j = 0; j < visible; ++j) {
      double dot = 0, dot_v = 0;
      for (int64_t e = 0; e < c.dim; ++e) {
        dot += p.q.get(at_q + e) * p.k->get(at_k(j) + e);
        dot_v += dout.get(at_q + e) * p.v->get(at_k(j) + e);
      }
      s[static_cast<size_t>(j)] = dot * p.a.scale;
      dp[static_cast<size_t>(j)] = dot_v;
      largest = std::max(largest, dot * p.a.scale);
    }
    for (const double value : s) sum += std::exp(value - largest);
    lse[static_cast<size_t>(h * p.tokens + t)] = visible ? largest + std::log(sum) : largest;
    for (size_t j = 0; j < s.size(); ++j) {
      s[j] = std::exp(s[j] - largest) / sum;
    }
    // As the op defines it: from the forward's rounded out.
    for (int64_t e = 0; visible > 0 && e < c.dim; ++e) delta += dout.get(at_q + e) * p.out.get(at_q + e);
    for (int64_t j = 0; j < visible; ++j) {
      const double probability = s[static_cast<size_t>(j)];
      const double ds = probability * (dp[static_cast<size_t>(j)] - delta) * p.a.scale;
      for (int64_t e = 0; e < c.dim; ++e) {
        out[static_cast<size_t>(at_q + e)] += probability * p.v->get(at_k(j) + e);
        dq[static_cast<size_t>(at_q + e)] += ds * p.k->get(at_k(j) + e);
        dk[static_cast<size_t>(at_k(j) + e)] += ds * p.q.get(at_q + e);
        dv[static_cast<size_t>(at_k(j) + e)] += probability * dout.get(at_q + e);
      }
    }
  }
};

std::vector<Case> cases() {
  std::vector<Case> result = {
      {1, 1, 16, {0, 1}, {}, {}, 1},
      {4, 2, 24, {0, 5, 5, 70}, {}, {}, 1},
      {6, 2, 64, {0, 150}, {}, {}, 1},
      {2, 2, 7, {0, 40, 131}, {}, {}, 0},
      {14, 2, 64, {0, 1, 2}, {0, 60}, {50, 131}, 1},
      {3, 1, 128, {0, 9}, {4}, {140}, 1},
      {2, 1, 256, {0, 20}, {}, {}, 1},
      {2, 2, 8, {0, 6}, {0}, {4}, 1},
      {128, 1, 8, {0, 3}, {}, {}, 1},
  };
  for (const int64_t tail : with_every_tail({})) {
    result.push_back({2, 1, tail, {0, static_cast<int32_t>(tail)}, {}, {}, static_cast<int>(tail % 2)});
  }
  return result;
}

TEST(FlashAttention, MatchesFloat64) {
  for (const Case& c : cases()) {
    for (const ftrun_dtype dtype : {FTRUN_F32, FTRUN_BF16}) {
      Problem p(c, dtype);
      Array dout(dtype, {p.tokens, c.heads, c.dim}), dq(dtype, {p.tokens, c.heads, c.dim});
      Array dk(dtype, {p.keys, c.groups, c.dim}), dv(dtype, {p.keys, c.groups, c.dim});
      dout.randomize(4);
      dk.fill(9.0);
      dv.fill(9.0);
      Machine(2).run(FTRUN_OP_FLASH_ATTENTION, {&p.q, p.k.get(), p.v.get()}, {&p.out, &p.lse}, &p.a);
      Machine(2).run(FTRUN_OP_FLASH_ATTENTION_BACKWARD, {&dout, &p.q, p.k.get(), p.v.get(), &p.out, &p.lse},
                     {&dq, &dk, &dv}, &p.a);
      const Reference r(c, p, dout);
      // Softmax weights sum to 1; gradients are sums over up to `tokens` terms of order 1. bf16: delta uses the rounded
      // out.
      const double work = static_cast<double>(c.dim + p.keys);
      expect_close(p.out, r.out, std::vector<double>(r.out.size(), 2.0), work, "out");
      expect_close(p.lse, r.lse, std::vector<double>(r.lse.size(), 2.0), work, "lse");
      expect_close(dq, r.dq, std::vector<double>(r.dq.size(), 4.0), work, "dq");
      expect_close(dk, r.dk, std::vector<double>(r.dk.size(), 8.0), work, "dk");
      expect_close(dv, r.dv, std::vector<double>(r.dv.size(), 8.0), work, "dv");
    }
  }
}

TEST(FlashAttention, SameBitsForAnyThreads) {
  const Case c = {6, 2, 40, {0, 30, 200}, {}, {}, 1};
  std::vector<std::vector<char>> first;
  for (const int32_t threads : {1, 2, 4}) {
    Problem p(c, FTRUN_BF16);
    Array dout(FTRUN_BF16, {200, 6, 40}), dq(FTRUN_BF16, {200, 6, 40}), dk(FTRUN_BF16, {200, 2, 40}),
        dv(FTRUN_BF16, {200, 2, 40});
    dout.randomize(4);
    Machine machine(threads);
    machine.run(FTRUN_OP_FLASH_ATTENTION, {&p.q, p.k.get(), p.v.get()}, {&p.out, &p.lse}, &p.a);
    machine.run(FTRUN_OP_FLASH_ATTENTION_BACKWARD, {&dout, &p.q, p.k.get(), p.v.get(), &p.out, &p.lse}, {&dq, &dk, &dv},
                &p.a);
    const std::vector<std::vector<char>> bits = {p.out.bits(), p.lse.bits(), dq.bits(), dk.bits(), dv.bits()};
    if (first.empty()) first = bits;
    EXPECT_EQ(bits, first) << threads << " threads";
  }
}

TEST(FlashAttention, RowAloneWithKvCacheGivesTheSameBits) {
  const int64_t tokens = 300, heads = 4, groups = 2, dim = 32;
  const Case whole = {heads, groups, dim, {0, static_cast<int32_t>(tokens)}, {}, {}, 1};
  Problem p(whole, FTRUN_F32);
  Machine(2).run(FTRUN_OP_FLASH_ATTENTION, {&p.q, p.k.get(), p.v.get()}, {&p.out, &p.lse}, &p.a);
  for (const int32_t t : {0, 1, 127, 128, 200, 299}) {
    Array q(FTRUN_F32, {1, heads, dim}), out(FTRUN_F32, {1, heads, dim}), lse(FTRUN_F32, {heads, 1});
    for (int64_t i = 0; i < heads * dim; ++i) q.set(i, p.q.get(t * heads * dim + i));
    auto a = p.a;
    const int32_t offsets[] = {0, 1}, begins[] = {0}, lengths[] = {t + 1};
    a.query_offsets = offsets;
    a.key_begins = begins;
    a.key_lengths = lengths;
    Machine(1).run(FTRUN_OP_FLASH_ATTENTION, {&q, p.k.get(), p.v.get()}, {&out, &lse}, &a);
    for (int64_t i = 0; i < heads * dim; ++i) ASSERT_EQ(out.get(i), p.out.get(t * heads * dim + i)) << "token " << t;
    for (int64_t h = 0; h < heads; ++h) ASSERT_EQ(lse.get(h), p.lse.get(h * tokens + t));
  }
}

TEST(FlashAttention, RefusesWrongSegments) {
  const Case c = {2, 1, 8, {0, 4, 10}, {}, {}, 1};
  Problem p(c, FTRUN_F32);
  const auto run = [&] {
    Machine(1).run(FTRUN_OP_FLASH_ATTENTION, {&p.q, p.k.get(), p.v.get()}, {&p.out, &p.lse}, &p.a);
  };
  const int32_t short_offsets[] = {0, 4, 9}, descending[] = {0, 11, 10};
  p.a.query_offsets = short_offsets;
  EXPECT_THROW(run(), KernelError);
  p.a.query_offsets = descending;
  EXPECT_THROW(run(), KernelError);
  const int32_t begins[] = {0, 8}, lengths[] = {4, 3};
  p.a.query_offsets = c.offsets.data();
  p.a.key_begins = begins;
  p.a.key_lengths = lengths;
  EXPECT_THROW(run(), KernelError);
}

}  // namespace
}  // namespace ftrun::test
