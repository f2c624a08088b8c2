// Which checkpoints stay in a folder.
#include "core/train/checkpoint_retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/io/checkpoint.h"

namespace ftrun {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class Retained : public testing::Test {
 protected:
  Retained() { fs::remove_all(folder_); }
  ~Retained() override { fs::remove_all(folder_); }

  void write(int64_t step, CheckpointPurpose purpose = CheckpointPurpose::kPeriodic) const {
    CheckpointWriter writer(folder_, step, 0, purpose);
    write_file_atomically(writer.folder() / "model", "weights");
    writer.commit();
  }
  std::vector<int64_t> after(const Retention& retention) const {
    remove_superseded_checkpoints(folder_, retention);
    std::vector<int64_t> steps;
    for (const Checkpoint& checkpoint : list_checkpoints(folder_)) steps.push_back(checkpoint.step);
    return steps;
  }

  fs::path folder_ = fs::temp_directory_path() / ("ftrun_retention_" + std::to_string(::getpid()));
};

TEST_F(Retained, OfAnInterruptionOnlyUntilThereIsSomethingLater) {
  write(4);
  write(5, CheckpointPurpose::kStop);
  EXPECT_THAT(after({5, {}, 0}), ElementsAre(4, 5)) << "the newest stays";
  write(6, CheckpointPurpose::kStop);
  EXPECT_THAT(after({6, {}, 0}), ElementsAre(4, 6));
  write(8);
  EXPECT_THAT(after({8, {}, 2}), ElementsAre(4, 8)) << "it takes no place within the limit";
  write(9, CheckpointPurpose::kStop);
  EXPECT_THAT(after({-1, {}, 2}), ElementsAre(4, 8)) << "the result is there";
}

TEST_F(Retained, TheBestOnlyAsLongAsItIsIt) {
  write(4);
  write(5, CheckpointPurpose::kBest);
  EXPECT_THAT(after({5, "run/checkpoint-5", 0}), ElementsAre(4, 5));
  write(8);
  EXPECT_THAT(after({8, "run/checkpoint-5", 1}), ElementsAre(5, 8)) << "with limit 1 the best and the newest";
  write(9, CheckpointPurpose::kBest);
  EXPECT_THAT(after({9, "run/checkpoint-9", 2}), ElementsAre(8, 9)) << "the former best goes before the limit counts";
}

TEST_F(Retained, ThoseWithoutAPurposeAreTheRuns) {
  write(4);
  EXPECT_EQ(purpose_of(folder_ / "checkpoint-4"), CheckpointPurpose::kPeriodic);
  fs::remove(folder_ / "checkpoint-4/checkpoint_manifest.json");
  EXPECT_EQ(purpose_of(folder_ / "checkpoint-4"), CheckpointPurpose::kPeriodic);
  EXPECT_THAT(after({8, {}, 0}), ElementsAre(4));
}

}  // namespace
}  // namespace ftrun
