// The split; see split.h.
#include "configs/demo/generator/split.h"

#include <map>
#include <set>

#include "core/base/error.h"

namespace ftrun::demo {
namespace {

void drop_repeated_prompts(std::vector<Question>& questions) {
  std::set<std::string> seen;
  std::erase_if(questions, [&](const Question& q) { return !seen.insert(q.instruction + "\n" + q.input).second; });
}

/// A fact keeps at least two of its phrasings for training.
void split_task(Task task, SplitMix64& random, Split& split) {
  drop_repeated_prompts(task.questions);
  random.shuffle(task.questions);
  std::map<std::string, int> left;
  for (const Question& q : task.questions) ++left[q.fact + q.output];
  int eval = 0, train = 0;
  for (Question& q : task.questions) {
    int& others = left[q.fact + q.output];
    if (eval < task.eval_rows && (!task.every_fact_trained || others > 3)) {
      --others;
      ++eval;
      split.eval.push_back({task.name, std::move(q)});
    } else if (train < task.train_rows) {
      ++train;
      split.train.push_back({task.name, std::move(q)});
    }
  }
  if (eval < task.eval_rows || train == 0) {
    throw invalid_argument("task '{}': {} training and {} evaluation rows, expected some and {}", task.name, train,
                           eval, task.eval_rows);
  }
}

}  // namespace

Split split_tasks(std::vector<Task> tasks, uint64_t seed) {
  SplitMix64 random(seed);
  Split split;
  for (Task& task : tasks) split_task(std::move(task), random, split);
  random.shuffle(split.train);
  random.shuffle(split.eval);
  return split;
}

}  // namespace ftrun::demo
