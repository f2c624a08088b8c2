// The cpu device's heap: placement, merging, pages taken and given back, the budget.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "plugins/devices/cpu/host_heap.h"

namespace ftrun::devices {
namespace {

constexpr uint64_t kKib = 1024, kMib = 1024 * kKib;

char* take(HostHeap& heap, uint64_t bytes, HeapUse use = HeapUse::kStep) {
  std::string reason;
  char* data = static_cast<char*>(heap.take(bytes, use, &reason));
  EXPECT_NE(data, nullptr) << reason;
  return data;
}

TEST(HostHeap, RoundsLittle) {
#ifdef FTRUN_SANITIZER
  GTEST_SKIP() << "blocks have gaps between them";
#endif
  EXPECT_EQ(HostHeap::rounded(0), 4 * kKib);
  EXPECT_EQ(HostHeap::rounded(32 * kKib), 32 * kKib);
  EXPECT_EQ(HostHeap::rounded(100 * kKib + 1), 104 * kKib);
  EXPECT_EQ(HostHeap::rounded(~uint64_t{0}), ~uint64_t{0});
}

TEST(HostHeap, AlignsAndKeepsContentsApart) {
  HostHeap heap(64 * kMib);
  std::vector<char*> blocks;
  for (int i = 0; i < 200; ++i) {
    const auto bytes = static_cast<size_t>(i * 997);
    char* data = take(heap, bytes, static_cast<HeapUse>(i % 3));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % HostHeap::kAlignment, 0U);
    std::memset(data, i, bytes);
    blocks.push_back(data);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string expected(i * 997, static_cast<char>(i));
    EXPECT_EQ(std::memcmp(blocks[i], expected.data(), expected.size()), 0) << i;
    heap.give(blocks[i]);
  }
}

TEST(HostHeap, FreedNeighboursMakeRoomForLargerBlocks) {
  HostHeap heap(64 * kMib);
  std::vector<char*> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(take(heap, kMib));
  char* last = take(heap, kMib);
  const uint64_t reserved = heap.reserved_bytes();
  for (const int i : {1, 4, 3, 0, 7, 5, 2, 6}) heap.give(blocks[static_cast<size_t>(i)]);
  EXPECT_EQ(take(heap, 8 * kMib - kKib), blocks[0]) << "eight freed blocks are one";
  EXPECT_EQ(heap.reserved_bytes(), reserved);
  heap.give(blocks[0]);
  heap.give(last);
}

TEST(HostHeap, TakesTheSmallestBlockThatFits) {
  HostHeap heap(64 * kMib);
  char* large = take(heap, 4 * kMib);
  char* wall = take(heap, kMib);
  char* small = take(heap, 2 * kMib);
  char* end = take(heap, kMib);
  heap.give(large);
  heap.give(small);
  EXPECT_EQ(take(heap, 2 * kMib - 8 * kKib), small);
  EXPECT_EQ(take(heap, 3 * kMib), large);
  for (char* data : {small, large, wall, end}) heap.give(data);
}

TEST(HostHeap, StepsDoNotLieBetweenState) {
  HostHeap heap(64 * kMib);
  char* state = take(heap, kMib, HeapUse::kState);
  char* step = take(heap, kMib, HeapUse::kStep);
  char* more_state = take(heap, kMib, HeapUse::kState);
  EXPECT_EQ(HostHeap::rounded(kMib), static_cast<uint64_t>(more_state - state));
  for (char* data : {state, step, more_state}) heap.give(data);
}

TEST(HostHeap, GivesPagesBackBeforeItRefuses) {
  HostHeap heap(16 * kMib);
  char* state = take(heap, 8 * kMib, HeapUse::kState);
  char* step = take(heap, 4 * kMib);
  std::memset(step, 1, 4 * kMib);
  heap.give(state);
  EXPECT_EQ(heap.reserved_bytes(), 12 * kMib + (HostHeap::rounded(kMib) > kMib ? 128 * kKib : 0));
  char* other = take(heap, 11 * kMib);
  EXPECT_LE(heap.reserved_bytes(), 16 * kMib);
  std::string reason;
  EXPECT_EQ(heap.take(2 * kMib, HeapUse::kStep, &reason), nullptr);
  EXPECT_NE(reason.find("16.00 MiB (host_memory_limit)"), std::string::npos) << reason;
  EXPECT_EQ(step[4 * kMib - 1], 1) << "live blocks keep what they hold";
  heap.give(step);
  heap.give(other);
  heap.trim();
  EXPECT_EQ(heap.reserved_bytes(), 0U);
  EXPECT_EQ(heap.take(~uint64_t{0} - 5, HeapUse::kStep, &reason), nullptr);
}

// A step's allocations for a long micro-batch first: shorter ones of any length fit into what it took.
TEST(HostHeap, ShorterStepsFitIntoWhatTheLongestTook) {
  HostHeap heap(1024 * kMib);
  const auto step = [&heap](uint64_t tokens) {
    std::mt19937 order(3);
    std::vector<char*> live;
    for (int op = 0; op < 400; ++op) {
      const uint64_t widths[] = {4, 64, 896, 1792, 3584, 9728};
      live.push_back(take(heap, tokens * widths[order() % 6]));
      if (live.size() > 30 || op > 300) {
        const size_t at = order() % live.size();
        heap.give(live[at]);
        live.erase(live.begin() + static_cast<ptrdiff_t>(at));
      }
    }
    for (char* data : live) heap.give(data);
  };
  step(2048);
  const uint64_t reserved = heap.reserved_bytes();
  for (uint64_t tokens = 1; tokens <= 2048; tokens += 61) {
    step(tokens);
    ASSERT_EQ(heap.reserved_bytes(), reserved) << tokens << " tokens";
  }
}

TEST(HostHeap, SurvivesRandomUse) {
  HostHeap heap(96 * kMib);
  std::mt19937_64 random(11);
  struct Live {
    char* data;
    uint64_t bytes;
    char mark;
  };
  std::vector<Live> live;
  std::string reason;
  for (int i = 0; i < 20000; ++i) {
    if (live.size() < 40 || random() % 2 == 0) {
      const uint64_t bytes = random() % (uint64_t{1} << (6 + random() % 17));
      char* data = static_cast<char*>(heap.take(bytes, static_cast<HeapUse>(random() % 3), &reason));
      if (data == nullptr) continue;
      const auto mark = static_cast<char>(random());
      if (bytes > 0) data[0] = data[bytes - 1] = data[bytes / 2] = mark;
      live.push_back({data, bytes, mark});
    } else {
      const size_t at = random() % live.size();
      const Live block = live[at];
      if (block.bytes > 0) {
        ASSERT_TRUE(block.data[0] == block.mark && block.data[block.bytes - 1] == block.mark &&
                    block.data[block.bytes / 2] == block.mark);
      }
      heap.give(block.data);
      live[at] = live.back();
      live.pop_back();
    }
    if (i % 1000 == 0) heap.trim();
  }
  for (const Live& block : live) heap.give(block.data);
  heap.trim();
  EXPECT_EQ(heap.reserved_bytes(), 0U) << "everything has merged and gone back";
}

}  // namespace
}  // namespace ftrun::devices
