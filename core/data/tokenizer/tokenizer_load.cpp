// Tokenizer::load: from the files of a model folder to a tokenizer.
// Leaves out: encoding and decoding (tokenizer.cpp).
#include <algorithm>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/nearest_name.h"
#include "core/data/tokenizer/tokenizer_config.h"
#include "core/data/tokenizer/tokenizer_state.h"

namespace ftrun {
namespace {

void check_template_ids(const JsonView& root, const PostProcessor& post, const Tokenizer& tokenizer) {
  for (const auto* ids : {&post.prefix, &post.suffix}) {
    for (const int32_t id : *ids) {
      if (tokenizer.has_id(id)) continue;
      root.at("post_processor").fail(fmt::format("{} is not the id of a token", id));
    }
  }
}

nlohmann::json rules_of(const nlohmann::json& document) {
  const auto part = [&](const char* key) { return document.contains(key) ? document[key] : nlohmann::json(); };
  return {{"normalizer", part("normalizer")},
          {"pre_tokenizer", part("pre_tokenizer")},
          {"ignore_merges", document["model"].value("ignore_merges", nlohmann::json()) == true}};
}

void look_up(std::optional<SpecialToken>& token, const Tokenizer& tokenizer) {
  if (token) token->id = tokenizer.token_to_id(token->text);
}

// transformers would add the token behind the vocabulary, where the model has no embedding for it.
void require_known(const std::optional<SpecialToken>& token, const std::vector<AddedToken>& added) {
  if (!token || token->id) return;
  std::vector<std::string> known;
  for (const AddedToken& other : added) known.push_back(other.content);
  throw invalid_argument("{}: '{}' is not a token of tokenizer.json{}", token->place, token->text,
                         did_you_mean(token->text, known));
}

}  // namespace

void Tokenizer::State::set_added_tokens(std::vector<AddedToken> tokens) {
  added_tokens = std::move(tokens);
  std::unordered_set<std::string_view> special_contents;
  for (const AddedToken& token : added_tokens) {
    if (token.special) special_contents.insert(token.content);
    added_ids.emplace(token.content, token.id);
    vocabulary_size = std::max(vocabulary_size, token.id + 1);
  }
  // `tokenizers` tries special tokens first where two texts are equal after normalization.
  for (const bool special : {true, false}) {
    for (const AddedToken& token : added_tokens) {
      if (token.special != special) continue;
      std::string storage;
      const std::string text(token.normalized ? normalizer.normalize(token.content, storage) : token.content);
      (token.normalized ? normalized_matcher : plain_matcher).add(text, token);
      added_by_id.emplace(token.id, AddedText{text, token.special, special_contents.contains(text)});
    }
  }
}

std::shared_ptr<const Tokenizer> Tokenizer::from_json(std::string_view tokenizer_json, const std::string& name) {
  TokenizerJson document = read_tokenizer_json(tokenizer_json, name);
  const JsonView root(document.rest, name);
  check_document(root);
  auto normalizer = read_normalizer(root);
  auto pre_tokenizer = read_pre_tokenizer(root);
  auto state = std::make_unique<State>(read_model(document, root), std::move(normalizer), std::move(pre_tokenizer));
  state->post_processor = read_post_processor(root);
  state->decoder = read_decoder(root);
  state->vocabulary_size = state->model.vocabulary().end_id();
  state->set_added_tokens(read_added_tokens(root, state->model.vocabulary()));
  state->fingerprint = content_hash(tokenizer_json);
  state->rules = rules_of(document.rest);
  std::shared_ptr<Tokenizer> tokenizer(new Tokenizer(std::move(state)));
  check_template_ids(root, tokenizer->state_->post_processor, *tokenizer);
  return tokenizer;
}

std::shared_ptr<const Tokenizer> Tokenizer::load(const std::filesystem::path& model_dir) {
  TokenizerFolder folder = read_tokenizer_folder(model_dir);
  std::shared_ptr<const Tokenizer> tokenizer;
  for (const TokenizerFile& file : folder.files) {
    if (file.name == "tokenizer.json") tokenizer = from_json(file.content, (model_dir / file.name).string());
  }
  for (const DeclaredToken& declared : folder.declared_tokens) {
    const std::optional<int32_t> id = tokenizer->token_to_id(declared.content);
    if (id == declared.id) continue;
    throw invalid_argument("{}: {}: '{}' {} in tokenizer.json", (model_dir / "tokenizer_config.json").string(),
                           declared.key_path, declared.content, id ? fmt::format("has id {}", *id) : "is not a token");
  }
  State& state = *tokenizer->state_;
  state.config = std::move(folder.config);
  state.files = std::move(folder.files);
  for (auto* token : {&state.config.bos, &state.config.eos, &state.config.pad, &state.config.unk}) {
    look_up(*token, *tokenizer);
  }
  for (const auto* token : {&state.config.bos, &state.config.eos}) require_known(*token, state.added_tokens);
  for (SpecialToken& token : state.config.additional_special_tokens) token.id = tokenizer->token_to_id(token.text);
  return tokenizer;
}

}  // namespace ftrun
