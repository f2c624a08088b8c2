// Version skew: an old plugin's smaller table in a host that knows more slots.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/plugin/table_slots.h"

namespace ftrun {

// The reward table as a later minor might have it.
struct GrownReward {
  ftrun_head head;
  ftrun_status (*create)(const ftrun_host* host, const ftrun_options* options, void** reward);
  void (*destroy)(void* reward);
  ftrun_status (*declare)(void* reward, const ftrun_declaration* declaration);
  ftrun_status (*score)(void* reward, ftrun_context* ctx, const ftrun_reward_sample* samples, uint64_t sample_stride,
                        int32_t n, double* scores);
  ftrun_status (*score_later)(void* reward, int32_t ticket);
  void (*forget)(void* reward);
  const void* (*describe)(void* reward);
};
template <typename Visit>
void visit_slots(GrownReward& t, Visit&& visit) {
  visit("create", t.create), visit("destroy", t.destroy), visit("declare", t.declare), visit("score", t.score);
  visit("score_later", t.score_later), visit("forget", t.forget), visit("describe", t.describe);
}

namespace {

ftrun_status create(const ftrun_host*, const ftrun_options*, void**) { return FTRUN_CANCELLED; }

// A page whose end borders on one that may not be read.
class GuardedPage {
 public:
  GuardedPage() : size_(static_cast<size_t>(::sysconf(_SC_PAGESIZE))) {
    base_ = ::mmap(nullptr, 2 * size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ::mprotect(static_cast<char*>(base_) + size_, size_, PROT_NONE);
  }
  GuardedPage(const GuardedPage&) = delete;
  GuardedPage& operator=(const GuardedPage&) = delete;
  ~GuardedPage() { ::munmap(base_, 2 * size_); }
  void* last(size_t bytes) const { return static_cast<char*>(base_) + size_ - bytes; }

 private:
  size_t size_;
  void* base_;
};

TEST(CopyTable, AnOldTableIsReadToItsEndOnly) {
  const GuardedPage page;
  ftrun_reward old = {};
  old.head = {sizeof(ftrun_reward), FTRUN_REWARD_TAG};
  old.create = create;
  void* source = page.last(sizeof(old));
  std::memcpy(source, &old, sizeof(old));
  std::vector<std::string> absent;
  const auto grown = copy_table<GrownReward>(source, &absent);
  EXPECT_EQ(grown.head.struct_size, sizeof(GrownReward));
  EXPECT_EQ(grown.create(nullptr, nullptr, nullptr), FTRUN_CANCELLED);
  EXPECT_EQ(grown.score_later(nullptr, 7), FTRUN_UNIMPLEMENTED);
  EXPECT_EQ(grown.describe(nullptr), nullptr);
  grown.forget(nullptr);
  EXPECT_EQ(absent, (std::vector<std::string>{"destroy", "declare", "score", "score_later", "forget", "describe"}));
}

TEST(CopyTable, ALargerTableIsReadAsFarAsKnown) {
  GrownReward grown = {};
  std::memset(static_cast<void*>(&grown), 0xff, sizeof(grown));
  grown.head = {sizeof(GrownReward), FTRUN_REWARD_TAG};
  grown.create = create;
  grown.destroy = nullptr;
  const auto known = copy_table<ftrun_reward>(&grown, nullptr);
  EXPECT_EQ(known.head.struct_size, sizeof(ftrun_reward));
  EXPECT_EQ(known.create(nullptr, nullptr, nullptr), FTRUN_CANCELLED);
  known.destroy(nullptr);
}

}  // namespace
}  // namespace ftrun
