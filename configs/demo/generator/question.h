// One demo question, and how a task lists all the questions it could ask.
// Leaves out: which of them are asked (split.h) and how they are written down (demo_data.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun::demo {

/// One row of the data set in alpaca form. `fact` tells apart what is asked from how it is worded: two questions of
/// one task with the same fact have the same answer.
struct Question {
  std::string instruction;
  std::string input;
  std::string output;
  std::string fact;
};

/// All questions of one task, in a fixed order.
/// The split takes `eval_rows` for evaluation and at most `train_rows` for training. Where `every_fact_trained`, a fact
/// asked in the evaluation also occurs in training in other words (a table to remember); otherwise it may be wholly
/// new.
struct Task {
  std::string name;
  std::vector<Question> questions;
  int train_rows;
  int eval_rows;
  bool every_fact_trained;
};

/// `pattern` with "{0}", "{1}", ... replaced by `values`.
std::string fill(std::string_view pattern, const std::vector<std::string>& values);

/// Appends one question per phrasing. A phrasing "instruction|input" fills both columns.
void ask(Task& task, const std::vector<std::string_view>& phrasings, const std::vector<std::string>& values,
         const std::string& answer);

std::vector<Task> word_tasks();
std::vector<Task> calendar_tasks();
std::vector<Task> number_tasks();

/// Lists are drawn, not enumerated, hence the seed.
std::vector<Task> list_tasks(uint64_t seed);

/// The nouns that word tasks and list tasks share.
const std::vector<std::string>& nouns();

}  // namespace ftrun::demo
