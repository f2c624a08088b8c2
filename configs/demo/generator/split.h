// Divides a task's questions into training and evaluation rows that share no prompt.
#pragma once

#include "configs/demo/generator/question.h"
#include "configs/demo/generator/random.h"

namespace ftrun::demo {

/// One written row: the question and its task's name.
struct Row {
  std::string task;
  Question question;
};

struct Split {
  std::vector<Row> train;
  std::vector<Row> eval;
};

/// Repeated prompts (drawn lists may repeat) are asked once. Rows of all tasks are shuffled together.
/// Throws INVALID_ARGUMENT where a task has too few questions for its evaluation rows.
Split split_tasks(std::vector<Task> tasks, uint64_t seed);

}  // namespace ftrun::demo
