// Rounding is Python's round(100 * score, 4).
#include "core/metrics/text_similarity.h"

#include <fmt/format.h>

#include <cstdlib>

#include "core/metrics/bleu.h"
#include "core/metrics/rouge.h"
#include "core/metrics/word_segmentation.h"

namespace ftrun {
namespace {

double percent(double score) { return std::strtod(fmt::format("{:.4f}", score * 100).c_str(), nullptr); }

}  // namespace

TextSimilarity text_similarity(std::string_view prediction, std::string_view label) {
  const RougeScores rouge = rouge_scores(segment_words(prediction), segment_words(label));
  return {percent(rouge.rouge_1), percent(rouge.rouge_2), percent(rouge.rouge_l),
          percent(character_bleu_4(prediction, label))};
}

void MeanTextSimilarity::add(const TextSimilarity& row) {
  sum_.rouge_1 += row.rouge_1;
  sum_.rouge_2 += row.rouge_2;
  sum_.rouge_l += row.rouge_l;
  sum_.bleu_4 += row.bleu_4;
  ++num_rows_;
}

TextSimilarity MeanTextSimilarity::mean() const {
  if (num_rows_ == 0) return {};
  const auto rows = static_cast<double>(num_rows_);
  return {sum_.rouge_1 / rows, sum_.rouge_2 / rows, sum_.rouge_l / rows, sum_.bleu_4 / rows};
}

}  // namespace ftrun
