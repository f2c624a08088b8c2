// What a Tokenizer holds; shared by its source files.
// Leaves out: the public interface (tokenizer.h).
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "core/data/tokenizer/tokenizer.h"
#include "core/data/tokenizer/tokenizer_parts.h"
#include "core/data/tokenizer/word_cache.h"

namespace ftrun {

/// Working memory of one encode call, kept for the next.
struct EncodeScratch {
  std::string repaired;
  std::string normalized;
  std::vector<TextPart> parts;
  std::vector<TextPart> normalized_parts;
  PreTokenizerScratch pre_tokenizer;
  BpeScratch bpe;
  WordCache cache;
};

struct Tokenizer::State {
  State(BpeModel bpe, Normalizer norm, PreTokenizer pre)
      : model(std::move(bpe)), normalizer(std::move(norm)), pre_tokenizer(std::move(pre)) {}

  BpeModel model;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  DecoderKind decoder = DecoderKind::kByteLevel;
  std::vector<AddedToken> added_tokens;
  std::unordered_map<std::string_view, int32_t> added_ids;  // views into added_tokens
  /// What an added token is called where ids become text. `tokenizers` uses the normalized content there, and skips a
  /// token as special when that text is the content of a special token.
  struct AddedText {
    std::string text;
    bool special;
    bool skipped;
  };
  std::unordered_map<int32_t, AddedText> added_by_id;
  AddedTokenMatcher plain_matcher;       // tokens recognised before normalization
  AddedTokenMatcher normalized_matcher;  // tokens recognised after it
  int32_t vocabulary_size = 0;
  uint64_t fingerprint = 0;
  nlohmann::json rules;
  TokenizerConfig config;
  std::vector<TokenizerFile> files;

  /// Needs model and normalizer.
  void set_added_tokens(std::vector<AddedToken> tokens);

  /// Appends the ids of a word.
  void encode_word(std::string_view word, EncodeScratch& scratch, std::vector<int32_t>& ids) const;
  /// Appends the ids of text without added tokens.
  void encode_text(std::string_view text, EncodeScratch& scratch, std::vector<int32_t>& ids) const;
  /// Appends the ids of text in which non-normalized added tokens were already found.
  void encode_part(std::string_view text, EncodeScratch& scratch, std::vector<int32_t>& ids) const;

  /// encode_text and encode_part with offsets in `text`.
  void locate_text(std::string_view text, EncodeScratch& scratch, TokenizedText& tokens) const;
  void locate_part(std::string_view text, EncodeScratch& scratch, TokenizedText& tokens) const;

  /// Appends what `id` stands for, in bytes; nothing for unknown and skipped ids. `any_token`: one came before.
  void append_bytes(int32_t id, bool skip_special_tokens, bool& any_token, std::string& bytes) const;

  std::unique_ptr<EncodeScratch> take_scratch() const;
  void return_scratch(std::unique_ptr<EncodeScratch> scratch) const;

 private:
  mutable std::mutex mutex_;  // guards idle_
  mutable std::vector<std::unique_ptr<EncodeScratch>> idle_;
};

}  // namespace ftrun
