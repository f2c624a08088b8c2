// Where the reference comes from: a second model, the initial policy as a second model, or a table on disk.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "tests/paradigms/paradigm_fixture.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class Reference : public testing::Test {
 protected:
  Reference() : folder_(fs::path(testing::TempDir()) / "ftrun_reference_test") { fs::remove_all(folder_); }
  ~Reference() override { fs::remove_all(folder_); }

  ParadigmCase case_of(const std::string& golden, const std::string& paradigm) const {
    ParadigmCase given;
    given.paradigm = paradigm;
    given.rows = golden_rows(preference_golden(golden));
    given.rows.resize(14);
    given.eval_rows = {given.rows.begin() + 3, given.rows.begin() + 8};
    given.learning_rates.resize(5);
    given.cache_folder = folder_.string();
    return given;
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    if (!fs::exists(folder_)) return found;
    for (const auto& entry : fs::directory_iterator(folder_)) found.push_back(entry.path());
    return found;
  }

  static void expect_same(const ParadigmOutcome& found, const ParadigmOutcome& expected) {
    EXPECT_EQ(found.losses, expected.losses);
    EXPECT_EQ(found.norms, expected.norms);
    EXPECT_EQ(found.metrics, expected.metrics);
    EXPECT_EQ(found.evaluation, expected.evaluation);
  }

  fs::path folder_;
};

TEST_F(Reference, ATableGivesTheBitsOfTheInitialModelBesideThePolicy) {
  for (const auto& [golden, paradigm] : {std::pair{"sigmoid", "dpo"}, std::pair{"kto", "kto"}}) {
    SCOPED_TRACE(paradigm);
    ParadigmCase given = case_of(golden, paradigm);
    const ParadigmOutcome beside = run_paradigm_well(given);
    EXPECT_THAT(beside.roles, ElementsAre("policy", "reference"));
    EXPECT_TRUE(files().empty());

    given.options["precompute_ref_log_probs"] = "true";
    const ParadigmOutcome computed = run_paradigm_well(given);
    EXPECT_THAT(computed.roles, ElementsAre("policy"));
    expect_same(computed, beside);
    ASSERT_EQ(files().size(), 1U);
    EXPECT_THAT(files().front().filename().string(), HasSubstr(std::string(paradigm) + "-reference-"));

    const auto written = fs::last_write_time(files().front());
    expect_same(run_paradigm_well(given), beside);
    EXPECT_EQ(fs::last_write_time(files().front()), written) << "the table was there and was computed again";

    given.strategy = "zero3";
    given.world = 2;
    const ParadigmOutcome sharded = run_paradigm_well(given);
    for (size_t i = 0; i < beside.losses.size(); ++i) EXPECT_NEAR(sharded.losses[i], beside.losses[i], 2e-6);
    EXPECT_EQ(fs::last_write_time(files().front()), written);
    fs::remove_all(folder_);
  }
}

TEST_F(Reference, ATableOfOtherNumbersIsComputedAgain) {
  ParadigmCase given = case_of("sigmoid", "dpo");
  given.options["precompute_ref_log_probs"] = "true";
  const ParadigmOutcome expected = run_paradigm_well(given);
  ASSERT_EQ(files().size(), 1U);
  // Other weights in the same folder: a file with the right key and checksum, and the wrong numbers.
  const fs::path file = files().front();
  ParadigmCase other = given;
  other.weight_scale = 0.999;
  run_paradigm_well(other);
  ASSERT_EQ(files().size(), 1U) << "the key is the folder's name and the rows";
  expect_same(run_paradigm_well(given), expected);
  // A damaged one is no failure either.
  std::ofstream(file, std::ios::binary) << "damaged";
  expect_same(run_paradigm_well(given), expected);
  EXPECT_GT(fs::file_size(file), 100U);
}

TEST_F(Reference, WithoutAFolderTheTableStaysInMemory) {
  ParadigmCase given = case_of("sigmoid", "dpo");
  const ParadigmOutcome beside = run_paradigm_well(given);
  given.options["precompute_ref_log_probs"] = "true";
  given.cache_folder.clear();
  expect_same(run_paradigm_well(given), beside);
  given.cache_folder = "/proc/ftrun";
  expect_same(run_paradigm_well(given), beside);
}

TEST_F(Reference, DropoutInAdaptersIsRefused) {
  for (const char* paradigm : {"dpo", "kto", "rm"}) {
    ParadigmCase given = case_of("sigmoid", paradigm);
    given.host["lora_dropout"] = "0.1";
    EXPECT_THAT(run_paradigm(given).failures.at(0),
                HasSubstr("lora_dropout: this stage compares answers without noise"));
  }
}

TEST_F(Reference, LossesWithoutAReferenceAskForNone) {
  ParadigmCase given = case_of("sigmoid", "dpo");
  given.options["pref_loss"] = "simpo";
  EXPECT_THAT(run_paradigm_well(given).roles, ElementsAre("policy"));
}

TEST_F(Reference, OptionsThatExcludeEachOtherAreRefused) {
  const auto failure = [&](std::map<std::string, std::string> options) {
    ParadigmCase given = case_of("sigmoid", "dpo");
    given.options = std::move(options);
    return run_paradigm(given).failures.at(0);
  };
  EXPECT_THAT(failure({{"pref_loss", "orpo"}, {"ref_model", "x"}}),
              HasSubstr("ref_model: there is no reference model: pref_loss is 'orpo'"));
  EXPECT_THAT(failure({{"pref_loss", "hinge"}, {"dpo_label_smoothing", "0.1"}}),
              HasSubstr("dpo_label_smoothing: is for sigmoid and robust, and pref_loss is 'hinge'"));
  EXPECT_THAT(failure({{"precompute_ref_log_probs", "true"}, {"ref_model", "x"}}), HasSubstr("excludes ref_model"));
}

}  // namespace
}  // namespace ftrun::test
