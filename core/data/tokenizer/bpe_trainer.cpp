// Trains a byte-level BPE vocabulary with the algorithm of `tokenizers`' BpeTrainer.
// Leaves out: other pre-tokenizers, normalizers, dropout, limits on alphabet or token length.
#include "core/data/tokenizer/bpe_trainer.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <queue>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/error.h"
#include "core/base/utf8_text.h"
#include "core/data/tokenizer/byte_alphabet.h"
#include "core/data/tokenizer/word_scanner.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;
using Pair = std::pair<int32_t, int32_t>;

struct Word {
  std::vector<int32_t> symbols;
  int64_t count;
};

/// A pair with the count and words known when it was queued. The most frequent comes first, then the smaller pair.
struct QueuedPair {
  Pair pair;
  int64_t count;
  std::vector<uint32_t> words;
  bool operator<(const QueuedPair& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

struct PairHash {
  size_t operator()(const Pair& pair) const {
    const uint64_t both =
        static_cast<uint64_t>(static_cast<uint32_t>(pair.first)) << 32 | static_cast<uint32_t>(pair.second);
    return static_cast<size_t>(both * 0x9E3779B97F4A7C15u >> 16);
  }
};

class Trainer {
 public:
  Trainer(std::span<const std::string> special_tokens, size_t vocabulary_size, uint64_t min_frequency)
      : vocabulary_size_(vocabulary_size), min_frequency_(static_cast<int64_t>(min_frequency)) {
    for (const std::string& token : special_tokens) add_token(token);
    // The alphabet is ordered by code point, not by byte.
    std::map<uint32_t, uint8_t> alphabet;
    for (unsigned byte = 0; byte < 256; ++byte) {
      alphabet.emplace(code_point_of_byte(static_cast<uint8_t>(byte)), static_cast<uint8_t>(byte));
    }
    for (const auto& [code_point, byte] : alphabet) id_of_byte_[byte] = add_token(std::string(symbol_of_byte(byte)));
  }

  void count_words(std::span<const std::string> corpus) {
    std::map<std::string, int64_t> counts;  // ordered, so that nothing depends on hashing
    const WordScanner scanner = scanner_for(kByteLevelExpression);
    std::vector<TextRange> ranges;
    for (const std::string& document : corpus) {
      const std::string text = replace_ill_formed(document);
      ranges.clear();
      scanner(text, ranges);
      for (const TextRange& range : ranges) ++counts[text.substr(range.begin, range.end - range.begin)];
    }
    for (const auto& [text, count] : counts) {
      Word word{{}, count};
      for (const char byte : text) word.symbols.push_back(id_of_byte_[static_cast<unsigned char>(byte)]);
      words_.push_back(std::move(word));
    }
  }

  void train() {
    for (uint32_t k = 0; k < words_.size(); ++k) {
      const std::vector<int32_t>& symbols = words_[k].symbols;
      for (size_t n = 0; n + 1 < symbols.size(); ++n) change({symbols[n], symbols[n + 1]}, words_[k].count, k);
    }
    queue_changed_pairs();
    while (tokens_.size() < vocabulary_size_ && !queue_.empty()) {
      QueuedPair top = queue_.top();
      queue_.pop();
      if (const int64_t count = counts_[top.pair]; count != top.count) {
        top.count = count;
        queue_.push(std::move(top));
        continue;
      }
      if (top.count < 1 || top.count < min_frequency_) break;
      const int32_t id =
          add_token(tokens_[static_cast<size_t>(top.pair.first)] + tokens_[static_cast<size_t>(top.pair.second)]);
      last_rank_[top.pair] = merges_.size();
      merges_.push_back(top.pair);
      for (const uint32_t word : top.words) merge_in_word(word, top.pair, id);
      queue_changed_pairs();
    }
  }

  Json vocabulary() const {
    Json out = Json::object();
    auto& members = out.get_ref<Json::object_t&>();  // operator[] would search all of them each time
    for (size_t id = 0; id < tokens_.size(); ++id) members.emplace_back(tokens_[id], id);
    return out;
  }

  Json merges() const {
    Json out = Json::array();
    for (size_t rank = 0; rank < merges_.size(); ++rank) {
      // A pair met twice (its token existed before) counts where it was met last.
      if (last_rank_.at(merges_[rank]) != rank) continue;
      const auto& [left, right] = merges_[rank];
      out.push_back(Json::array({tokens_[static_cast<size_t>(left)], tokens_[static_cast<size_t>(right)]}));
    }
    return out;
  }

 private:
  int32_t add_token(const std::string& text) {
    const auto [entry, added] = ids_.emplace(text, static_cast<int32_t>(tokens_.size()));
    if (added) tokens_.push_back(text);
    return entry->second;
  }

  void change(Pair pair, int64_t by, uint32_t word) {
    counts_[pair] += by;
    if (by > 0) changed_[pair].insert(word);
  }

  void queue_changed_pairs() {
    for (auto& [pair, words] : changed_) {
      const int64_t count = counts_[pair];
      if (count > 0) queue_.push({pair, count, std::vector<uint32_t>(words.begin(), words.end())});
    }
    changed_.clear();
  }

  void merge_in_word(uint32_t index, Pair pair, int32_t id) {
    std::vector<int32_t>& symbols = words_[index].symbols;
    const int64_t count = words_[index].count;
    for (size_t k = 0; k + 1 < symbols.size(); ++k) {
      if (symbols[k] != pair.first || symbols[k + 1] != pair.second) continue;
      if (k > 0) {
        change({symbols[k - 1], pair.first}, -count, index);
        change({symbols[k - 1], id}, count, index);
      }
      symbols[k] = id;
      symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(k) + 1);
      if (k + 1 < symbols.size()) {
        change({pair.second, symbols[k + 1]}, -count, index);
        change({id, symbols[k + 1]}, count, index);
      }
    }
  }

  size_t vocabulary_size_;
  int64_t min_frequency_;
  int32_t id_of_byte_[256] = {};
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<Word> words_;
  std::unordered_map<Pair, int64_t, PairHash> counts_;
  std::map<Pair, std::set<uint32_t>> changed_;
  std::priority_queue<QueuedPair> queue_;
  std::map<Pair, size_t> last_rank_;
  std::vector<Pair> merges_;
};

Json byte_level(bool add_prefix_space) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"trim_offsets", true}, {"use_regex", true}};
}

Json added_tokens(std::span<const std::string> special_tokens) {
  Json out = Json::array();
  for (size_t id = 0; id < special_tokens.size(); ++id) {
    out.push_back({{"id", id},
                   {"content", special_tokens[id]},
                   {"single_word", false},
                   {"lstrip", false},
                   {"rstrip", false},
                   {"normalized", false},
                   {"special", true}});
  }
  return out;
}

void check_arguments(int32_t vocabulary_size, std::span<const std::string> special_tokens) {
  std::set<std::string_view> seen;
  for (const std::string& token : special_tokens) {
    if (token.empty()) throw invalid_argument("special tokens must not be empty");
    if (!seen.insert(token).second) throw invalid_argument("special token '{}' appears twice", token);
    if (well_formed_prefix(token) != token.size()) throw invalid_argument("special tokens must be valid UTF-8");
  }
  const size_t least = special_tokens.size() + 256;
  if (vocabulary_size < 0 || static_cast<size_t>(vocabulary_size) < least) {
    throw invalid_argument("vocabulary_size {} is too small: 256 bytes and {} special tokens need {}", vocabulary_size,
                           special_tokens.size(), least);
  }
}

}  // namespace

std::string train_byte_level_bpe(std::span<const std::string> corpus, int32_t vocabulary_size,
                                 std::span<const std::string> special_tokens, uint64_t min_frequency) {
  check_arguments(vocabulary_size, special_tokens);
  Trainer trainer(special_tokens, static_cast<size_t>(vocabulary_size), min_frequency);
  trainer.count_words(corpus);
  trainer.train();
  Json document = {{"version", "1.0"},
                   {"truncation", nullptr},
                   {"padding", nullptr},
                   {"added_tokens", added_tokens(special_tokens)},
                   {"normalizer", nullptr},
                   {"pre_tokenizer", byte_level(false)},
                   {"post_processor", nullptr},
                   {"decoder", byte_level(true)},
                   {"model",
                    {{"type", "BPE"},
                     {"dropout", nullptr},
                     {"unk_token", nullptr},
                     {"continuing_subword_prefix", nullptr},
                     {"end_of_word_suffix", nullptr},
                     {"fuse_unk", false},
                     {"byte_fallback", false},
                     {"ignore_merges", false}}}};
  document["model"]["vocab"] = trainer.vocabulary();
  document["model"]["merges"] = trainer.merges();
  return document.dump(2) + "\n";
}

}  // namespace ftrun
