// Checkpoint folders: all or nothing, also under kill -9; listing, limits and cleaning.
#include "core/io/checkpoint.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "core/io/state_file.h"
#include "tests/io/io_fixture.h"

namespace ftrun {
namespace {

void fill(const Path& folder, int64_t step) {
  const TensorSpec array = {"array", StoredDtype::kU8, {20'000}};
  StateWriter writer(folder / "optimizer.safetensors", "test", 1, {array}, {{"step", std::to_string(step)}});
  for (int piece = 0; piece < 4; ++piece) {
    writer.write("array", std::span<const std::byte>(patterned(20'000, static_cast<uint64_t>(step)))
                              .subspan(static_cast<size_t>(piece) * 5000, 5000));
  }
  writer.finish();
  std::filesystem::create_directory(folder / "rank_0");
  write_text(folder / "rank_0/trainer_state.json", "{\"global_step\": " + std::to_string(step) + "}");
}

Path save(const Path& output_dir, int64_t step) {
  CheckpointWriter writer(output_dir, step, 30'000);
  fill(writer.folder(), step);
  return writer.commit();
}

void expect_loads(const Checkpoint& checkpoint) {
  EXPECT_EQ(incomplete_reason(checkpoint.path), "");
  const StateReader reader(checkpoint.path / "optimizer.safetensors", "test", 1);
  EXPECT_EQ(reader.value("step"), std::to_string(checkpoint.step));
  EXPECT_THAT(reader.require({"array", StoredDtype::kU8, {20'000}}),
              testing::ElementsAreArray(patterned(20'000, static_cast<uint64_t>(checkpoint.step))));
}

std::vector<int64_t> steps_of(const Path& output_dir) {
  std::vector<int64_t> steps;
  for (const Checkpoint& each : list_checkpoints(output_dir)) steps.push_back(each.step);
  return steps;
}

size_t entries_of(const Path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(Checkpoint, SaysWhatItIsKeptFor) {
  const TemporaryFolder parent;
  const Path out = parent / "out";
  const auto saved_for = [&](CheckpointPurpose purpose) {
    CheckpointWriter writer(out, 5, 0, purpose);
    fill(writer.folder(), 5);
    return purpose_of(writer.commit());
  };
  for (const auto purpose : {CheckpointPurpose::kStop, CheckpointPurpose::kBest, CheckpointPurpose::kPeriodic}) {
    EXPECT_EQ(saved_for(purpose), purpose) << "a checkpoint of the same step is replaced";
    EXPECT_TRUE(is_complete(out / "checkpoint-5"));
  }
  write_text(out / "checkpoint-5/checkpoint_manifest.json", "[]");
  EXPECT_EQ(purpose_of(out / "checkpoint-5"), CheckpointPurpose::kPeriodic);
  EXPECT_EQ(purpose_of(out / "checkpoint-6"), CheckpointPurpose::kPeriodic) << "there is none";
}

TEST(Checkpoint, AppearsOnlyOnCommit) {
  const TemporaryFolder parent;
  const Path out = parent / "new/out";
  EXPECT_TRUE(list_checkpoints(out).empty());
  EXPECT_FALSE(newest_complete_checkpoint(out));
  {
    CheckpointWriter writer(out, 5);
    fill(writer.folder(), 5);
    EXPECT_TRUE(list_checkpoints(out).empty());
  }
  EXPECT_EQ(entries_of(out), 0u);
  EXPECT_EQ(save(out, 5), out / "checkpoint-5");
  expect_loads(*newest_complete_checkpoint(out));
  EXPECT_EQ(entries_of(out), 1u);
}

// A name that cannot be free (here all are taken; a zero byte in output_dir did it once) ends the search.
TEST(Checkpoint, TheSearchForAFreeNameEnds) {
  const TemporaryFolder out;
  for (int i = 0; i < 1000; ++i) {
    std::filesystem::create_directory(out / fmt::format(".checkpoint-3.tmp-{}-{}", ::getpid(), i));
  }
  expect_error(FTRUN_DATA_LOSS, {"cannot create a temporary folder", "1000 names are taken"},
               [&] { CheckpointWriter writer(out.path(), 3); });
  save(out.path(), 4);
  const Checkpoint checkpoint = list_checkpoints(out.path()).front();
  for (int i = 0; i < 1000; ++i) {
    const std::string suffix = i == 0 ? ".damaged" : fmt::format(".damaged-{}", i);
    std::filesystem::create_directory(checkpoint.path.string() + suffix);
  }
  expect_error(FTRUN_DATA_LOSS, {"cannot rename", "1000 names are taken"}, [&] { set_aside(checkpoint, "damaged"); });
}

TEST(Checkpoint, RefusesMisuseAndFullDisks) {
  const TemporaryFolder out;
  expect_error(FTRUN_RESOURCE_EXHAUSTED, {"checkpoint-7 needs 1152921504606846976 bytes", "available"},
               [&] { CheckpointWriter writer(out / "x", 7, uint64_t{1} << 60); });
  EXPECT_EQ(entries_of(out.path()), 0u);
  expect_error(FTRUN_INVALID_ARGUMENT, {"-1"}, [&] { CheckpointWriter writer(out.path(), -1); });
  CheckpointWriter writer(out.path(), 1);
  writer.commit();
  expect_error(FTRUN_FAILED_PRECONDITION, {"already committed"}, [&] { writer.commit(); });
}

TEST(Checkpoint, ReplacesTheSameStep) {
  const TemporaryFolder out;
  save(out.path(), 3);
  write_text(out / "checkpoint-3/stale.txt", "x");
  save(out.path(), 3);
  EXPECT_FALSE(std::filesystem::exists(out / "checkpoint-3/stale.txt"));
  EXPECT_EQ(entries_of(out.path()), 1u);
  expect_loads(list_checkpoints(out.path()).front());
}

TEST(Checkpoint, ListsByStepAndSkipsIncomplete) {
  const TemporaryFolder out;
  for (const int64_t step : {100, 20, 3}) save(out.path(), step);
  for (const char* name : {"checkpoint-", "checkpoint-x", "checkpoint-7b", "other-9", "checkpoint--4"}) {
    std::filesystem::create_directory(out / name);
  }
  write_text(out / "checkpoint-999", "a file");
  EXPECT_EQ(steps_of(out.path()), (std::vector<int64_t>{3, 20, 100}));
  std::filesystem::resize_file(out / "checkpoint-100/optimizer.safetensors", 100);
  EXPECT_THAT(incomplete_reason(out / "checkpoint-100"), testing::HasSubstr("'optimizer.safetensors' has 100 bytes"));
  EXPECT_EQ(newest_complete_checkpoint(out.path())->step, 20);
  std::filesystem::remove(out / "checkpoint-20/rank_0/trainer_state.json");
  EXPECT_EQ(incomplete_reason(out / "checkpoint-20"), "'rank_0/trainer_state.json' is missing");
  EXPECT_EQ(newest_complete_checkpoint(out.path())->step, 3);
  std::filesystem::remove(out / "checkpoint-3/checkpoint_manifest.json");
  EXPECT_EQ(incomplete_reason(out / "checkpoint-3"), "checkpoint_manifest.json is missing");
  write_text(out / "checkpoint-3/checkpoint_manifest.json", "{\"files\": {\"a\"");
  EXPECT_THAT(incomplete_reason(out / "checkpoint-3"), testing::HasSubstr("not valid JSON"));
  write_text(out / "checkpoint-3/checkpoint_manifest.json", "[]");
  EXPECT_THAT(incomplete_reason(out / "checkpoint-3"), testing::HasSubstr("has no 'files'"));
  EXPECT_FALSE(newest_complete_checkpoint(out.path()));
}

TEST(Checkpoint, KeepsTheBestAndTheNewest) {
  const auto after = [](int64_t limit, std::optional<int64_t> best) {
    const TemporaryFolder out;
    for (const int64_t step : {1, 2, 3, 4, 10})
      std::filesystem::create_directory(out / fmt::format("checkpoint-{}", step));
    std::optional<Path> best_path;
    if (best) best_path = out / fmt::format("checkpoint-{}", *best);
    const std::vector<Path> removed = enforce_save_total_limit(out.path(), limit, best_path);
    EXPECT_EQ(removed.size() + list_checkpoints(out.path()).size(), 5u);
    EXPECT_EQ(entries_of(out.path()), list_checkpoints(out.path()).size());
    return steps_of(out.path());
  };
  using Steps = std::vector<int64_t>;
  EXPECT_EQ(after(0, {}), (Steps{1, 2, 3, 4, 10}));
  EXPECT_EQ(after(-1, 1), (Steps{1, 2, 3, 4, 10}));
  EXPECT_EQ(after(9, 1), (Steps{1, 2, 3, 4, 10}));
  EXPECT_EQ(after(2, {}), (Steps{4, 10}));
  EXPECT_EQ(after(1, {}), (Steps{10}));
  EXPECT_EQ(after(3, 1), (Steps{1, 4, 10}));
  EXPECT_EQ(after(2, 2), (Steps{2, 10}));
  EXPECT_EQ(after(1, 2), (Steps{2, 10}));
  EXPECT_EQ(after(1, 10), (Steps{10}));
  EXPECT_EQ(after(1, 77), (Steps{10}));
}

TEST(Checkpoint, CleansUpAfterKilledRunsOnly) {
  const TemporaryFolder out;
  CheckpointWriter alive(out.path(), 8);
  AtomicFile alive_file(out / "model.safetensors");
  std::filesystem::create_directory(out / ".checkpoint-7.tmp-1-0");
  write_text(out / ".checkpoint-7.tmp-1-0/optimizer.safetensors", "x");
  write_text(out / "model.safetensors.tmp-aB3xY9", "x");
  write_text(out / "config.json.tmp-aB3xY9", "x");
  for (const char* name :
       {"notes.tmp-aB3xY9", "model.safetensors.tmp-aB3xY", "model.safetensors", "trainer_log.jsonl"}) {
    write_text(out / name, "stays");
  }
  EXPECT_THAT(remove_leftover_temporaries(out.path()),
              testing::UnorderedElementsAre(out / ".checkpoint-7.tmp-1-0", out / "model.safetensors.tmp-aB3xY9",
                                            out / "config.json.tmp-aB3xY9"));
  EXPECT_EQ(entries_of(out.path()), 6u);
  fill(alive.folder(), 8);
  alive.commit();
  EXPECT_TRUE(remove_leftover_temporaries(out / "missing").empty());
}

// The child's life: a run that resumes where the last one died, saves as fast as it can and keeps three.
[[noreturn]] void save_forever(const Path& out) {
  try {
    remove_leftover_temporaries(out);
    const std::optional<Checkpoint> newest = newest_complete_checkpoint(out);
    for (int64_t step = newest ? newest->step : 1;; ++step) {
      save(out, step);
      enforce_save_total_limit(out, 3);
    }
  } catch (const std::exception&) {
    ::_exit(1);
  }
}

TEST(Checkpoint, SurvivesKillAtRandomMoments) {
  const TemporaryFolder out;
  std::mt19937_64 random(99);
  int64_t newest_step = 0;
  size_t interrupted_saves = 0;
  uint64_t longest_us = 30'000;  // Follows the speed of the disk: several saves a life, and kills all over them.
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) save_forever(out.path());
    ::usleep(static_cast<useconds_t>(2000 + random() % longest_us));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed by itself: " << status;
    const std::vector<Checkpoint> checkpoints = list_checkpoints(out.path());
    EXPECT_LE(checkpoints.size(), 4u);
    interrupted_saves += static_cast<size_t>(entries_of(out.path()) > checkpoints.size());
    for (const Checkpoint& each : checkpoints) expect_loads(each);
    const std::optional<Checkpoint> newest = newest_complete_checkpoint(out.path());
    const int64_t reached = newest ? newest->step : 0;
    EXPECT_GE(reached, newest_step) << "a checkpoint was lost";
    longest_us = reached > newest_step + 2 ? std::max<uint64_t>(longest_us * 3 / 4, 1000)
                                           : std::min<uint64_t>(longest_us * 3 / 2, 300'000);
    newest_step = reached;
  }
  EXPECT_GT(newest_step, 3) << "too slow to show anything";
  EXPECT_GT(interrupted_saves, 5u) << "the kills missed the saves";
  remove_leftover_temporaries(out.path());
  EXPECT_EQ(entries_of(out.path()), list_checkpoints(out.path()).size());
}

}  // namespace
}  // namespace ftrun
