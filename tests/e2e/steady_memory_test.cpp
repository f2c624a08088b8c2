// Steady state: after the second update nothing is taken from the system any more, whatever lengths the rows have.
// The trainer runs in this process, so that its heap can be read between updates.
// GLIBC_TUNABLES (CMakeLists.txt) switches off glibc's per-thread cache, which counts freed blocks as in use.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <ostream>
#include <string>
#include <vector>

#include "core/base/logging.h"
#include "core/train/run.h"
#include "core/train/trainer.h"
#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

constexpr int kRows = 64;
constexpr int kLongestRow = 57;  // two updates before the end

/// Bytes at the end of one update.
struct Sample {
  uint64_t device_reserved = 0;   ///< pages the device took from the system
  uint64_t device_allocated = 0;  ///< live tensors
  uint64_t heap_in_use = 0;       ///< malloc, all threads
  uint64_t resident = 0;          ///< anonymous pages: mapped files are read as their rows come up
};

void PrintTo(const Sample& s, std::ostream* out) {
  *out << "device reserved " << s.device_reserved << " allocated " << s.device_allocated << " heap " << s.heap_in_use
       << " resident " << s.resident;
}

uint64_t resident_anonymous_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("RssAnon:")) return std::strtoull(line.c_str() + 8, nullptr, 10) * 1024;
  }
  return 0;
}

/// Rows of 10 to 60 words in an order without pattern, and one of 150.
void write_data(const TestFolder& folder) {
  std::string rows;
  for (int row = 0; row < kRows; ++row) {
    const int words = row == kLongestRow ? 150 : 10 + row * 37 % 51;
    std::string text;
    for (int word = 0; word < words; ++word) text += (word * row) % 3 == 0 ? "cat " : "rain ";
    rows += R"({"instruction":"Say it again.","input":"","output":")" + text + "\"}\n";
  }
  write_text(folder / "data/rows.jsonl", rows);
  write_text(folder / "data/dataset_info.json", R"({"rows": {"file_name": "rows.jsonl"}})");
}

std::vector<Sample> train_and_watch(const std::map<std::string, std::string>& changes) {
  const TestFolder folder;
  write_data(folder);
  std::map<std::string, std::string> keys = {{"model_name_or_path", FTRUN_SOURCE_DIR "/configs/demo/model"},
                                             {"dataset", "rows"},
                                             {"dataset_dir", (folder / "data").string()},
                                             {"template_dir", FTRUN_SOURCE_DIR "/configs/templates"},
                                             {"plugin_path", "[" FTRUN_BINARY_DIR "/lib/ftrun/plugins]"},
                                             {"cutoff_len", "256"},
                                             {"max_samples", ""},
                                             {"disable_shuffling", "true"},
                                             {"per_device_train_batch_size", "2"},
                                             {"threads", "2"},
                                             {"logging_steps", "1000"}};
  for (const auto& [key, value] : changes) keys[key] = value;
  CommandContext context;
  context.config_file = write_text(folder / "run.yaml", small_config(folder / "out", keys));
  const RunSetup setup = prepare_setup(context);
  RankLink link(setup);
  Run run(setup, link, claim_output(setup, link.communicator()));
  Trainer trainer(run);
  std::vector<Sample> samples;
  samples.reserve(kRows);
  trainer.set_observer([&](TrainingEvent event, int64_t) {
    if (event != TrainingEvent::kStepDone) return;
    const ftrun_memory_stats device = run.device().memory_stats();
    const struct mallinfo2 heap = ::mallinfo2();
    samples.push_back(
        {device.reserved_bytes, device.allocated_bytes, heap.uordblks + heap.hblkhd, resident_anonymous_bytes()});
  });
  EXPECT_EQ(trainer.train(), 0);
  return samples;
}

class SteadyMemory : public testing::TestWithParam<std::map<std::string, std::string>> {};

constexpr int64_t kStackPagesBytes = 16 * 4096;

TEST_P(SteadyMemory, NothingGrowsAfterTheSecondUpdate) {
#ifdef FTRUN_SANITIZER
  GTEST_SKIP() << "sanitizers replace malloc and keep freed memory";
#endif
  const char* tunables = std::getenv("GLIBC_TUNABLES");
  if (tunables == nullptr || std::strstr(tunables, "tcache_count=0") == nullptr) {
    GTEST_SKIP() << "run by ctest, or with GLIBC_TUNABLES=glibc.malloc.tcache_count=0";
  }
  const std::vector<Sample> samples = train_and_watch(GetParam());
  ASSERT_EQ(samples.size(), 16U);
  const Sample& second = samples[1];
  for (size_t i = 2; i < samples.size(); ++i) {
    SCOPED_TRACE(testing::Message() << "update " << i + 1 << ": " << testing::PrintToString(samples[i])
                                    << "\nupdate 2: " << testing::PrintToString(second));
    EXPECT_EQ(samples[i].device_reserved, second.device_reserved);
    EXPECT_EQ(samples[i].device_allocated, second.device_allocated);
    EXPECT_EQ(samples[i].heap_in_use, second.heap_in_use);
    // Which worker runs a task is the scheduler's choice, so a worker may touch a deeper page of its stack later.
    EXPECT_LE(samples[i].resident, second.resident + kStackPagesBytes);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Runs, SteadyMemory,
    testing::Values(std::map<std::string, std::string>{}, std::map<std::string, std::string>{{"bf16", "true"}},
                    std::map<std::string, std::string>{{"disable_gradient_checkpointing", "true"}, {"bf16", "true"}}),
    [](const auto& parameter) {
      return parameter.param.empty() ? "F32" : parameter.param.size() == 1 ? "Bf16" : "Bf16WithoutRecompute";
    });

}  // namespace
}  // namespace ftrun::test
