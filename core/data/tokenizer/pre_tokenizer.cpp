// Cuts a piece of text into the words that BPE works on: Split and Digits steps, then ByteLevel.
#include "core/data/tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "core/base/utf8_text.h"
#include "core/data/tokenizer/unicode_class.h"

namespace ftrun {
namespace {

void find_literal(std::string_view literal, std::string_view text, std::vector<TextRange>& matches) {
  for (size_t k = text.find(literal); k != std::string_view::npos; k = text.find(literal, k + literal.size())) {
    matches.push_back({k, k + literal.size()});
  }
}

void find_digits(std::string_view text, std::vector<TextRange>& matches) {
  const uint8_t* classes = code_point_classes();
  for (size_t k = 0; k < text.size();) {
    const CodePoint point = code_point_at(text, k);
    if ((classes[point.value] & kNumericClass) != 0) matches.push_back({k, k + point.size_bytes});
    k += point.size_bytes;
  }
}

/// Matches and what lies between them, in order.
void find_stretches(const SplitStep& step, std::string_view text, PreTokenizerScratch& scratch) {
  scratch.matches.clear();
  if (step.digits)
    find_digits(text, scratch.matches);
  else if (step.regex)
    step.regex->find_all(text, scratch.regex, scratch.matches);
  else
    find_literal(step.literal, text, scratch.matches);
  scratch.stretches.clear();
  size_t done = 0;
  for (const TextRange& match : scratch.matches) {
    if (done != match.begin) scratch.stretches.push_back({{done, match.begin}, step.invert});
    scratch.stretches.push_back({match, !step.invert});
    done = match.end;
  }
  if (done != text.size()) scratch.stretches.push_back({{done, text.size()}, step.invert});
}

/// Joins stretches in place as `behavior` says; the rules are those of NormalizedString::split in `tokenizers`.
void join(SplitBehavior behavior, std::vector<Stretch>& stretches) {
  const bool backwards = behavior == SplitBehavior::kMergedWithNext;
  if (backwards) std::reverse(stretches.begin(), stretches.end());
  size_t kept = 0;
  bool previous = false;
  for (const Stretch& stretch : std::vector<Stretch>(stretches)) {
    const bool joins =
        behavior == SplitBehavior::kContiguous ? stretch.is_match == previous : stretch.is_match && !previous;
    if (joins && kept > 0) {
      TextRange& last = stretches[kept - 1].range;
      (backwards ? last.begin : last.end) = backwards ? stretch.range.begin : stretch.range.end;
    } else {
      stretches[kept++] = stretch;
    }
    previous = stretch.is_match;
  }
  stretches.resize(kept);
  if (backwards) std::reverse(stretches.begin(), stretches.end());
}

}  // namespace

void apply_split_step(const SplitStep& step, std::string_view text, size_t offset, PreTokenizerScratch& scratch,
                      std::vector<TextRange>& out) {
  find_stretches(step, text, scratch);
  const bool removes = step.behavior == SplitBehavior::kRemoved;
  if (!removes && step.behavior != SplitBehavior::kIsolated) join(step.behavior, scratch.stretches);
  for (const Stretch& stretch : scratch.stretches) {
    if (stretch.range.begin == stretch.range.end || (removes && stretch.is_match)) continue;
    out.push_back({offset + stretch.range.begin, offset + stretch.range.end});
  }
}

PreTokenizer::PreTokenizer(std::vector<SplitStep> steps, bool add_prefix_space, bool use_regex)
    : steps_(std::move(steps)),
      add_prefix_space_(add_prefix_space),
      use_regex_(use_regex),
      byte_level_scanner_(scanner_for(kByteLevelExpression)) {}

void PreTokenizer::cut(std::string_view text, PreTokenizerScratch& scratch) const {
  scratch.pieces.clear();
  if (text.empty()) return;
  scratch.pieces.push_back({0, text.size()});
  const bool byte_level_now = use_regex_ && !add_prefix_space_;
  for (size_t k = 0; k < steps_.size() + (byte_level_now ? 1 : 0); ++k) {
    const WordScanner scanner = k == steps_.size() ? byte_level_scanner_ : steps_[k].scanner;
    scratch.next_pieces.clear();
    for (const TextRange& piece : scratch.pieces) {
      const std::string_view part = text.substr(piece.begin, piece.end - piece.begin);
      if (scanner == nullptr) {
        apply_split_step(steps_[k], part, piece.begin, scratch, scratch.next_pieces);
        continue;
      }
      const size_t first_new = scratch.next_pieces.size();
      scanner(part, scratch.next_pieces);
      for (size_t n = first_new; piece.begin != 0 && n < scratch.next_pieces.size(); ++n) {
        scratch.next_pieces[n].begin += piece.begin;
        scratch.next_pieces[n].end += piece.begin;
      }
    }
    scratch.pieces.swap(scratch.next_pieces);
  }
}

void PreTokenizer::apply_last(std::string_view text, PreTokenizerScratch& scratch) const {
  if (use_regex_)
    byte_level_scanner_(text, scratch.next_pieces);
  else
    scratch.next_pieces.push_back({0, text.size()});
}

std::string_view PreTokenizer::with_prefix(std::string_view piece, std::string& storage) {
  if (piece.starts_with(' ')) return piece;
  storage.assign(1, ' ');
  storage.append(piece);
  return storage;
}

}  // namespace ftrun
