// Writing: any order, any pieces, refusals, nothing left behind, random round trips.
#include "core/io/safetensors_writer.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <csignal>
#include <random>

#include "core/io/disk_space.h"
#include "tests/io/io_fixture.h"

namespace ftrun {
namespace {

size_t files_in(const Path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(SafetensorsWriter, TakesPiecesInAnyOrder) {
  const TemporaryFolder folder;
  const std::vector<std::byte> a = patterned(24, 1);
  const std::vector<std::byte> b = patterned(6, 2);
  {
    SafetensorsWriter writer(
        folder / "x.safetensors",
        {{"a", StoredDtype::kF32, {2, 3}}, {"b", StoredDtype::kBF16, {3}}, {"e", StoredDtype::kU8, {0}}});
    writer.write("b", std::span(b).first(1));
    writer.write("a", std::span(a).first(10));
    writer.write("b", std::span(b).subspan(1));
    writer.write("a", std::span(a).subspan(10));
    EXPECT_FALSE(std::filesystem::exists(folder / "x.safetensors"));
    writer.finish();
    EXPECT_EQ(writer.file_bytes(), std::filesystem::file_size(folder / "x.safetensors"));
  }
  EXPECT_EQ(files_in(folder.path()), 1u);
  const SafetensorsFile file(folder / "x.safetensors");
  EXPECT_THAT(file.require("a").bytes, testing::ElementsAreArray(a));
  EXPECT_THAT(file.require("b").bytes, testing::ElementsAreArray(b));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.require("a").bytes.data()) % 8, 0u);
}

TEST(SafetensorsWriter, RefusesMisuseAndLeavesNothing) {
  const TemporaryFolder folder;
  const std::vector<std::byte> bytes = patterned(16, 1);
  {
    SafetensorsWriter writer(folder / "x.safetensors", {{"weight", StoredDtype::kF32, {3}}});
    expect_error(FTRUN_INVALID_ARGUMENT, {"'wieght'", "did you mean 'weight'"}, [&] { writer.write("wieght", bytes); });
    expect_error(FTRUN_INVALID_ARGUMENT, {"'weight'", "16 bytes after 0 of 12", "F32 [3]"},
                 [&] { writer.write("weight", bytes); });
    writer.write("weight", std::span(bytes).first(11));
    expect_error(FTRUN_FAILED_PRECONDITION, {"'weight'", "11 of 12"}, [&] { writer.finish(); });
  }
  EXPECT_EQ(files_in(folder.path()), 0u);
  const auto layout = [](std::vector<TensorSpec> tensors) { return layout_safetensors(tensors, {}); };
  expect_error(FTRUN_INVALID_ARGUMENT, {"'a'", "twice"}, [&] {
    layout({{"a", StoredDtype::kU8, {1}}, {"a", StoredDtype::kU8, {1}}});
  });
  expect_error(FTRUN_INVALID_ARGUMENT, {"__metadata__"}, [&] { layout({{"__metadata__", StoredDtype::kU8, {1}}}); });
  expect_error(FTRUN_INVALID_ARGUMENT, {"UTF-8"}, [&] { layout({{"\xff", StoredDtype::kU8, {1}}}); });
  expect_error(FTRUN_INVALID_ARGUMENT, {"'a'", "[-1]"}, [&] { layout({{"a", StoredDtype::kU8, {-1}}}); });
  expect_error(FTRUN_INVALID_ARGUMENT, {"63 bits"}, [&] {
    layout({{"a", StoredDtype::kU8, {INT64_MAX}}, {"b", StoredDtype::kU8, {INT64_MAX}}});
  });
}

TEST(SafetensorsWriter, ChecksTheDiskFirst) {
  const TemporaryFolder folder;
  const uint64_t available = available_disk_bytes(folder.path());
  const auto too_large = static_cast<int64_t>(available + (uint64_t{1} << 40));
  expect_error(FTRUN_RESOURCE_EXHAUSTED, {"x.safetensors needs", "are available", "TB"}, [&] {
    SafetensorsWriter writer(folder / "x.safetensors", {{"a", StoredDtype::kU8, {too_large}}});
  });
  EXPECT_EQ(files_in(folder.path()), 0u);
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1'500'000'000), "1.50 GB");
}

// A limit on the file size stands in for a disk that fills up in the middle.
TEST(SafetensorsWriter, FullDiskLeavesNothing) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit limit = {4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
    int verdict = 1;
    try {
      SafetensorsWriter writer(folder / "x.safetensors", {{"a", StoredDtype::kU8, {100'000}}});
      writer.write("a", patterned(100'000, 1));
    } catch (const Error& error) {
      verdict = error.code() == FTRUN_DATA_LOSS ? 0 : 2;
    }
    ::_exit(verdict);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(files_in(folder.path()), 0u);
}

std::vector<TensorSpec> random_specs(std::mt19937_64& random) {
  std::vector<TensorSpec> specs;
  const size_t count = random() % 9;
  for (size_t i = 0; i < count; ++i) {
    TensorSpec spec{fmt::format("t{}", i), static_cast<StoredDtype>(random() % 15), {}};
    for (size_t axes = random() % 4; axes > 0; --axes) spec.shape.push_back(static_cast<int64_t>(random() % 6));
    if (random() % 4 == 0) spec.name += "\xc3\xa9\"\\\x01";
    specs.push_back(spec);
  }
  return specs;
}

TEST(SafetensorsWriter, RandomRoundTrips) {
  const TemporaryFolder folder;
  std::mt19937_64 random(20240517);
  for (int round = 0; round < 50; ++round) {
    SCOPED_TRACE(round);
    const std::vector<TensorSpec> specs = random_specs(random);
    const Path path = folder / "x.safetensors";
    SafetensorsWriter writer(path, specs, {{"round", std::to_string(round)}});
    for (size_t i = specs.size(); i > 0; --i) {
      const std::vector<std::byte> bytes = patterned(tensor_bytes(specs[i - 1]), i);
      const size_t cut = bytes.empty() ? 0 : random() % bytes.size();
      writer.write(specs[i - 1].name, std::span(bytes).first(cut));
      writer.write(specs[i - 1].name, std::span(bytes).subspan(cut));
    }
    writer.finish();
    const SafetensorsFile file(path);
    ASSERT_EQ(file.tensors().size(), specs.size());
    for (size_t i = 0; i < specs.size(); ++i) {
      const TensorEntry& entry = file.require(specs[i].name);
      EXPECT_EQ(entry.dtype, specs[i].dtype);
      EXPECT_EQ(entry.shape, specs[i].shape);
      EXPECT_THAT(entry.bytes, testing::ElementsAreArray(patterned(tensor_bytes(specs[i]), i + 1)));
    }
  }
}

}  // namespace
}  // namespace ftrun
