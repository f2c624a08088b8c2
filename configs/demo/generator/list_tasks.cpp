// Tasks about short lists of words: an item by its place, the reversed list, the number of items.
#include "configs/demo/generator/question.h"
#include "configs/demo/generator/random.h"

namespace ftrun::demo {
namespace {

/// `count` different nouns.
std::vector<std::string> draw_words(SplitMix64& random, size_t count) {
  std::vector<std::string> words;
  while (words.size() < count) {
    const std::string& word = nouns()[random.below(nouns().size())];
    bool fresh = true;
    for (const std::string& other : words) fresh = fresh && other != word;
    if (fresh) words.push_back(word);
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

Task items(SplitMix64& random) {
  Task task{"item", {}, 700, 40, false};
  for (int round = 0; round < 160; ++round) {
    const std::vector<std::string> words = draw_words(random, 3 + random.below(2));
    const std::string list = joined(words);
    ask(task, {"What is the first word in this list: {0}?", "Name the first item.|The list is {0}."}, {list},
        words.front());
    ask(task, {"What is the second word in this list: {0}?", "Name the second item.|The list is {0}."}, {list},
        words[1]);
    ask(task, {"What is the last word in this list: {0}?", "Name the last item.|The list is {0}."}, {list},
        words.back());
  }
  return task;
}

Task reversals(SplitMix64& random) {
  Task task{"reverse", {}, 700, 40, false};
  for (int round = 0; round < 260; ++round) {
    const std::vector<std::string> words = draw_words(random, 2 + random.below(2));
    ask(task,
        {"Reverse this list: {0}.", "Write these words in reverse order.|The list is {0}.",
         "Turn the list around.|The list is {0}."},
        {joined(words)}, joined({words.rbegin(), words.rend()}));
  }
  return task;
}

Task counts(SplitMix64& random) {
  Task task{"count", {}, 300, 25, false};
  for (int round = 0; round < 130; ++round) {
    const std::vector<std::string> words = draw_words(random, 2 + random.below(5));
    ask(task,
        {"How many words are in this list: {0}?", "Count the items.|The list is {0}.",
         "How many things are listed here?|The list is {0}."},
        {joined(words)}, std::to_string(words.size()));
  }
  return task;
}

}  // namespace

std::vector<Task> list_tasks(uint64_t seed) {
  SplitMix64 random(seed);
  std::vector<Task> tasks;
  tasks.push_back(items(random));
  tasks.push_back(reversals(random));
  tasks.push_back(counts(random));
  return tasks;
}

}  // namespace ftrun::demo
