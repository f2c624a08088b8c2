// Damaged model files: cut at every offset or changed in any byte, a file is refused or reads within its bounds.
#include <nlohmann/json.hpp>
#include <random>

#include "core/io/hf_config.h"
#include "core/io/model_weights.h"
#include "tests/io/io_fixture.h"

namespace ftrun {
namespace {

/// Opens the file and touches every byte; true when it was accepted.
bool opens(const Path& path) {
  try {
    const SafetensorsFile file(path);
    uint64_t sum = 0;
    for (const TensorEntry& entry : file.tensors()) {
      for (const std::byte value : entry.bytes) sum += static_cast<uint64_t>(value);
    }
    EXPECT_LT(sum, UINT64_MAX);
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr(path.string()));
    return false;
  }
}

TEST(SafetensorsFaults, EveryTruncationIsAnError) {
  const TemporaryFolder folder;
  const std::string whole = read_file(golden_folder() / "mixed.safetensors");
  const Path path = folder / "cut.safetensors";
  write_text(path, whole);
  ASSERT_TRUE(opens(path));
  for (size_t size = 0; size < whole.size(); ++size) {
    write_text(path, std::string_view(whole).substr(0, size));
    EXPECT_FALSE(opens(path)) << "cut to " << size << " bytes";
  }
  for (const size_t extra : {1, 7, 8, 4096}) {
    write_text(path, whole + std::string(extra, '\0'));
    EXPECT_FALSE(opens(path)) << extra << " bytes too many";
  }
}

TEST(SafetensorsFaults, TruncatedShardIsAnError) {
  const TemporaryFolder folder;
  std::filesystem::copy(golden_folder() / "sharded", folder / "model");
  EXPECT_NO_THROW(ModelWeights(folder / "model"));
  const Path shard = folder / "model/model-00002-of-00003.safetensors";
  std::filesystem::resize_file(shard, std::filesystem::file_size(shard) - 1);
  expect_error(FTRUN_INVALID_ARGUMENT, {shard.string(), "truncated", "'model.embed.weight'"},
               [&] { ModelWeights weights(folder / "model"); });
  const Path index = folder / "model/model.safetensors.index.json";
  const std::string whole = read_file(index);
  for (size_t size = 0; size + 2 < whole.size(); size += 5) {
    write_text(index, std::string_view(whole).substr(0, size));
    expect_error(FTRUN_INVALID_ARGUMENT, {index.string()}, [&] { ModelWeights weights(folder / "model"); });
  }
}

TEST(SafetensorsFaults, ChangedBytesNeverReadOutOfBounds) {
  const TemporaryFolder folder;
  const std::string whole = read_file(golden_folder() / "mixed.safetensors");
  const Path path = folder / "changed.safetensors";
  std::mt19937_64 random(4711);
  constexpr std::string_view kLikely = "0123456789[]{},:\"-.eE \\";
  size_t accepted = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string changed = whole;
    for (size_t count = 1 + random() % 3; count > 0; --count) {
      const char with = random() % 3 == 0 ? static_cast<char>(random()) : kLikely[random() % kLikely.size()];
      changed[random() % 1300] = with;
    }
    write_text(path, changed);
    accepted += static_cast<size_t>(opens(path));
  }
  EXPECT_LT(accepted, 750u);  // Most changes hit the header; a reader that accepts everything would pass otherwise.
}

TEST(SafetensorsFaults, TruncatedConfigIsAnError) {
  const Path file = golden_folder() / "config_qwen2/config.json";
  const std::string whole = read_file(file);
  EXPECT_NO_THROW(parse_model_config(whole, file));
  const size_t end = whole.find_last_of('}');
  for (size_t size = 0; size <= end; size += 3) {
    expect_error(FTRUN_INVALID_ARGUMENT, {file.string()},
                 [&] { parse_model_config(std::string_view(whole).substr(0, size), file); });
  }
}

}  // namespace
}  // namespace ftrun
