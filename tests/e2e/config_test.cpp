// Every config in configs/ and every command of the README runs as it is written.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

TEST(Demo, LearnsItsTasksOnUnseenPrompts) {
  const TestFolder folder;
  const ProgramResult result = run_ftrun({"--config", "configs/sft.yaml", "--output_dir", (folder / "demo").string(),
                                          "--cache_dir", (folder / "cache").string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json measures = json::parse(bytes_of(folder / "demo/eval_results.json"));
  EXPECT_LE(measures.at("eval_initial_exact_match").get<double>(), 0.02);
  EXPECT_GE(measures.at("eval_exact_match").get<double>(), 0.8);
  EXPECT_LT(measures.at("eval_loss").get<double>(), 0.5);
}

TEST(RealData, LossOfATinyModelFallsOnAlpaca) {
  const fs::path shared = FTRUN_SHARED_DIR;
  if (!fs::exists(shared / "data/alpaca_en_demo.json"))
    GTEST_SKIP() << "no real data beside the checkout (" << shared << ")";
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run",
                                         {{"model_name_or_path", "configs/models/qwen2-tiny"},
                                          {"tokenizer_name_or_path", (shared / "tokenizers/minimind").string()},
                                          {"dataset", (shared / "data/alpaca_en_demo.json").string()},
                                          {"max_samples", ""},
                                          {"max_steps", "40"},
                                          {"logging_steps", "10"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::vector<double> losses;
  const json state = json::parse(bytes_of(folder / "run/trainer_state.json"));
  for (const json& entry : state.at("log_history")) {
    if (entry.contains("loss")) losses.push_back(entry.at("loss"));
  }
  ASSERT_EQ(losses.size(), 4U);
  for (size_t i = 1; i < losses.size(); ++i) EXPECT_LT(losses[i], losses[i - 1]) << "log line " << i;
  EXPECT_LT(losses.back(), losses.front() - 0.5);
}

struct Readme {
  std::string yaml;                                // the block of the section "Your own model"
  std::vector<std::vector<std::string>> commands;  // arguments of each ./run.sh line
};

Readme read_readme() {
  Readme readme;
  std::ifstream file(FTRUN_SOURCE_DIR "/README.md");
  bool own_model = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("## ", 0) == 0) own_model = line == "## Your own model";
    if (line.rfind("    ./run.sh ", 0) == 0) {
      std::istringstream words(line.substr(0, line.find(" #")));
      std::string word;
      words >> word;
      std::vector<std::string>& arguments = readme.commands.emplace_back();
      while (words >> word) arguments.push_back(word);
    } else if (own_model && line.rfind("    ", 0) == 0 && line.find(": ") != std::string::npos) {
      readme.yaml += line.substr(4) + "\n";
    }
  }
  return readme;
}

TEST(ReadmeFile, CommandsRun) {
  const Readme readme = read_readme();
  ASSERT_GE(readme.commands.size(), 4U);
  ASSERT_NE(readme.yaml.find("model_name_or_path"), std::string::npos);
  const TestFolder folder;
  const fs::path config = write_text(folder / "my.yaml", readme.yaml);
  for (std::vector<std::string> arguments : readme.commands) {
    bool own = false;
    for (std::string& argument : arguments) {
      if (argument != "my.yaml") continue;
      argument = config.string();
      own = true;
    }
    // The reader's model and data are stood in for by the demo's; the demo itself has its own test.
    if (!own) continue;
    for (const char* word : {"--model_name_or_path", "configs/demo/model", "--train_from_scratch", "true", "--template",
                             "chatml", "--max_steps", "2", "--dataset", "configs/demo/train.jsonl", "--max_samples",
                             "64", "--overwrite_output_dir", "true", "--output_dir"}) {
      arguments.emplace_back(word);
    }
    arguments.push_back((folder / "output").string());
    const ProgramResult result = run_ftrun(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments[0] << "\n" << result.err;
  }
}

}  // namespace
}  // namespace ftrun::test
