// Checkpoints of runs as a user starts them: resuming bit for bit, which are kept, which are set aside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"
#include "tests/e2e/training_state.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

class Resume : public testing::TestWithParam<std::map<std::string, std::string>> {};

TEST_P(Resume, ContinuesBitForBit) {
  const TestFolder folder;
  std::map<std::string, std::string> keys = GetParam();
  keys["save_strategy"] = "steps";
  keys["save_steps"] = "5";
  keys["num_train_epochs"] = "2";
  ASSERT_EQ(run_small(folder, "whole", keys).exit_code, 0);
  keys["resume_from_checkpoint"] = (folder / "whole/checkpoint-15").string();
  const ProgramResult resumed = run_small(folder, "resumed", keys);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(bytes_of(folder / "whole/model.safetensors"), bytes_of(folder / "resumed/model.safetensors"));
  EXPECT_EQ(logged(folder / "whole", "loss"), logged(folder / "resumed", "loss"));
}

INSTANTIATE_TEST_SUITE_P(
    Modes, Resume,
    testing::Values(std::map<std::string, std::string>{}, std::map<std::string, std::string>{{"bf16", "true"}},
                    std::map<std::string, std::string>{{"bf16", "true"}, {"save_dtype", "bfloat16"}},
                    std::map<std::string, std::string>{{"pure_bf16", "true"}, {"save_dtype", "bfloat16"}},
                    std::map<std::string, std::string>{{"neat_packing", "true"}, {"max_samples", "1200"}}));

TEST(Checkpoints, LimitBestAndEarlyStopping) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run",
                                         {{"val_size", "16"},
                                          {"eval_strategy", "steps"},
                                          {"eval_steps", "2"},
                                          {"save_strategy", "steps"},
                                          {"save_steps", "2"},
                                          {"save_total_limit", "1"},
                                          {"load_best_model_at_end", "true"},
                                          {"early_stopping_steps", "2"},
                                          {"learning_rate", "0.3"},
                                          {"num_train_epochs", "8"},
                                          {"lr_scheduler_type", "constant"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("stopping early"));
  const json state = read_json(folder / "run/trainer_state.json");
  const fs::path best = state.at("best_model_checkpoint").get<std::string>();
  ASSERT_TRUE(fs::exists(best)) << "the best checkpoint was removed";
  EXPECT_EQ(bytes_of(best / "model.safetensors"), bytes_of(folder / "run/model.safetensors"));
  int checkpoints = 0;
  for (const auto& entry : fs::directory_iterator(folder / "run")) {
    checkpoints += entry.path().filename().string().rfind("checkpoint-", 0) == 0 ? 1 : 0;
  }
  EXPECT_LE(checkpoints, 2);
  const json evaluation = read_json(folder / "run/eval_results.json");
  EXPECT_NEAR(evaluation.at("eval_loss").get<double>(), state.at("best_metric").get<double>(), 1e-6);
}

TEST(Checkpoints, TheBestEvaluationIsKeptWhereverItWas) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run",
                                         {{"val_size", "16"},
                                          {"eval_strategy", "steps"},
                                          {"eval_steps", "1"},
                                          {"save_strategy", "steps"},
                                          {"save_steps", "6"},
                                          {"load_best_model_at_end", "true"},
                                          {"learning_rate", "0.3"},
                                          {"lr_scheduler_type", "constant"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json state = read_json(folder / "run/trainer_state.json");
  const int64_t best_step = state.at("best_global_step");
  ASSERT_NE(best_step % 6, 0) << "the test needs a best evaluation between saves";
  ASSERT_NE(best_step, state.at("global_step"));
  const fs::path best = state.at("best_model_checkpoint").get<std::string>();
  ASSERT_TRUE(fs::is_directory(best)) << best;
  EXPECT_EQ(bytes_of(best / "model.safetensors"), bytes_of(folder / "run/model.safetensors"));
  EXPECT_DOUBLE_EQ(read_json(folder / "run/eval_results.json").at("eval_loss"), state.at("best_metric"));
  EXPECT_THAT(checkpoints_in(folder / "run"),
              testing::UnorderedElementsAre(best.filename().string(), "checkpoint-6", "checkpoint-10"))
      << "earlier bests between saves are removed";
}

TEST(Checkpoints, ADamagedOneIsNamedSkippedAndSetAside) {
  const TestFolder folder;
  std::map<std::string, std::string> keys = {{"save_strategy", "steps"}, {"save_steps", "5"}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  const std::string whole = bytes_of(folder / "run/model.safetensors");
  const fs::path newest = folder / "run/checkpoint-12/optimizer-00000.safetensors";
  std::string bytes = bytes_of(newest);
  bytes[bytes.size() - 1000] = static_cast<char>(bytes[bytes.size() - 1000] ^ 4);
  write_text(newest, bytes);
  keys["resume_from_checkpoint"] = (folder / "run/checkpoint-12").string();
  const ProgramResult refused = run_small(folder, "other", keys);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("the content of 'optimizer-00000.safetensors' is not what was written"));
  keys["resume_from_checkpoint"] = "true";
  const ProgramResult resumed = run_small(folder, "run", keys);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("run/checkpoint-12' is damaged and not resumed from: the content of 'optimizer"));
  EXPECT_THAT(resumed.err, HasSubstr("run/checkpoint-10' at step 10"));
  EXPECT_TRUE(bytes_of(folder / "run/checkpoint-12.damaged/optimizer-00000.safetensors") == bytes);
  EXPECT_TRUE(bytes_of(folder / "run/model.safetensors") == whole);
}

TEST(Checkpoints, StepsAsRatiosOfTheRun) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run",
                                         {{"max_steps", "11"},
                                          {"logging_steps", "0.25"},
                                          {"save_strategy", "steps"},
                                          {"save_steps", "0.4"},
                                          {"val_size", "8"},
                                          {"eval_strategy", "steps"},
                                          {"eval_steps", "0.5"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json state = read_json(folder / "run/trainer_state.json");
  EXPECT_EQ(state.at("logging_steps"), 3);
  EXPECT_EQ(state.at("save_steps"), 5);
  EXPECT_EQ(state.at("eval_steps"), 6);
  for (const char* name : {"run/checkpoint-5", "run/checkpoint-10", "run/checkpoint-11"}) {
    EXPECT_TRUE(fs::exists(folder / name)) << name;
  }
  EXPECT_FALSE(fs::exists(folder / "run/checkpoint-4"));
}

TEST(Checkpoints, OneChangedTokenOfTheDataIsNoticedOnResume) {
  const TestFolder folder;
  std::string rows = bytes_of(fs::path(FTRUN_SOURCE_DIR) / "configs/demo/train.jsonl");
  const fs::path data = write_text(folder / "rows.jsonl", rows);
  const std::map<std::string, std::string> keys = {
      {"save_strategy", "steps"}, {"save_steps", "2"}, {"max_steps", "2"}, {"dataset", data.string()}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  const size_t digit = rows.find_first_of("0123456789", rows.find('\n', 4000));
  rows[digit] = rows[digit] == '7' ? '3' : '7';
  write_text(data, rows);
  auto changed = keys;
  changed["resume_from_checkpoint"] = (folder / "run/checkpoint-2").string();
  const ProgramResult refused = run_small(folder, "resumed", changed);
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("is not what this run was made with"));
}

TEST(Checkpoints, ChangedSettingsAreNamedOnResume) {
  const TestFolder folder;
  const std::map<std::string, std::string> keys = {{"save_strategy", "steps"}, {"save_steps", "5"}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  const std::string checkpoint = (folder / "run/checkpoint-5").string();
  auto changed = keys;
  changed["resume_from_checkpoint"] = checkpoint;
  const ProgramResult same = run_small(folder, "same", changed);
  ASSERT_EQ(same.exit_code, 0) << same.err;
  EXPECT_THAT(same.err, testing::Not(HasSubstr("resuming with other settings")));
  changed["learning_rate"] = "0.001";  // the same value in other words
  changed["weight_decay"] = "0.5";
  changed["save_dtype"] = "bfloat16";
  const ProgramResult other = run_small(folder, "other", changed);
  ASSERT_EQ(other.exit_code, 0) << other.err;
  EXPECT_THAT(other.err,
              HasSubstr("resuming with other settings than the checkpoint was made with: save_dtype: auto -> "
                        "bfloat16, weight_decay: 0.0 -> 0.5\n"));
}

TEST(Checkpoints, LaterOnesOfAnotherWayAreSetAside) {
  const TestFolder folder;
  std::map<std::string, std::string> keys = {{"save_strategy", "steps"}, {"save_steps", "2"}, {"max_steps", "8"}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  keys["resume_from_checkpoint"] = (folder / "run/checkpoint-2").string();
  keys["save_total_limit"] = "1";
  keys["learning_rate"] = "0.01";
  keys["max_steps"] = "4";
  const ProgramResult again = run_small(folder, "run", keys);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(checkpoints_in(folder / "run"),
              testing::UnorderedElementsAre("checkpoint-4", "checkpoint-4.superseded", "checkpoint-6.superseded",
                                            "checkpoint-8.superseded"));
  EXPECT_THAT(again.err, HasSubstr("checkpoint-8' was made after step 2"));
}

TEST(Checkpoints, TheBestIsFoundAfterTheFolderMoved) {
  const TestFolder folder;
  std::map<std::string, std::string> keys = {
      {"val_size", "16"},  {"eval_strategy", "steps"},         {"eval_steps", "2"}, {"save_strategy", "steps"},
      {"save_steps", "2"}, {"load_best_model_at_end", "true"}, {"max_steps", "6"}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  const json before = read_json(folder / "run/trainer_state.json");
  fs::rename(folder / "run", folder / "moved");
  keys["resume_from_checkpoint"] = "true";
  keys["max_steps"] = "8";
  keys["learning_rate"] = "0.5";
  const ProgramResult resumed = run_small(folder, "moved", keys);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, testing::Not(HasSubstr("is gone")));
  const json after = read_json(folder / "moved/trainer_state.json");
  EXPECT_EQ(after.at("best_metric"), before.at("best_metric"));
  EXPECT_TRUE(fs::is_directory(after.at("best_model_checkpoint").get<std::string>()));
}

TEST(Checkpoints, WithoutOptimizerStateTheyAreNotResumed) {
  const TestFolder folder;
  std::map<std::string, std::string> keys = {
      {"save_strategy", "steps"}, {"save_steps", "2"}, {"max_steps", "2"}, {"save_only_model", "true"}};
  ASSERT_EQ(run_small(folder, "run", keys).exit_code, 0);
  keys["resume_from_checkpoint"] = "true";
  const ProgramResult refused = run_small(folder, "run", keys);
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("resume_from_checkpoint"));
  EXPECT_THAT(refused.err, HasSubstr("was save_only_model on?"));
}

}  // namespace
}  // namespace ftrun::test
