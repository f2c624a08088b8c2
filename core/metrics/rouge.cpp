// Words are numbered first, so that n-grams and subsequences compare numbers.
#include "core/metrics/rouge.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>
#include <unordered_map>

#include "core/base/code_points.h"

namespace ftrun {
namespace {

using Words = std::vector<std::u32string>;
using Numbers = std::vector<uint32_t>;

bool is_blank(const std::string& word) { return std::ranges::all_of(code_points(word), is_space); }

std::u32string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return code_points(text);
}

// re.sub(r"(MARK)([^CLOSING])", r"\1\n\2") for a mark that ends at `end`: whether a break goes after it.
bool breaks_after(std::u32string_view text, size_t end) {
  return end < text.size() && text[end] != U'\u201d' && text[end] != U'\u2019';
}

bool is_sentence_mark(char32_t c) { return c == U'\u3002' || c == U'\uff01' || c == U'\uff1f' || c == U'?'; }

std::u32string break_after_marks(std::u32string_view text) {
  std::u32string result;
  for (size_t i = 0; i < text.size(); ++i) {
    result += text[i];
    if (!is_sentence_mark(text[i]) || !breaks_after(text, i + 1)) continue;
    result += U'\n';
    result += text[++i];  // belongs to the match, so that it begins none
  }
  return result;
}

std::u32string break_after_runs(std::u32string_view text, std::u32string_view run) {
  std::u32string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!text.substr(i).starts_with(run) || !breaks_after(text, i + run.size())) {
      result += text[i];
      continue;
    }
    result += run;
    i += run.size();
    result += U'\n';
    result += text[i];
  }
  return result;
}

std::u32string break_after_quotes(std::u32string_view text) {
  std::u32string result;
  for (size_t i = 0; i < text.size(); ++i) {
    result += text[i];
    const bool is_quote = i + 2 < text.size() && (text[i + 1] == U'\u201d' || text[i + 1] == U'\u2019');
    if (!is_sentence_mark(text[i]) || !is_quote || is_sentence_mark(text[i + 2]) || text[i + 2] == U'\uff0c') continue;
    result += text[i + 1];
    result += U'\n';
    result += text[i + 2];
    i += 2;
  }
  return result;
}

// " ".join(sentence.split()).split(" "): words, or one empty word.
void add_words(std::u32string_view sentence, Words& words) {
  const size_t before = words.size();
  for (size_t at = 0; at < sentence.size();) {
    size_t end = at;
    while (end < sentence.size() && !is_space(sentence[end])) ++end;
    if (end > at) words.emplace_back(sentence.substr(at, end - at));
    at = end + 1;
  }
  if (words.size() == before) words.emplace_back();
}

Words words_of(const std::vector<std::string>& segments) {
  std::u32string text = break_after_marks(joined(segments));
  text = break_after_runs(text, U"......");
  text = break_after_runs(text, U"\u2026\u2026");
  text = break_after_quotes(text);
  while (!text.empty() && is_space(text.back())) text.pop_back();
  Words words;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(U'\n', at), text.size());
    if (end > at) add_words(std::u32string_view(text).substr(at, end - at), words);
    at = end + 1;
  }
  return words;
}

using Vocabulary = std::unordered_map<std::u32string, uint32_t>;

Numbers numbered(const Words& words, Vocabulary& vocabulary) {
  Numbers numbers;
  for (const std::u32string& word : words)
    numbers.push_back(vocabulary.emplace(word, static_cast<uint32_t>(vocabulary.size())).first->second);
  return numbers;
}

double f1(double overlap, double hypothesis, double reference) {
  const double precision = hypothesis == 0 ? 0 : overlap / hypothesis;
  const double recall = reference == 0 ? 0 : overlap / reference;
  return 2.0 * (precision * recall / (precision + recall + 1e-8));
}

std::set<Numbers> ngrams(const Numbers& words, size_t n) {
  std::set<Numbers> result;
  for (size_t i = 0; i + n <= words.size(); ++i)
    result.emplace(words.begin() + static_cast<int64_t>(i), words.begin() + static_cast<int64_t>(i + n));
  return result;
}

double rouge_n(const Numbers& hypothesis, const Numbers& reference, size_t n) {
  const std::set<Numbers> a = ngrams(hypothesis, n), b = ngrams(reference, n);
  const auto overlap = std::ranges::count_if(a, [&](const Numbers& ngram) { return b.contains(ngram); });
  return f1(static_cast<double>(overlap), static_cast<double>(a.size()), static_cast<double>(b.size()));
}

size_t longest_common_subsequence(const Numbers& a, const Numbers& b) {
  std::vector<size_t> row(b.size() + 1, 0);
  for (const uint32_t word : a) {
    size_t diagonal = 0;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = word == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

RougeScores rouge_scores(const std::vector<std::string>& hypothesis, const std::vector<std::string>& reference) {
  if (std::ranges::all_of(hypothesis, is_blank) || std::ranges::all_of(reference, is_blank)) return {};
  Vocabulary vocabulary;
  const Numbers ours = numbered(words_of(hypothesis), vocabulary);
  const Numbers theirs = numbered(words_of(reference), vocabulary);
  const auto common = static_cast<double>(longest_common_subsequence(theirs, ours));
  return {rouge_n(ours, theirs, 1), rouge_n(ours, theirs, 2),
          f1(common, static_cast<double>(ours.size()), static_cast<double>(theirs.size()))};
}

}  // namespace ftrun
