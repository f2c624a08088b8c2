// Tokenizer: encoding, decoding and look-ups.
// Leaves out: loading (tokenizer_load.cpp), offsets (token_offsets.cpp), streaming (stream_decoder.cpp).
#include "core/data/tokenizer/tokenizer.h"

#include "core/base/utf8_text.h"
#include "core/data/tokenizer/byte_alphabet.h"
#include "core/data/tokenizer/tokenizer_state.h"

namespace ftrun {
namespace {

const std::string kNoText;

const std::string& text_or_empty(const std::optional<SpecialToken>& token) { return token ? token->text : kNoText; }

std::optional<int32_t> id_or_none(const std::optional<SpecialToken>& token) { return token ? token->id : std::nullopt; }

/// Appends the bytes of a token in the byte alphabet; any other text is taken as it is, as a whole.
void append_decoded(std::string_view token, std::string& bytes) {
  const size_t before = bytes.size();
  for (size_t k = 0; k < token.size();) {
    const CodePoint point = code_point_at(token, k);
    const int byte = byte_of_code_point(point.value);
    if (byte < 0) {
      bytes.resize(before);
      bytes.append(token);
      return;
    }
    bytes.push_back(static_cast<char>(byte));
    k += point.size_bytes;
  }
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tokenizer::~Tokenizer() = default;

std::unique_ptr<EncodeScratch> Tokenizer::State::take_scratch() const {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto scratch = std::move(idle_.back());
      idle_.pop_back();
      return scratch;
    }
  }
  return std::make_unique<EncodeScratch>();
}

void Tokenizer::State::return_scratch(std::unique_ptr<EncodeScratch> scratch) const {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(scratch));
}

void Tokenizer::State::encode_word(std::string_view word, EncodeScratch& scratch, std::vector<int32_t>& ids) const {
  if (!WordCache::fits(word)) return model.encode_word(word, scratch.bpe, ids);
  const WordCache::Key key = WordCache::key_of(word);
  if (const auto known = scratch.cache.find(key); !known.empty()) {
    ids.insert(ids.end(), known.begin(), known.end());
    return;
  }
  const size_t before = ids.size();
  model.encode_word(word, scratch.bpe, ids);
  scratch.cache.put(key, std::span<const int32_t>(ids).subspan(before));
}

void Tokenizer::State::encode_text(std::string_view text, EncodeScratch& scratch, std::vector<int32_t>& ids) const {
  pre_tokenizer.for_each_word(text, scratch.pre_tokenizer,
                              [&](std::string_view word, TextRange) { encode_word(word, scratch, ids); });
}

void Tokenizer::State::encode_part(std::string_view text, EncodeScratch& scratch, std::vector<int32_t>& ids) const {
  const std::string_view normalized = normalizer.normalize(text, scratch.normalized);
  if (normalized_matcher.empty()) return encode_text(normalized, scratch, ids);
  scratch.normalized_parts.clear();
  normalized_matcher.split(normalized, 0, scratch.normalized_parts);
  for (const TextPart& part : scratch.normalized_parts) {
    if (part.id)
      ids.push_back(*part.id);
    else
      encode_text(normalized.substr(part.begin, part.end - part.begin), scratch, ids);
  }
}

void Tokenizer::encode_append(std::string_view text, bool add_special_tokens, std::vector<int32_t>& ids) const {
  auto scratch = state_->take_scratch();
  if (well_formed_prefix(text) != text.size()) {
    scratch->repaired = replace_ill_formed(text);
    text = scratch->repaired;
  }
  const PostProcessor& post = state_->post_processor;
  if (add_special_tokens) ids.insert(ids.end(), post.prefix.begin(), post.prefix.end());
  scratch->parts.clear();
  state_->plain_matcher.split(text, 0, scratch->parts);
  for (const TextPart& part : scratch->parts) {
    if (part.id)
      ids.push_back(*part.id);
    else
      state_->encode_part(text.substr(part.begin, part.end - part.begin), *scratch, ids);
  }
  if (add_special_tokens) ids.insert(ids.end(), post.suffix.begin(), post.suffix.end());
  state_->return_scratch(std::move(scratch));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3 + 8);
  encode_append(text, add_special_tokens, ids);
  return ids;
}

void Tokenizer::State::append_bytes(int32_t id, bool skip_special_tokens, bool& any_token, std::string& bytes) const {
  std::string_view token;
  if (const auto added = added_by_id.find(id); added != added_by_id.end()) {
    if (skip_special_tokens && added->second.skipped) return;
    token = added->second.text;
  } else if (const std::string_view* text = model.vocabulary().text_of(id)) {
    token = *text;
  } else {
    return;
  }
  if (decoder == DecoderKind::kByteLevel) {
    append_decoded(token, bytes);
  } else {
    if (decoder == DecoderKind::kJoinWithSpaces && any_token) bytes.push_back(' ');
    bytes.append(token);
  }
  any_token = true;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::string bytes;
  bool any_token = false;
  for (const int32_t id : ids) state_->append_bytes(id, skip_special_tokens, any_token, bytes);
  return well_formed_prefix(bytes) == bytes.size() ? bytes : replace_ill_formed(bytes);
}

std::optional<int32_t> Tokenizer::token_to_id(std::string_view token) const {
  const auto added = state_->added_ids.find(token);
  return added != state_->added_ids.end() ? added->second : state_->model.vocabulary().find(token);
}

std::string_view Tokenizer::id_to_token(int32_t id) const {
  if (const auto added = state_->added_by_id.find(id); added != state_->added_by_id.end()) return added->second.text;
  const std::string_view* text = state_->model.vocabulary().text_of(id);
  return text == nullptr ? std::string_view() : *text;
}

bool Tokenizer::has_id(int32_t id) const {
  return state_->added_by_id.contains(id) || state_->model.vocabulary().text_of(id) != nullptr;
}

bool Tokenizer::is_special(int32_t id) const {
  const auto added = state_->added_by_id.find(id);
  return added != state_->added_by_id.end() && added->second.special;
}

int32_t Tokenizer::vocabulary_size() const { return state_->vocabulary_size; }
std::optional<int32_t> Tokenizer::bos_id() const { return id_or_none(config().bos); }
std::optional<int32_t> Tokenizer::eos_id() const { return id_or_none(config().eos); }
std::optional<int32_t> Tokenizer::pad_id() const { return id_or_none(config().pad); }
std::optional<int32_t> Tokenizer::unk_id() const { return id_or_none(config().unk); }
const std::string& Tokenizer::bos_token() const { return text_or_empty(config().bos); }
const std::string& Tokenizer::eos_token() const { return text_or_empty(config().eos); }
const std::string& Tokenizer::pad_token() const { return text_or_empty(config().pad); }
const std::string& Tokenizer::unk_token() const { return text_or_empty(config().unk); }
const TokenizerConfig& Tokenizer::config() const { return state_->config; }
const std::vector<TokenizerFile>& Tokenizer::files() const { return state_->files; }
uint64_t Tokenizer::fingerprint() const { return state_->fingerprint; }
const nlohmann::json& Tokenizer::rules() const { return state_->rules; }

}  // namespace ftrun
