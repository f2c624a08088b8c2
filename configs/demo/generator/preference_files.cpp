// The right answer against a wrong one of the same task: pairs, and answers with labels. Plain text: question and
// answer on a line.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "configs/demo/generator/demo_files.h"
#include "configs/demo/generator/random.h"

namespace ftrun::demo {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kTrainRows = 2000;
constexpr size_t kEvalRows = 200;

/// The different answers of every task, in order of appearance.
std::map<std::string, std::vector<std::string>> answers_by_task(const std::vector<Row>& rows) {
  std::map<std::string, std::vector<std::string>> answers;
  std::map<std::string, std::set<std::string>> seen;
  for (const Row& row : rows) {
    if (seen[row.task].insert(row.question.output).second) answers[row.task].push_back(row.question.output);
  }
  return answers;
}

class WrongAnswers {
 public:
  WrongAnswers(const std::vector<Row>& rows, uint64_t seed) : answers_(answers_by_task(rows)), random_(seed) {}

  std::string draw(const Row& row) {
    const std::vector<std::string>& answers = answers_.at(row.task);
    for (;;) {
      const std::string& answer = answers[random_.below(answers.size())];
      if (answer != row.question.output) return answer;
    }
  }

 private:
  std::map<std::string, std::vector<std::string>> answers_;
  SplitMix64 random_;
};

std::span<const Row> first(const std::vector<Row>& rows, size_t count) {
  return std::span(rows).first(std::min(rows.size(), count));
}

std::string pairs(std::span<const Row> rows, WrongAnswers& wrong) {
  std::string text;
  for (const Row& row : rows) {
    const Json line = {{"instruction", row.question.instruction},
                       {"input", row.question.input},
                       {"chosen", row.question.output},
                       {"rejected", wrong.draw(row)}};
    text += line.dump() + "\n";
  }
  return text;
}

std::string labelled(std::span<const Row> rows, WrongAnswers& wrong) {
  std::string text;
  SplitMix64 coin(1);
  for (const Row& row : rows) {
    const bool right = coin.below(2) == 0;
    const Json line = {{"instruction", row.question.instruction},
                       {"input", row.question.input},
                       {"output", right ? row.question.output : wrong.draw(row)},
                       {"kto_tag", right}};
    text += line.dump() + "\n";
  }
  return text;
}

std::string plain_text(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) {
    const std::string& input = row.question.input;
    text += fmt::format("{}{}{} Answer: {}.\n", row.question.instruction, input.empty() ? "" : " ", input,
                        row.question.output);
  }
  return text;
}

}  // namespace

std::map<std::string, std::string> make_preference_files(const Split& split) {
  // Evaluation answers are drawn among the training ones, so that a wrong answer is not known by being new.
  std::vector<Row> all = split.train;
  all.insert(all.end(), split.eval.begin(), split.eval.end());
  WrongAnswers wrong(all, 2);
  std::map<std::string, std::string> files;
  files["pairs_train.jsonl"] = pairs(first(split.train, kTrainRows), wrong);
  files["pairs_eval.jsonl"] = pairs(first(split.eval, kEvalRows), wrong);
  files["labelled_train.jsonl"] = labelled(first(split.train, kTrainRows), wrong);
  files["labelled_eval.jsonl"] = labelled(first(split.eval, kEvalRows), wrong);
  files["text_train.txt"] = plain_text(split.train);
  files["text_eval.txt"] = plain_text(split.eval);
  return files;
}

}  // namespace ftrun::demo
