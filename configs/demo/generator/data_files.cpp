// The demo's data files in LLaMA-Factory's forms, and the dataset_info.json that names them.
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
  using Json = nlohmann::ordered_json;
  const Json pair_columns = {
      {"prompt", "instruction"}, {"query", "input"}, {"chosen", "chosen"}, {"rejected", "rejected"}};
  const Json label_columns = {
      {"prompt", "instruction"}, {"query", "input"}, {"response", "output"}, {"kto_tag", "kto_tag"}};
  Json info = {{"demo_train", {{"file_name", "train.jsonl"}}}, {"demo_eval", {{"file_name", "eval.jsonl"}}}};
  for (const char* part : {"train", "eval"}) {
    const std::string name = part;
    info["demo_text_" + name] = {{"file_name", "text_" + name + ".txt"}, {"columns", {{"prompt", "text"}}}};
    info["demo_pairs_" + name] = {
        {"file_name", "pairs_" + name + ".jsonl"}, {"ranking", true}, {"columns", pair_columns}};
    info["demo_labelled_" + name] = {{"file_name", "labelled_" + name + ".jsonl"}, {"columns", label_columns}};
  }
  std::map<std::string, std::string> files = make_preference_files(split);
  files["train.jsonl"] = as_jsonl(split.train, false);
  files["eval.jsonl"] = as_jsonl(split.eval, true);
  files["dataset_info.json"] = info.dump(2) + "\n";
  return files;
}

}  // namespace ftrun::demo
