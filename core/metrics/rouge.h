// ROUGE-1, ROUGE-2 and ROUGE-L between two texts that are cut into words.
#pragma once

#include <string>
#include <vector>

namespace ftrun {

/// F1 of each, in [0, 1].
struct RougeScores {
  double rouge_1 = 0, rouge_2 = 0, rouge_l = 0;
};

/// As rouge_chinese 1.0.3's Rouge().get_scores(" ".join(hypothesis), " ".join(reference)): n-grams are counted once
/// each (sets), ROUGE-L is the longest common subsequence over all sentences, sentences end after .!? of Chinese, "?",
/// "......" and line breaks, an empty line counts as an empty word, F1 = 2 p r / (p + r + 1e-8). 0 where either side
/// has no word but white space. O(words x words) time. Thread-safe.
RougeScores rouge_scores(const std::vector<std::string>& hypothesis, const std::vector<std::string>& reference);

}  // namespace ftrun
