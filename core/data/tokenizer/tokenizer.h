// Byte-level BPE tokenizer, loaded from a Hugging Face model folder; ids and text equal Hugging Face `tokenizers`.
// Leaves out: chat templates as such (their raw text is kept here, data/templates uses it), truncation and padding.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun {

/// A named special token of tokenizer_config.json or special_tokens_map.json.
/// `id` is absent when the token's text is neither an added token nor in the vocabulary.
struct SpecialToken {
  std::string text;
  std::optional<int32_t> id;
  std::string place = {};  ///< "FILE: KEY"
};

/// What tokenizer_config.json, special_tokens_map.json and chat_template.jinja of the folder say.
/// Values that the files lack are absent or empty; nothing is guessed. As transformers does it, special_tokens_map.json
/// counts, and wins, where tokenizer_config.json has no added_tokens_decoder, and is not read where it has one.
struct TokenizerConfig {
  std::optional<SpecialToken> bos;
  std::optional<SpecialToken> eos;
  std::optional<SpecialToken> pad;
  std::optional<SpecialToken> unk;
  /// "eos_token" and the like, where the two files differ: the text that counts.
  std::map<std::string, std::string> contested_tokens;
  std::vector<SpecialToken> additional_special_tokens;  ///< additional_special_tokens, then extra_special_tokens
  bool add_bos_token = false;
  bool add_eos_token = false;
  std::optional<int64_t> model_max_length;  ///< tokens; absent when missing or above 2^53 ("very large integer")
  std::string chat_template;                ///< the default one: chat_template.jinja wins over tokenizer_config.json
  std::string chat_template_file;           ///< path of the file that it stands in
  std::map<std::string, std::string> named_chat_templates;  ///< name -> Jinja text, includes "default" when present
};

/// A file of the model folder that a saved model has to carry along unchanged.
struct TokenizerFile {
  std::string name;     ///< file name without folder, for example "tokenizer.json"
  std::string content;  ///< the bytes as read
};

/// Bytes [begin, end) of a text.
struct TokenOffsets {
  size_t begin = 0;
  size_t end = 0;
};

/// Ids of a text, and for each the bytes that it stands for.
struct TokenizedText {
  std::vector<int32_t> ids;
  std::vector<TokenOffsets> offsets;  ///< one for each id; both ends never decrease
};

/// An immutable tokenizer. Every member function is [any-thread] and may run concurrently with every other.
/// Token texts are in the vocabulary's own form: byte-level tokens use the GPT-2 byte alphabet ("\u0120the").
/// Source: huggingface/tokenizers (Tokenizer.encode, Tokenizer.decode), compared by tests/golden/tokenizer*.
class Tokenizer {
 public:
  /// Reads tokenizer.json (required) and, where present, tokenizer_config.json, special_tokens_map.json,
  /// chat_template.jinja and additional chat templates of `model_dir`.
  /// "truncation" and "padding" in tokenizer.json are accepted and have no effect.
  /// Throws NOT_FOUND when the folder or tokenizer.json is missing; INVALID_ARGUMENT naming file and key path when a
  /// file is malformed or asks for something that is not supported (the message names the key).
  static std::shared_ptr<const Tokenizer> load(const std::filesystem::path& model_dir);

  /// Same from the text of a tokenizer.json, with an empty TokenizerConfig. `name` is what messages call the file.
  static std::shared_ptr<const Tokenizer> from_json(std::string_view tokenizer_json, const std::string& name);

  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  ~Tokenizer();

  /// Ids of `text`. Added tokens found in the text become their ids. `add_special_tokens` applies the file's
  /// TemplateProcessing post-processor (for example a leading bos), as `Tokenizer.encode(add_special_tokens=...)` does.
  /// Bytes that are not valid UTF-8 count as U+FFFD, one per maximal ill-formed part, as in Python's
  /// `data.decode("utf-8", errors="replace")`. Never throws for any input except std::bad_alloc.
  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens = false) const;

  /// Same, appended to `ids`.
  void encode_append(std::string_view text, bool add_special_tokens, std::vector<int32_t>& ids) const;

  /// encode(text) with the place of each token, in whole characters, as `Encoding.offsets` of `tokenizers` gives it (in
  /// characters there, bytes of `text` here) without trim_offsets: every token of a character of several has all of it.
  /// What a normalizer has changed belongs to each token of the stretch it changed, a word with bytes that have no
  /// token to each of its tokens. Of ill-formed text: offsets in the text with U+FFFD in it.
  TokenizedText encode_with_offsets(std::string_view text) const;

  /// Text of `ids`, always valid UTF-8: ill-formed bytes become U+FFFD (Rust's from_utf8_lossy). Ids that are in
  /// neither the vocabulary nor the added tokens are dropped, as are special tokens if `skip_special_tokens`.
  std::string decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  /// Id of a token's text: added tokens first, then the vocabulary.
  std::optional<int32_t> token_to_id(std::string_view token) const;

  /// Text of an id, "" when there is no such id. Valid as long as the tokenizer. An added token with "normalized": true
  /// goes by its normalized content here and in decode(), as in `tokenizers`.
  std::string_view id_to_token(int32_t id) const;

  /// Whether `id` is a token (the ids of a vocabulary may have gaps).
  bool has_id(int32_t id) const;

  /// Whether `id` is an added token with "special": true.
  bool is_special(int32_t id) const;

  /// Largest id + 1; a model's embedding needs at least this many rows.
  int32_t vocabulary_size() const;

  /// Ids of the named special tokens; absent when the configuration names none or the text has no id.
  std::optional<int32_t> bos_id() const;
  std::optional<int32_t> eos_id() const;
  std::optional<int32_t> pad_id() const;
  std::optional<int32_t> unk_id() const;
  /// Texts of the named special tokens, "" when the configuration names none.
  const std::string& bos_token() const;
  const std::string& eos_token() const;
  const std::string& pad_token() const;
  const std::string& unk_token() const;

  const TokenizerConfig& config() const;
  const std::string& chat_template() const { return config().chat_template; }
  bool add_bos_token() const { return config().add_bos_token; }

  /// The files a saved model carries along, byte for byte as read, in the order of their names.
  const std::vector<TokenizerFile>& files() const;

  /// Content hash of everything that affects ids or text: the whole of tokenizer.json. Equal for equal content only.
  uint64_t fingerprint() const;

  /// What tokenizer.json says beside vocabulary, merges and added tokens of how text becomes ids: an object of
  /// normalizer and pre_tokenizer (as they stand there, or null) and ignore_merges.
  const nlohmann::json& rules() const;

 private:
  friend class StreamDecoder;
  struct State;
  explicit Tokenizer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Decodes ids one by one, for streaming. The concatenation of everything returned by feed() and finish() equals
/// Tokenizer::decode of all ids fed; every returned piece is valid UTF-8 and no character is split.
/// One object per stream; not thread-safe.
class StreamDecoder {
 public:
  StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special_tokens);

  /// Text that became complete with `id`; "" while a character is still incomplete.
  std::string feed(int32_t id);

  /// What is left: an incomplete character becomes U+FFFD. The decoder is then ready for a new stream.
  std::string finish();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool skip_special_tokens_;
  bool any_token_ = false;
  std::string pending_;
};

}  // namespace ftrun
