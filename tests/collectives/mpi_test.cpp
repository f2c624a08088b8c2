// MPI jobs of a few processes on this machine: the same bytes as threads give, and an end for everybody when one fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/collectives/collective_cases.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

struct Outcome {
  int code = -1;
  double seconds = 0;
  std::string output;
};

class Mpi : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v mpirun >/dev/null") != 0) GTEST_SKIP() << "mpirun is not installed (openmpi-bin)";
    folder_ = fs::temp_directory_path() / ("ftrun_mpi_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Outcome run(int32_t world, const std::string& name) const {
    const fs::path output = folder_ / "output";
    const std::string command =
        "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout -s KILL 60 mpirun --oversubscribe -n " +
        std::to_string(world) + " " + FTRUN_MPI_RANK + " " + name + " " + folder_.string() + " >" + output.string() +
        " 2>&1 </dev/null";
    const auto begin = std::chrono::steady_clock::now();
    const int status = std::system(command.c_str());
    Outcome outcome;
    outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome.output = read_text(output);
    return outcome;
  }

  void expect_inproc_bits(int32_t world, const std::string& name) const {
    const Outcome outcome = run(world, name);
    ASSERT_EQ(outcome.code, 0) << outcome.output;
    EXPECT_EQ(outcome.output, "");
    run_team_well(world, {}, [&](TeamRank& rank) {
      std::string expected;
      for (const std::vector<std::byte>& bytes : all_bits(rank)) {
        expected.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      }
      EXPECT_TRUE(read_text(folder_ / std::to_string(rank.communicator.rank())) == expected)
          << "rank " << rank.communicator.rank() << " of " << world;
    });
  }

  fs::path folder_;
};

TEST_F(Mpi, GivesTheBytesThatThreadsGive) {
  for (const int32_t world : {1, 2, 3, 4}) expect_inproc_bits(world, "bits");
}

TEST_F(Mpi, GivesTheSameFromDevicesThatTheHostCannotReach) { expect_inproc_bits(2, "bits_npu"); }

TEST_F(Mpi, GivesTheSameWhenMessagesAreSplit) { expect_inproc_bits(3, "bits_split"); }

TEST_F(Mpi, AFailingRankEndsTheJobWithItsMessageOnEveryRank) {
  const Outcome outcome = run(3, "fail");
  EXPECT_NE(outcome.code, 0);
  EXPECT_LT(outcome.seconds, 20);
  EXPECT_THAT(outcome.output, HasSubstr("error: the device is full"));
  // The message may overtake the end of the operation before, which rank 1 finished first.
  for (const int rank : {0, 2}) {
    EXPECT_THAT(outcome.output, ContainsRegex("error: rank " + std::to_string(rank) +
                                              ", step 12: all_reduce of 1(,0)?00 f32: aborted: rank 1, step 12: the "
                                              "device is full"));
  }
}

TEST_F(Mpi, ASilentRankIsReportedByThoseThatWaitForIt) {
  const Outcome outcome = run(3, "silent");
  EXPECT_NE(outcome.code, 0);
  EXPECT_LT(outcome.seconds, 30);
  for (const int rank : {0, 2}) {
    EXPECT_THAT(outcome.output,
                HasSubstr("error: rank " + std::to_string(rank) + ", step 7: all_reduce of 400,000 f32: "));
  }
  EXPECT_THAT(outcome.output, HasSubstr("no answer from rank"));
  EXPECT_THAT(outcome.output, HasSubstr("within 1 s (collective_timeout_s)"));
}

TEST_F(Mpi, ARankThatLeavesEarlyEndsItsPeers) {
  const Outcome outcome = run(3, "leave");
  EXPECT_NE(outcome.code, 0);
  EXPECT_LT(outcome.seconds, 20);
  EXPECT_THAT(outcome.output, HasSubstr("rank 1 has ended"));
}

TEST_F(Mpi, AKilledRankEndsTheJob) {
  const Outcome outcome = run(3, "kill");
  EXPECT_NE(outcome.code, 0);
  EXPECT_LT(outcome.seconds, 20);
  EXPECT_THAT(outcome.output, HasSubstr("rank 1"));
  EXPECT_THAT(outcome.output, HasSubstr("signal 9"));
}

TEST_F(Mpi, RanksThatDoDifferentThingsAreFoundOut) {
  const Outcome outcome = run(2, "disagree");
  EXPECT_NE(outcome.code, 0);
  EXPECT_LT(outcome.seconds, 20);
  EXPECT_THAT(outcome.output, HasSubstr("the ranks are not doing the same"));
}

TEST_F(Mpi, AbortReachesARankInsideAnExchange) {
  const Outcome outcome = run(2, "abort");
  EXPECT_NE(outcome.code, 0);
  EXPECT_LT(outcome.seconds, 20);
  for (const int rank : {0, 1}) {
    EXPECT_THAT(outcome.output, HasSubstr("error: rank " + std::to_string(rank) +
                                          ": all_reduce of 10 f32: aborted: rank 0: the watchdog bit"));
  }
}

TEST(MpiPlugin, RecognisesItsLaunchersWithoutStartingMpi) {
  const auto* table = static_cast<const ftrun_collectives*>(load_plugin("collectives", "mpi")->table);
  const auto probed = [&](const std::vector<std::pair<const char*, const char*>>& environment) {
    for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE", "PMIX_RANK", "SLURM_STEP_NUM_TASKS"}) {
      ::unsetenv(name);
    }
    for (const auto& [name, value] : environment) ::setenv(name, value, 1);
    return probe_world(*table, team_host());
  };
  EXPECT_EQ(probed({}), 0);
  EXPECT_EQ(probed({{"OMPI_COMM_WORLD_SIZE", "4"}}), 4);
  EXPECT_EQ(probed({{"PMI_RANK", "0"}, {"PMI_SIZE", "8"}}), 8);
  EXPECT_EQ(probed({{"PMIX_RANK", "3"}, {"SLURM_STEP_NUM_TASKS", "16"}}), 16);
  // A job of Slurm's whose processes were not told how to find each other.
  EXPECT_EQ(probed({{"SLURM_STEP_NUM_TASKS", "16"}}), 0);
  EXPECT_EQ(probed({}), 0);
}

}  // namespace
}  // namespace ftrun::test
