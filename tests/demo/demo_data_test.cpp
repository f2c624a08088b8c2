// The committed demo data: made by the committed generator bit for bit, split without leaks, every answer right.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "configs/demo/generator/demo_files.h"
#include "core/base/files.h"
#include "tests/demo/answer_checker.h"

namespace ftrun {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(FTRUN_SOURCE_DIR) / "configs/demo";

std::vector<nlohmann::json> read_rows(const std::string& name) {
  std::istringstream stream(read_file(kFolder / name));
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(stream, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

/// What the templates make of a row: instruction, then the input on its own line.
std::string prompt_of(const nlohmann::json& row) {
  const std::string input = row.at("input");
  return row.at("instruction").get<std::string>() + (input.empty() ? "" : "\n" + input);
}

std::set<std::string> prompts_of(const std::vector<nlohmann::json>& rows) {
  std::set<std::string> prompts;
  for (const nlohmann::json& row : rows) prompts.insert(prompt_of(row));
  return prompts;
}

void expect_committed(const std::map<std::string, std::string>& files) {
  for (const auto& [name, content] : files) {
    EXPECT_TRUE(read_file(kFolder / name) == content) << name << " differs; run ftrun_demo_data configs/demo";
  }
}

TEST(DemoData, GeneratorMakesTheCommittedRows) {
  expect_committed(demo::make_data_files(demo::make_rows(demo::kCommittedSeed)));
}

TEST(DemoData, GeneratorMakesTheCommittedModelFolder) {
  expect_committed(demo::make_model_files(demo::make_rows(demo::kCommittedSeed)));
}

TEST(DemoData, SeedDecidesTheRows) {
  const auto rows = [](uint64_t seed) { return demo::make_data_files(demo::make_rows(seed)).at("train.jsonl"); };
  EXPECT_TRUE(rows(1) == rows(1));
  EXPECT_FALSE(rows(1) == rows(2));
}

TEST(DemoData, NoEvaluationPromptIsTrained) {
  const auto train = prompts_of(read_rows("train.jsonl"));
  const auto eval_rows = read_rows("eval.jsonl");
  const auto eval = prompts_of(eval_rows);
  EXPECT_EQ(eval.size(), eval_rows.size()) << "an evaluation prompt is asked twice";
  for (const std::string& prompt : eval) EXPECT_FALSE(train.contains(prompt)) << prompt;
}

TEST(DemoData, TrainingPromptsAreDistinctAndFit) {
  const auto rows = read_rows("train.jsonl");
  EXPECT_EQ(prompts_of(rows).size(), rows.size());
  EXPECT_GE(rows.size(), 4000u);
  EXPECT_LT(std::filesystem::file_size(kFolder / "train.jsonl"), 500u * 1000u);
}

TEST(DemoData, EveryAnswerIsRight) {
  for (const char* name : {"train.jsonl", "eval.jsonl"}) {
    for (const nlohmann::json& row : read_rows(name)) {
      EXPECT_EQ(row.at("output").get<std::string>(), demo_test::answer(prompt_of(row))) << name << ": " << row.dump();
    }
  }
}

TEST(DemoData, ChosenAndDesirableAnswersAreRightAndTheOthersAreNot) {
  for (const std::string part : {"train", "eval"}) {
    for (const nlohmann::json& row : read_rows("pairs_" + part + ".jsonl")) {
      EXPECT_EQ(row.at("chosen").get<std::string>(), demo_test::answer(prompt_of(row))) << row.dump();
      EXPECT_NE(row.at("rejected"), row.at("chosen")) << row.dump();
    }
    int64_t right = 0;
    const auto rows = read_rows("labelled_" + part + ".jsonl");
    for (const nlohmann::json& row : rows) {
      const bool is_right = row.at("output").get<std::string>() == demo_test::answer(prompt_of(row));
      EXPECT_EQ(row.at("kto_tag").get<bool>(), is_right) << row.dump();
      right += is_right ? 1 : 0;
    }
    EXPECT_GT(right * 3, static_cast<int64_t>(rows.size()));
    EXPECT_LT(right * 3, static_cast<int64_t>(2 * rows.size()));
  }
}

TEST(DemoData, EvaluationPromptsAreInNoTrainingFile) {
  const auto eval = prompts_of(read_rows("eval.jsonl"));
  for (const char* name : {"pairs_train.jsonl", "labelled_train.jsonl"}) {
    for (const std::string& prompt : prompts_of(read_rows(name))) EXPECT_FALSE(eval.contains(prompt)) << prompt;
  }
  const std::string text = read_file(kFolder / "text_train.txt");
  for (const nlohmann::json& row : read_rows("eval.jsonl")) {
    const std::string input = row.at("input");
    const std::string question = row.at("instruction").get<std::string>() + (input.empty() ? "" : " " + input);
    EXPECT_EQ(("\n" + text).find("\n" + question + " Answer:"), std::string::npos) << question;
  }
}

TEST(DemoData, NoTaskIsMostOfTheEvaluation) {
  const auto rows = read_rows("eval.jsonl");
  std::map<std::string, size_t> count;
  for (const nlohmann::json& row : rows) ++count[row.at("task").get<std::string>()];
  EXPECT_GE(count.size(), 10u);
  for (const auto& [task, n] : count) EXPECT_LE(n * 5, rows.size()) << task;
}

TEST(AnswerChecker, RejectsWhatItDoesNotKnow) { EXPECT_EQ(demo_test::answer("Why is the sky so wide?"), ""); }

}  // namespace
}  // namespace ftrun
