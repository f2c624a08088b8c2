// Folders noted in an adapter's files: from where relative paths are looked for.
#include "core/io/noted_folder.h"

#include "tests/io/io_fixture.h"

namespace ftrun {
namespace {

using testing::ElementsAre;

TEST(NotedFolder, ARelativePathIsLookedForFromHereAndBesideTheFile) {
  const TemporaryFolder folder;
  const Path here = std::filesystem::current_path();
  EXPECT_THAT(places_of_noted_folder("models/x", folder / "out/adapter"),
              ElementsAre(here / "models/x", folder / "out/adapter/models/x", folder / "out/models/x"));
  EXPECT_THAT(places_of_noted_folder("/models/x/", folder / "out/adapter"), ElementsAre(Path("/models/x")));
  EXPECT_THAT(places_of_noted_folder("../base", folder / "out/adapter/"),
              ElementsAre((here.parent_path() / "base"), folder / "out/base", folder / "base"));
}

TEST(NotedFolder, OneFolderReachedByTwoWaysIsOne) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "a");
  std::filesystem::create_directories(folder / "b");
  write_text(folder / "a/config.json", "{}");
  std::filesystem::create_directory_symlink(folder / "a", folder / "link");
  EXPECT_THAT(folders_with({folder / "a", folder / "link", folder / "b", folder / "none"}, "config.json"),
              ElementsAre(folder / "a"));
  write_text(folder / "b/config.json", "{}");
  EXPECT_THAT(folders_with({folder / "a", folder / "link", folder / "b"}, "config.json"),
              ElementsAre(folder / "a", folder / "b"));
}

TEST(NotedFolder, WhatIsNotedIsAbsolute) {
  EXPECT_EQ(path_to_note("models/x/"), (std::filesystem::current_path() / "models/x").string());
  EXPECT_EQ(path_to_note("/m/../n"), "/n");
  EXPECT_EQ(path_to_note(""), "");
}

}  // namespace
}  // namespace ftrun
