// ~ and ${NAME} in paths, and what is refused there.
#include "core/base/path_text.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/base/error.h"

namespace ftrun {
namespace {

class PathText : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("HOME", "/home/u", 1);
    ::setenv("FTRUN_TEST_ROOT", "/data/$x", 1);
    ::setenv("FTRUN_TEST_EMPTY", "", 1);
    ::unsetenv("FTRUN_TEST_UNSET");
  }
  static std::string refusal_of(std::string_view written) {
    try {
      return "read as " + expand_path(written, "a.yaml:3: output_dir");
    } catch (const Error& error) {
      EXPECT_EQ(exit_code_of(error.code()), 2);
      return error.what();
    }
  }
};

TEST_F(PathText, ALeadingTildeIsTheHomeFolder) {
  EXPECT_EQ(expand_path("~", "k"), "/home/u");
  EXPECT_EQ(expand_path("~/x", "k"), "/home/u/x");
  for (const char* kept : {"", "x", "./~/x", "a/~", "x~", "/x/y z", "a~b/~c"}) EXPECT_EQ(expand_path(kept, "k"), kept);
  EXPECT_EQ(refusal_of("~other/x"),
            "a.yaml:3: output_dir: '~other/x': a ~ before a name is not looked up: write the folder itself, or ./~ for "
            "a name that begins so");
  ::unsetenv("HOME");
  EXPECT_EQ(refusal_of("~/x"), "a.yaml:3: output_dir: '~/x': the environment variable HOME is not set");
}

TEST_F(PathText, VariablesInBracesAreReadOnce) {
  EXPECT_EQ(expand_path("${FTRUN_TEST_ROOT}/a", "k"), "/data/$x/a");
  EXPECT_EQ(expand_path("~/${FTRUN_TEST_ROOT}", "k"), "/home/u//data/$x");
  EXPECT_EQ(expand_path("a$$b/$/c$", "k"), "a$b/$/c$");
  EXPECT_EQ(refusal_of("${FTRUN_TEST_UNSET}/x"),
            "a.yaml:3: output_dir: '${FTRUN_TEST_UNSET}/x': the environment variable FTRUN_TEST_UNSET is not set");
  EXPECT_EQ(refusal_of("${FTRUN_TEST_EMPTY}/x"),
            "a.yaml:3: output_dir: '${FTRUN_TEST_EMPTY}/x': the environment variable FTRUN_TEST_EMPTY is empty");
  EXPECT_EQ(refusal_of("/x/$HOME"),
            "a.yaml:3: output_dir: '/x/$HOME': write ${HOME} for an environment variable, $$ for a $ that belongs to "
            "the name");
  for (const char* open : {"${", "${}", "${HOME", "${HOME:-/x}", "${1}", "${A B}"}) {
    EXPECT_EQ(refusal_of(open), fmt::format("a.yaml:3: output_dir: '{}': expected ${{NAME}} with the name of an "
                                            "environment variable, $$ for a $ itself",
                                            open));
  }
}

TEST_F(PathText, WhatWasExpandedCanBeWrittenAgain) {
  for (const char* path : {"/x/$HOME/${A}$$", "plain", "$", ""}) {
    EXPECT_EQ(expand_path(unexpanded_path(path), "k"), path);
  }
  EXPECT_EQ(expand_path(unexpanded_path("~/x"), "k"), "./~/x");
}

TEST_F(PathText, ControlCharactersAreNoPartOfAPath) {
  EXPECT_EQ(refusal_of(std::string_view("/x/a\0b", 6)),
            "a.yaml:3: output_dir: '/x/a\\x00b': the character 0x00 is not part of a path");
  EXPECT_EQ(refusal_of("a\x1b[2J"), "a.yaml:3: output_dir: 'a\\x1B[2J': the character 0x1B is not part of a path");
  ::setenv("FTRUN_TEST_ROOT", "/x\ny", 1);
  EXPECT_EQ(refusal_of("${FTRUN_TEST_ROOT}"),
            "a.yaml:3: output_dir: '/x\ny': the character 0x0A is not part of a path");
}

}  // namespace
}  // namespace ftrun
