// Attention over a cache of blocks gives the bits of flash attention over the same keys end to end.
#include <algorithm>

#include "tests/kernels/op_harness.h"

namespace ftrun::test {
namespace {

struct Case {
  int64_t heads, groups, dim;
  int32_t block_rows;
  std::vector<int32_t> new_tokens, lengths;  ///< per segment; lengths with the new ones
};

/// The same sequences end to end and in blocks; blocks are handed out from the last one down, with one left out.
struct Problem {
  Problem(const Case& c, ftrun_dtype dtype)
      : total(0),
        tokens(0),
        a(attributes<ftrun_paged_attention_attributes>()),
        flat(attributes<ftrun_attention_attributes>()) {
    for (size_t s = 0; s < c.lengths.size(); ++s) {
      offsets.push_back(offsets.back() + c.new_tokens[s]);
      begins.push_back(static_cast<int32_t>(total));
      total += c.lengths[s];
      tokens += c.new_tokens[s];
      for (int32_t used = 0; used < c.lengths[s]; used += c.block_rows) blocks.push_back(0);
      block_offsets.push_back(static_cast<int32_t>(blocks.size()));
    }
    const auto count = static_cast<int32_t>(blocks.size());
    for (int32_t i = 0; i < count; ++i) blocks[static_cast<size_t>(i)] = count - i;
    rows = (count + 1) * c.block_rows;
    k = std::make_unique<Array>(dtype, std::vector<int64_t>{total, c.groups, c.dim});
    v = std::make_unique<Array>(dtype, std::vector<int64_t>{total, c.groups, c.dim});
    keys = std::make_unique<Array>(dtype, std::vector<int64_t>{rows, c.groups, c.dim});
    values = std::make_unique<Array>(dtype, std::vector<int64_t>{rows, c.groups, c.dim});
    const std::vector<int64_t> new_shape = {tokens, c.groups, c.dim};
    new_k = std::make_unique<Array>(dtype, new_shape);
    new_v = std::make_unique<Array>(dtype, new_shape);
    q = std::make_unique<Array>(dtype, std::vector<int64_t>{tokens, c.heads, c.dim});
    out = std::make_unique<Array>(dtype, std::vector<int64_t>{tokens, c.heads, c.dim});
    flat_out = std::make_unique<Array>(dtype, std::vector<int64_t>{tokens, c.heads, c.dim});
    lse = std::make_unique<Array>(FTRUN_F32, std::vector<int64_t>{c.heads, tokens});
    q->randomize(1);
    k->randomize(2);
    v->randomize(3);
    keys->fill(std::nan(""));  // what no token has written must not matter
    values->fill(std::nan(""));
    place(c);
    a.scale = flat.scale = 1.0 / std::sqrt(static_cast<double>(c.dim));
    a.n_segments = flat.n_segments = static_cast<int32_t>(c.lengths.size());
    a.block_rows = c.block_rows;
    a.query_offsets = flat.query_offsets = offsets.data();
    a.key_lengths = flat.key_lengths = c.lengths.data();
    a.block_offsets = block_offsets.data();
    a.blocks = blocks.data();
    flat.key_begins = begins.data();
    flat.causal = 1;
  }

  int64_t cache_row(size_t s, int64_t token) const {
    return blocks[static_cast<size_t>(block_offsets[s] + token / a_block_rows)] * a_block_rows + token % a_block_rows;
  }
  static void copy_row(const Array& from, int64_t source, Array& to, int64_t destination, int64_t width) {
    for (int64_t i = 0; i < width; ++i) to.set(destination * width + i, from.get(source * width + i));
  }
  /// Earlier tokens into the cache, the new ones into new_k and new_v.
  void place(const Case& c) {
    a_block_rows = c.block_rows;
    const int64_t width = c.groups * c.dim;
    for (size_t s = 0; s < c.lengths.size(); ++s) {
      const int64_t old = c.lengths[s] - c.new_tokens[s];
      for (int64_t t = 0; t < c.lengths[s]; ++t) {
        const bool is_new = t >= old;
        const int64_t to = is_new ? offsets[s] + t - old : cache_row(s, t);
        copy_row(*k, begins[s] + t, is_new ? *new_k : *keys, to, width);
        copy_row(*v, begins[s] + t, is_new ? *new_v : *values, to, width);
      }
    }
  }
  void run_paged(int32_t threads) {
    Machine(threads).run(FTRUN_OP_PAGED_ATTENTION, {q.get(), new_k.get(), new_v.get(), keys.get(), values.get()},
                         {out.get(), keys.get(), values.get()}, &a);
  }

  int64_t total, tokens, rows = 0, a_block_rows = 0;
  std::vector<int32_t> offsets = {0}, begins, blocks, block_offsets = {0};
  std::unique_ptr<Array> q, k, v, new_k, new_v, keys, values, out, flat_out, lse;
  ftrun_paged_attention_attributes a;
  ftrun_attention_attributes flat;
};

std::vector<Case> cases() {
  std::vector<Case> result = {
      {1, 1, 16, 32, {1}, {1}},
      {4, 2, 24, 32, {1, 1, 1}, {31, 32, 33}},
      {14, 2, 64, 32, {5, 1, 128, 40}, {140, 300, 128, 41}},
      {6, 1, 40, 64, {1, 200}, {129, 500}},
      {2, 2, 7, 128, {3, 3}, {3, 260}},
  };
  for (const int64_t tail : with_every_tail({})) {
    result.push_back({2, 1, tail, 32, {2, 1}, {static_cast<int32_t>(tail) + 1, static_cast<int32_t>(tail) + 31}});
  }
  return result;
}

TEST(PagedAttention, GivesTheBitsOfFlashAttention) {
  for (const Case& c : cases()) {
    for (const ftrun_dtype dtype : {FTRUN_F32, FTRUN_BF16}) {
      Problem p(c, dtype);
      Machine(2).run(FTRUN_OP_FLASH_ATTENTION, {p.q.get(), p.k.get(), p.v.get()}, {p.flat_out.get(), p.lse.get()},
                     &p.flat);
      for (const int32_t threads : {1, 3}) {
        p.out->fill(0);
        p.run_paged(threads);
        EXPECT_EQ(p.out->bits(), p.flat_out->bits()) << c.heads << " heads, blocks of " << c.block_rows;
      }
    }
  }
}

TEST(PagedAttention, WritesTheNewRowsAndNothingElse) {
  const Case c = {2, 1, 8, 32, {2, 1}, {33, 1}};
  Problem p(c, FTRUN_F32);
  p.run_paged(1);
  int64_t written = 0;
  for (int64_t row = 0; row < p.rows; ++row) written += std::isnan(p.keys->get(row * 8)) ? 0 : 1;
  EXPECT_EQ(written, 34);
  for (int64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(p.keys->get(p.cache_row(0, 31) * 8 + i), p.new_k->get(i));
    EXPECT_EQ(p.values->get(p.cache_row(0, 32) * 8 + i), p.new_v->get(8 + i));
    EXPECT_EQ(p.values->get(p.cache_row(1, 0) * 8 + i), p.new_v->get(16 + i));
  }
}

TEST(PagedAttention, RefusesBlocksOutsideOfTheCacheAndTooFewOfThem) {
  const Case c = {2, 1, 8, 32, {2, 1}, {33, 1}};
  Problem p(c, FTRUN_F32);
  const auto good = p.blocks;
  p.blocks[0] = static_cast<int32_t>(p.rows / 32);
  EXPECT_THROW(p.run_paged(1), KernelError);
  p.blocks[0] = -1;
  EXPECT_THROW(p.run_paged(1), KernelError);
  p.blocks = good;
  p.a.blocks = p.blocks.data();
  const int32_t one_too_few[] = {0, 1, 2};
  p.a.block_offsets = one_too_few;
  EXPECT_THROW(p.run_paged(1), KernelError);
  p.a.block_offsets = p.block_offsets.data();
  p.a.block_rows = 48;
  EXPECT_THROW(p.run_paged(1), KernelError);
  p.a.block_rows = 32;
  const int32_t shorter_than_new[] = {1, 1};
  p.a.key_lengths = shorter_than_new;
  EXPECT_THROW(p.run_paged(1), KernelError);
}

}  // namespace
}  // namespace ftrun::test
