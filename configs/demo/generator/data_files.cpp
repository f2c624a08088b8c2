// train.jsonl, eval.jsonl and dataset_info.json in LLaMA-Factory's alpaca form.
#include <nlohmann/json.hpp>

#include "configs/demo/generator/demo_files.h"

namespace ftrun::demo {
namespace {

std::string as_jsonl(const std::vector<Row>& rows, bool with_task) {
  std::string text;
  for (const Row& row : rows) {
    nlohmann::ordered_json line = {
        {"instruction", row.question.instruction}, {"input", row.question.input}, {"output", row.question.output}};
    if (with_task) line["task"] = row.task;
    text += line.dump() + "\n";
  }
  return text;
}

}  // namespace

Split make_rows(uint64_t seed) {
  std::vector<Task> tasks;
  for (const auto& group : {word_tasks(), calendar_tasks(), number_tasks(), list_tasks(seed)}) {
    tasks.insert(tasks.end(), group.begin(), group.end());
  }
  return split_tasks(std::move(tasks), seed + 1);
}

std::map<std::string, std::string> make_data_files(const Split& split) {
  const nlohmann::ordered_json info = {{"demo_train", {{"file_name", "train.jsonl"}}},
                                       {"demo_eval", {{"file_name", "eval.jsonl"}}}};
  return {{"train.jsonl", as_jsonl(split.train, false)},
          {"eval.jsonl", as_jsonl(split.eval, true)},
          {"dataset_info.json", info.dump(2) + "\n"}};
}

}  // namespace ftrun::demo
