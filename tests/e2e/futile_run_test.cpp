// Runs that nothing can come of say so, with counts and the key, in `check` and while running; none is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using Keys = std::map<std::string, std::string>;

/// Expects the warning once in `check` and once in the run, which ends with 0.
void expect_said(const Keys& changes, const std::string& pattern) {
  const TestFolder folder;
  Keys keys = {{"max_steps", "3"}, {"warmup_steps", ""}};
  for (const auto& [key, value] : changes) keys[key] = value;
  const fs::path config = write_text(folder / "run.yaml", small_config(folder / "run", keys));
  for (const std::string command : {"check", "train"}) {
    SCOPED_TRACE(command);
    const ProgramResult result = run_ftrun({command, "--config", config.string()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, ContainsRegex("WARNING.*" + pattern));
    EXPECT_THAT(result.err, Not(ContainsRegex(pattern + "(.|\n)*" + pattern))) << "said twice";
  }
}

/// `rows` rows of an instruction and an output, each given by its number.
fs::path write_rows(const TestFolder& folder, int rows, const std::function<std::string(int)>& instruction,
                    const std::function<std::string(int)>& output) {
  std::string text;
  for (int row = 0; row < rows; ++row) {
    text += R"({"instruction": ")" + instruction(row) + R"(", "output": ")" + output(row) + "\"}\n";
  }
  return write_text(folder / "rows.jsonl", text);
}

std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "rain ";
  return text;
}

TEST(Futile, ACutThatTakesHeadersOrEnds) {
  const TestFolder folder;
  const auto brief = [](int) { return std::string("ab"); };
  const auto data = write_rows(
      folder, 8, [](int row) { return words(row < 5 ? 60 : 3); }, brief);
  expect_said({{"dataset", data.string()}, {"cutoff_len", "24"}},
              "run.yaml:[0-9]+: cutoff_len: 5 of 8 rows lost the end of a prompt .*rows.jsonl:1, ");
  const TestFolder other;
  const auto answers = write_rows(other, 8, brief, [](int row) { return words(row < 5 ? 60 : 3); });
  expect_said({{"dataset", answers.string()}, {"cutoff_len", "24"}},
              "run.yaml:[0-9]+: cutoff_len: 5 of 8 rows lost the end of an answer \\(EOS\\)");
}

TEST(Futile, EmptyAnswers) {
  const TestFolder folder;
  const auto data = write_rows(
      folder, 8, [](int row) { return row == 7 ? "" : "ab"; }, [](int row) { return row < 2 ? " " : "cd"; });
  expect_said({{"dataset", data.string()}},
              "run.yaml:[0-9]+: dataset: the answer of 2 of 8 rows is empty.*rows.jsonl:1, .*rows.jsonl:2");
  const fs::path config = write_text(folder / "run.yaml", small_config(folder / "run", {{"dataset", data.string()}}));
  const ProgramResult ledger = run_ftrun({"data", "--config", config.string()});
  EXPECT_THAT(ledger.out, ContainsRegex("2 have an empty answer\n .*rows.jsonl:1\n .*rows.jsonl:2\n"));
  EXPECT_THAT(ledger.out, ContainsRegex("1 have an empty prompt\n .*rows.jsonl:8\n"));
}

TEST(Futile, LearningRatesThatAreNone) {
  expect_said({{"learning_rate", "0"}}, "run.yaml:[0-9]+: learning_rate: is 0: no update changes a weight");
  expect_said(
      {{"warmup_steps", "50"}},
      "run.yaml:[0-9]+: warmup_steps: 50 updates of warm-up in a run of 3: the learning rate rises to 4e-05 and "
      "never is the 0.001");
  expect_said({{"warmup_ratio", "1"}, {"max_steps", "1"}},
              "run.yaml:[0-9]+: warmup_ratio: 1 update of warm-up in a run of 1: the learning rate stays 0");
}

TEST(Futile, AnEvaluationOfTheTrainingRows) {
  expect_said({{"eval_dataset", "demo_train"}, {"do_eval", "true"}},
              "run.yaml:[0-9]+: eval_dataset: its 96 rows are those that are trained on");
}

TEST(Futile, RowsThatAreMostlyDropped) {
  const TestFolder folder;
  const auto data = write_rows(
      folder, 8, [](int row) { return row < 5 ? R"(a", "history": "no list)" : "ab"; },
      [](int) { return std::string("cd"); });
  expect_said({{"dataset", data.string()}, {"max_bad_rows", "5"}},
              "run.yaml:[0-9]+: dataset: 5 of 8 rows are dropped: 5 do not fit the format");
}

TEST(Futile, AnUpdateWithoutAnyGradient) {
  const TestFolder folder;
  std::string rows;
  for (int row = 0; row < 16; ++row) {
    rows += R"({"instruction": "ab )" + std::to_string(row) + R"(", "output": "cd", "kto_tag": true})" + "\n";
  }
  const fs::path data = write_text(folder / "rows.jsonl", rows);
  const Keys keys = {{"stage", "kto"},
                     {"dataset", data.string()},
                     {"kto_chosen_weight", "0"},
                     {"per_device_train_batch_size", "4"},
                     {"gradient_accumulation_steps", "1"},
                     {"max_steps", "3"}};
  const ProgramResult result = run_small(folder, "run", keys);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err,
              ContainsRegex("WARNING.*step 1: grad_norm is exactly 0.*kto_chosen_weight \\(.*run.yaml:[0-9]+\\), "
                            "finetuning_type \\("));
  EXPECT_THAT(result.err, Not(HasSubstr("step 2: grad_norm is exactly 0"))) << "said twice";
}

TEST(Futile, HealthyRunsHaveNoWarning) {
  const TestFolder folder;
  for (const Keys& keys : {Keys{}, Keys{{"val_size", "8"}, {"do_eval", "true"}},
                           Keys{{"finetuning_type", "lora"}, {"train_from_scratch", ""}}}) {
    Keys all = {{"max_steps", "4"}, {"num_train_epochs", ""}, {"overwrite_output_dir", "true"}};
    if (keys.contains("finetuning_type")) all["model_name_or_path"] = (folder / "run").string();
    all.insert(keys.begin(), keys.end());
    const ProgramResult result = run_small(folder, keys.contains("finetuning_type") ? "lora" : "run", all);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, Not(HasSubstr("WARNING"))) << result.err;
  }
}

TEST(Futile, ShippedConfigurationsAreNot) {
  const TestFolder folder;
  int composed = 0;
  for (const char* part : {"configs", "configs/distributed", "configs/pipeline"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(FTRUN_SOURCE_DIR) / part)) {
      if (entry.path().extension() != ".yaml") continue;
      const ProgramResult result = run_ftrun({"check", "--config", entry.path().string(), "--cache_dir",
                                              (folder / "cache").string(), "--output_dir", (folder / "out").string()});
      EXPECT_THAT(result.err,
                  Not(ContainsRegex("WARNING.*: (cutoff_len|dataset|eval_dataset|learning_rate|warmup_[a-z]+): ")))
          << entry.path();
      composed += result.exit_code == 0 ? 1 : 0;
    }
  }
  EXPECT_GE(composed, 12) << "those that begin with another's model cannot be composed without it (config_test.cpp)";
}

}  // namespace
}  // namespace ftrun::test
