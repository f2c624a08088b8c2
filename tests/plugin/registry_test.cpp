// The search path: what is found, named, refused.
#include "core/plugin/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "tests/plugin/scratch_folder.h"

namespace ftrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Registry registry_of(const std::vector<std::string>& fixtures) {
  std::vector<std::filesystem::path> folders;
  for (const std::string& name : fixtures) folders.push_back(fixture_folder(name));
  return Registry(folders);
}

template <typename Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Registry, ListsByNotesWithoutLoading) {
  ::unsetenv("FTRUN_FIXTURE_LOADED");
  const Registry registry = registry_of({"good", "other_major", "without_note"});
  ASSERT_EQ(registry.listings().size(), 2u);
  EXPECT_EQ(registry.listings()[0].problem, "");
  EXPECT_THAT(registry.listings()[1].problem, HasSubstr("is built for ABI 2"));
  ASSERT_EQ(registry.rejected().size(), 1u);
  EXPECT_THAT(registry.rejected()[0].problem, HasSubstr("no ftrun note"));
  EXPECT_EQ(std::getenv("FTRUN_FIXTURE_LOADED"), nullptr);
}

TEST(Registry, UnknownPluginNamesTheNearestAndAll) {
  Registry registry = registry_of({"toys"});
  EXPECT_EQ(message_of([&] { registry.load("device", "toi", "a.yaml:3"); }),
            "a.yaml:3: unknown device 'toi' (did you mean 'toy'?); known: cpu, toy");
  EXPECT_EQ(message_of([&] { registry.load("reward", "x", "--reward"); }),
            "--reward: unknown reward 'x'; there is no reward plugin on the search path");
}

TEST(Registry, DuplicateIdsAreRefusedNamingBothFiles) {
  Registry registry = registry_of({"good", "same_id"});
  EXPECT_EQ(message_of([&] { registry.load("reward", "sample"); }),
            fmt::format("plugin 'reward/sample' is provided twice: by {} and by {}", fixture("good").string(),
                        fixture("same_id").string()));
  ASSERT_EQ(registry.listings().size(), 2u);
  EXPECT_EQ(registry.listings()[0].problem,
            "'reward/sample' is provided twice, also by " + registry.listings()[1].file.string());
  EXPECT_EQ(registry.listings()[1].problem,
            "'reward/sample' is provided twice, also by " + registry.listings()[0].file.string());
}

TEST(Registry, TheSameFileTwiceIsNoDuplicate) {
  const ScratchFolder folder;
  std::filesystem::create_symlink(fixture("good"), folder.path() / "link.so");
  const std::vector<std::filesystem::path> path = {fixture_folder("good"), folder.path(), fixture("good")};
  Registry registry(path);
  EXPECT_EQ(registry.listings().size(), 1u);
  EXPECT_EQ(registry.load("reward", "sample").id(), "sample");
}

TEST(Registry, UnsafeFilesAreListedAndRefusedWhenUsed) {
  const ScratchFolder folder;
  const auto file = folder.copy(fixture("good"), "plugin.so");
  ::chmod(file.c_str(), 0777);
  const std::vector<std::filesystem::path> path = {folder.path()};
  Registry registry(path);
  ASSERT_EQ(registry.listings().size(), 1u);
  EXPECT_THAT(registry.listings()[0].problem, HasSubstr("others may write it"));
  EXPECT_THAT(message_of([&] { registry.load("reward", "sample"); }), HasSubstr("others may write it (mode 777)"));
  const std::vector<std::filesystem::path> direct = {file};
  EXPECT_THAT(message_of([&] { Registry refused(direct); }), HasSubstr("others may write it"));
}

TEST(Registry, AFileOnThePathMustBeAPlugin) {
  const ScratchFolder folder;
  const std::vector<std::filesystem::path> path = {folder.write("text.so", std::string(100, 'x'))};
  EXPECT_EQ(message_of([&] { Registry registry(path); }),
            path[0].string() + ": not an ELF file: this is no plugin library");
}

TEST(Registry, FindsNetworksByArchitecture) {
  Registry registry = registry_of({"toys"});
  const std::vector<std::string> known = {"Unknown", "ToyModel"};
  EXPECT_EQ(registry.find_network(known, "m/config.json").id(), "toy_network");
  const std::vector<std::string> unknown = {"ToyForCausalML"};
  EXPECT_EQ(message_of([&] { registry.find_network(unknown, "m/config.json"); }),
            "m/config.json: architectures: no network plugin computes 'ToyForCausalML'; supported: ToyForCausalLM, "
            "ToyModel");
}

TEST(Registry, KnowsTheOwnersOfAKey) {
  Registry registry = registry_of({"toys", "good"});
  EXPECT_THAT(registry.key_owners("other_key"), ElementsAre("paradigm 'sorting'"));
  EXPECT_THAT(registry.key_owners("toy_clock"), ElementsAre("device 'cpu'", "device 'toy'"));
  EXPECT_THAT(registry.key_owners("extra"), ElementsAre("reward 'sample'"));
  EXPECT_THAT(registry.key_owners("nobodys"), ElementsAre());
}

TEST(SearchPath, IsGivenThenEnvironmentThenInstall) {
  ::setenv("FTRUN_PLUGIN_PATH",
           fmt::format("{}::{}", fixture_folder("toys").string(), fixture_folder("good").string()).c_str(), 1);
  const std::vector<std::string> given = {fixture_folder("good").string()};
  const auto path = plugin_search_path(given);
  ::unsetenv("FTRUN_PLUGIN_PATH");
  ASSERT_GE(path.size(), 2u);
  EXPECT_EQ(path[0], fixture_folder("good"));
  EXPECT_EQ(path[1], fixture_folder("toys"));
  const std::vector<std::string> absent = {"/no/such/folder"};
  EXPECT_EQ(
      message_of([&] { plugin_search_path(absent); }),
      "plugin_path: '/no/such/folder' (No such file or directory): expected a plugin library or a folder of them");
}

}  // namespace
}  // namespace ftrun
