// BLEU-4 of one text against one reference, over characters.
#pragma once

#include <string_view>

namespace ftrun {

/// As nltk 3.9's sentence_bleu([list(reference)], list(hypothesis), smoothing_function=SmoothingFunction().method3):
/// clipped precisions of 1 to 4 code points, weights 1/4, the k-th precision of 0 is 1 / (2^k n-grams), times the
/// brevity penalty exp(1 - reference / hypothesis) of a shorter hypothesis. In [0, 1]; 0 without a common character.
/// Source: Papineni et al. 2002; smoothing: Chen and Cherry 2014, technique 3 (mteval-v13a). Thread-safe.
double character_bleu_4(std::string_view hypothesis, std::string_view reference);

}  // namespace ftrun
