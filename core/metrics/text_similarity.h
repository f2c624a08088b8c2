// The scores of predicted against labelled texts that `predict` reports.
#pragma once

#include <cstddef>
#include <string_view>

namespace ftrun {

/// In percent, each rounded to 4 decimals.
struct TextSimilarity {
  double rouge_1 = 0, rouge_2 = 0, rouge_l = 0, bleu_4 = 0;
};

/// As LLaMA-Factory 0.9.5's ComputeSimilarity (train/sft/metric.py): F1 of ROUGE-1, -2 and -L over words, BLEU-4 over
/// characters. Words are segment_words(): single characters of Chinese, where LLaMA-Factory has jieba's words. An empty
/// (or blank) prediction or label gives ROUGE 0, an empty one BLEU 0. Both without special tokens. Thread-safe.
TextSimilarity text_similarity(std::string_view prediction, std::string_view label);

/// The mean over rows, every row with the same weight.
class MeanTextSimilarity {
 public:
  void add(const TextSimilarity& row);
  /// All 0 without rows.
  TextSimilarity mean() const;
  size_t num_rows() const { return num_rows_; }

 private:
  TextSimilarity sum_;
  size_t num_rows_ = 0;
};

}  // namespace ftrun
