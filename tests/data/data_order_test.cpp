// The law of data order, permutations, and packing.
#include "core/data/data_order.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <set>

#include "core/base/error.h"
#include "core/data/packing.h"
#include "core/data/permutation.h"

namespace ftrun {
namespace {

TEST(Permutation, IsABijectionAndDependsOnSeedAndStream) {
  for (const int64_t size : {1, 2, 3, 4, 5, 7, 16, 17, 63, 64, 65, 100, 1000, 4097}) {
    std::set<int64_t> images;
    const Permutation permutation(size, 42, 3);
    for (int64_t i = 0; i < size; ++i) {
      const int64_t image = permutation(i);
      ASSERT_GE(image, 0);
      ASSERT_LT(image, size);
      images.insert(image);
    }
    EXPECT_EQ(static_cast<int64_t>(images.size()), size);
  }
  int64_t same_seed = 0;
  int64_t same_stream = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    same_seed += Permutation(1000, 1, 0)(i) == Permutation(1000, 1, 1)(i) ? 1 : 0;
    same_stream += Permutation(1000, 1, 0)(i) == Permutation(1000, 2, 0)(i) ? 1 : 0;
  }
  EXPECT_LT(same_seed, 20);
  EXPECT_LT(same_stream, 20);
}

TEST(Permutation, ValuesAreFixedOnEveryPlatform) {
  std::vector<int64_t> images;
  for (int64_t i = 0; i < 10; ++i) images.push_back(Permutation(10, 42, 0)(i));
  EXPECT_EQ(images, (std::vector<int64_t>{5, 7, 1, 9, 2, 4, 6, 3, 0, 8}));
}

TEST(Permutation, SpreadsEvenlyOverSeeds) {
  // Over 4000 seeds each of 10 places holds item 0 about 400 times: six standard deviations are 114.
  std::vector<int> places(10, 0);
  for (uint64_t seed = 0; seed < 4000; ++seed) ++places[static_cast<size_t>(Permutation(10, seed, 0)(0))];
  for (const int count : places) EXPECT_NEAR(count, 400, 114);
}

TEST(DataOrder, FollowsTheLaw) {
  for (const auto& [items, shape] : {std::pair<int64_t, BatchShape>{103, {4, 3, 2}},
                                     {24, {4, 3, 2}},
                                     {5, {2, 2, 3}},
                                     {7, {1, 1, 1}},
                                     {50, {3, 1, 4}}}) {
    const DataOrder order(items, 9, true, shape);
    EXPECT_EQ(order.updates_per_epoch(), (items + shape.window() - 1) / shape.window());
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      std::multiset<int64_t> seen;
      for (int64_t k = 0; k < order.updates_per_epoch(); ++k) {
        const int64_t update = epoch * order.updates_per_epoch() + k;
        const std::vector<int64_t> window = order.window_items(update);
        for (int64_t i = 0; i < shape.window(); ++i) {
          const int64_t position = k * shape.window() + i;
          const int64_t expected =
              position < items ? Permutation(items, 9, static_cast<uint64_t>(epoch))(position) : DataOrder::kFiller;
          EXPECT_EQ(window[static_cast<size_t>(i)], expected);
          const int64_t micro_batch = i / (shape.ranks * shape.per_device_batch);
          const int64_t rank = i / shape.per_device_batch % shape.ranks;
          EXPECT_EQ(order.micro_batch(update, micro_batch, rank)[static_cast<size_t>(i % shape.per_device_batch)],
                    expected);
          if (expected != DataOrder::kFiller) seen.insert(expected);
        }
      }
      EXPECT_EQ(static_cast<int64_t>(seen.size()), items);
      EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), seen.size());
    }
  }
}

TEST(DataOrder, AGlobalBatchHoldsTheSameItemsHoweverItIsSplit) {
  const DataOrder one(100, 5, true, {1, 12, 1});
  for (const BatchShape shape : {BatchShape{4, 3, 1}, BatchShape{2, 2, 3}, BatchShape{1, 1, 12}}) {
    const DataOrder other(100, 5, true, shape);
    for (int64_t update = 0; update < 20; ++update) EXPECT_EQ(one.window_items(update), other.window_items(update));
  }
}

TEST(DataOrder, WithoutShufflingKeepsTheOrder) {
  const DataOrder order(5, 1, false, {1, 2, 1});
  EXPECT_EQ(order.window_items(0), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(order.window_items(2), (std::vector<int64_t>{4, DataOrder::kFiller}));
  EXPECT_EQ(order.window_items(3), (std::vector<int64_t>{0, 1}));
}

TEST(DataOrder, ItemPositionsLeadBackToUpdates) {
  const DataOrder order(103, 9, true, {4, 3, 2});
  for (int64_t update = 0; update < 20; ++update) EXPECT_EQ(order.update_at(order.items_before(update)), update);
  EXPECT_EQ(order.items_before(5), 103);
  EXPECT_THROW(order.update_at(25), Error);
  EXPECT_THROW(order.update_at(-24), Error);
  EXPECT_THROW(DataOrder(0, 1, true, {}), Error);
  EXPECT_THROW(DataOrder(1, 1, true, {0, 1, 1}), Error);
}

TEST(Packing, LosesNothingAndKeepsTheCapacity) {
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    const auto capacity = static_cast<int64_t>(1 + random() % 100);
    std::vector<int32_t> lengths(random() % 300);
    for (int32_t& length : lengths) length = static_cast<int32_t>(1 + random() % static_cast<uint64_t>(capacity));
    const auto rows = pack_documents(lengths, capacity);
    EXPECT_EQ(rows, pack_documents(lengths, capacity));
    std::vector<int> seen(lengths.size(), 0);
    for (const auto& row : rows) {
      int64_t used = 0;
      EXPECT_FALSE(row.empty());
      for (const int64_t index : row) {
        used += lengths[static_cast<size_t>(index)];
        ++seen[static_cast<size_t>(index)];
      }
      EXPECT_LE(used, capacity);
    }
    for (const int count : seen) EXPECT_EQ(count, 1);
  }
  EXPECT_THROW(pack_documents(std::vector<int32_t>{9}, 8), Error);
}

TEST(Packing, EqualLengthsGoInIndexOrder) {
  EXPECT_EQ(pack_documents(std::vector<int32_t>{2, 3, 2, 3, 2}, 5),
            (std::vector<std::vector<int64_t>>{{1, 0}, {3, 2}, {4}}));
}

}  // namespace
}  // namespace ftrun
