// n-grams of code points are counted as text pieces.
#include "core/metrics/bleu.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "core/base/code_points.h"

namespace ftrun {
namespace {

using Counts = std::map<std::u32string_view, size_t>;

Counts ngram_counts(std::u32string_view text, size_t n) {
  Counts counts;
  for (size_t i = 0; i + n <= text.size(); ++i) ++counts[text.substr(i, n)];
  return counts;
}

struct Precision {
  size_t matches = 0, total = 1;
};

Precision clipped_precision(std::u32string_view hypothesis, std::u32string_view reference, size_t n) {
  const Counts theirs = ngram_counts(reference, n);
  Precision precision{0, 0};
  for (const auto& [ngram, count] : ngram_counts(hypothesis, n)) {
    const auto found = theirs.find(ngram);
    precision.matches += found == theirs.end() ? 0 : std::min(count, found->second);
    precision.total += count;
  }
  precision.total = std::max<size_t>(precision.total, 1);
  return precision;
}

}  // namespace

double character_bleu_4(std::string_view hypothesis_utf8, std::string_view reference_utf8) {
  const std::u32string hypothesis = code_points(hypothesis_utf8), reference = code_points(reference_utf8);
  double log_sum = 0;
  double smoothing = 1;
  for (size_t n = 1; n <= 4; ++n) {
    const Precision precision = clipped_precision(hypothesis, reference, n);
    if (n == 1 && precision.matches == 0) return 0;
    if (precision.matches == 0) smoothing *= 2;
    const double numerator = precision.matches == 0 ? 1 / smoothing : static_cast<double>(precision.matches);
    log_sum += 0.25 * std::log(numerator / static_cast<double>(precision.total));
  }
  const auto ours = static_cast<double>(hypothesis.size()), theirs = static_cast<double>(reference.size());
  return (ours > theirs ? 1.0 : std::exp(1 - theirs / ours)) * std::exp(log_sum);
}

}  // namespace ftrun
