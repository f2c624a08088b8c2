// Text to words, for ROUGE.
// Leaves out: jieba's dictionary and its hidden Markov model of Chinese words.
#pragma once

#include <string_view>
#include <vector>

#include <string>

namespace ftrun {

/// As jieba.cut 0.42 cuts text that has no Chinese words: runs of ASCII letters and digits (with a decimal fraction and
/// "%") are words; runs of "+#&._%-" between them are too; every other character, white space included, stands alone.
/// Chinese characters (U+4E00 to U+9FD5) stand alone as well, where jieba would find words of several by its
/// dictionary: scores of Chinese text are those of single characters, and differ from LLaMA-Factory's. So do the few
/// words with Latin letters that the dictionary has ("C++"). Thread-safe.
std::vector<std::string> segment_words(std::string_view utf8);

}  // namespace ftrun
