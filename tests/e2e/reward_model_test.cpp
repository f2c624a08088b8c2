// Runs of rm as a user starts them: the head, scores, adapters.
// Leaves out: numbers against TRL (tests/paradigms), data formats (tests/data).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/preference_keys.h"
#include "tests/e2e/program.h"
#include "tests/e2e/training_state.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

TEST(RewardModel, NothingIsMeasuredWithAHeadThatIsNotThere) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "1"}}).exit_code, 0);
  const Keys keys = joined(pair_keys({{"stage", "rm"}, {"precompute_ref_log_probs", ""}}),
                           {{"do_train", "false"},
                            {"do_eval", "true"},
                            {"train_from_scratch", ""},
                            {"dataset", ""},
                            {"model_name_or_path", (folder / "base").string()}});
  const ProgramResult result = run_small(folder, "measured", keys);
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("measured.yaml:"), HasSubstr("model_name_or_path: '"),
                                HasSubstr("has no value_head.safetensors: it is no reward model")));
  EXPECT_FALSE(fs::exists(folder / "measured/eval_results.json"));
}

TEST(RewardModel, ANewAdapterKeepsTheHeadOfTheFormerOne) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "1"}}).exit_code, 0);
  const Keys lora = joined(pair_keys({{"stage", "rm"},
                                      {"model_name_or_path", (folder / "base").string()},
                                      {"train_from_scratch", ""},
                                      {"finetuning_type", "lora"},
                                      {"max_steps", "2"}}),
                           {{"precompute_ref_log_probs", ""}});
  ASSERT_EQ(run_small(folder, "first", lora).exit_code, 0);
  const Keys on = joined(lora, {{"adapter_name_or_path", (folder / "first").string()},
                                {"learning_rate", "0"},
                                {"seed", "8"},
                                {"max_steps", "1"}});
  for (const char* anew : {"true", "false"}) {
    const ProgramResult result = run_small(folder, "on", joined(on, {{"create_new_adapter", anew}}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(bytes_of(folder / "on/value_head.safetensors"), bytes_of(folder / "first/value_head.safetensors"));
    fs::remove_all(folder / "on");
  }
}

TEST(RewardModel, ScoresAreMeasuredSavedAndReadAgain) {
  const TestFolder folder;
  const Keys rewards =
      joined(pair_keys({{"stage", "rm"}, {"num_train_epochs", "3"}}), {{"precompute_ref_log_probs", ""}});
  const ProgramResult result = run_small(folder, "run", rewards);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* name : {"accuracy", "margin", "mean_reward", "min_reward", "max_reward"}) {
    EXPECT_EQ(logged(folder / "run", name).size(), 24U) << name;
    EXPECT_EQ(logged(folder / "run", std::string("eval_") + name).size(), 3U) << name;
  }
  EXPECT_GT(logged(folder / "run", "margin").back(), logged(folder / "run", "margin").front());
  EXPECT_TRUE(fs::exists(folder / "run/value_head.safetensors"));
  // What was saved scores as it did: a second run's first evaluation, with a learning rate that moves nothing.
  const Keys again = joined(rewards, {{"model_name_or_path", (folder / "run").string()},
                                      {"train_from_scratch", ""},
                                      {"learning_rate", "1.0e-12"},
                                      {"num_train_epochs", "1"}});
  const ProgramResult read = run_small(folder, "again", again);
  ASSERT_EQ(read.exit_code, 0) << read.err;
  EXPECT_NEAR(logged(folder / "again", "eval_margin").back(), logged(folder / "run", "eval_margin").back(), 1e-4);
  const Keys ranks = joined(rewards, {{"strategy", "zero2"}, {"nproc", "2"}, {"per_device_train_batch_size", "2"}});
  ASSERT_EQ(run_small(folder, "many", ranks).exit_code, 0);
  const auto expected = logged(folder / "run", "loss");
  const auto found = logged(folder / "many", "loss");
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 2e-5) << i;
}

}  // namespace
}  // namespace ftrun::test
