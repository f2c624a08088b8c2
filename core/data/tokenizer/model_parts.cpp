// Builds the BPE model and the added tokens from what tokenizer.json says.
// Leaves out: the other parts (tokenizer_parts.cpp).
#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/data/tokenizer/byte_alphabet.h"
#include "core/data/tokenizer/tokenizer_parts.h"

namespace ftrun {
namespace {

void expect_absent_or_empty(const JsonView& model, std::string_view key) {
  const auto value = model.find(key);
  if (value && !value->text().empty()) value->fail("is not supported; expected null or \"\"");
}

void check_model(const JsonView& model) {
  if (const auto type = model.find("type"); type && type->text() != "BPE") {
    type->fail(fmt::format("'{}' is not supported; supported: BPE", type->text()));
  }
  model.expect_keys({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                     "byte_fallback", "ignore_merges", "vocab", "merges"});
  expect_absent_or_empty(model, "continuing_subword_prefix");
  expect_absent_or_empty(model, "end_of_word_suffix");
  if (const auto dropout = model.find("dropout")) {
    if (!dropout->raw().is_number() || dropout->raw().get<double>() != 0) {
      dropout->fail("is not supported; expected null or 0");
    }
  }
  if (model.flag_or("byte_fallback", false)) {
    model.at("byte_fallback").fail("is not supported for byte-level tokenizers; expected false");
  }
}

MergeTable build_merges(const MergeList& list, const TokenTable& vocabulary, const JsonView& model) {
  MergeTable table;
  table.reserve(list.size());
  for (size_t k = 0; k < list.size(); ++k) {
    const auto id_of = [&](std::string_view token, std::string_view role) {
      const auto id = vocabulary.find(token);
      if (!id) {
        JsonView(model.raw(), model.file(), fmt::format("model.merges[{}]", k))
            .fail(fmt::format("{} token '{}' is not in model.vocab", role, token));
      }
      return *id;
    };
    const int32_t left = id_of(list.left(k), "left");
    const int32_t right = id_of(list.right(k), "right");
    table.set(left, right, {static_cast<uint32_t>(k), id_of(list.joined(k), "merged")});
  }
  return table;
}

bool has_every_byte(const TokenTable& vocabulary) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (!vocabulary.find(symbol_of_byte(static_cast<uint8_t>(byte)))) return false;
  }
  return true;
}

AddedToken read_added_token(const JsonView& entry) {
  entry.expect_keys({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
  AddedToken token;
  token.id = entry.at("id").token_id();
  token.content = entry.at("content").text();
  token.single_word = entry.at("single_word").flag();
  token.lstrip = entry.at("lstrip").flag();
  token.rstrip = entry.at("rstrip").flag();
  token.normalized = entry.at("normalized").flag();
  token.special = entry.at("special").flag();
  if (token.content.empty()) entry.at("content").fail("expected a text that is not empty");
  return token;
}

}  // namespace

BpeModel read_model(TokenizerJson& document, const JsonView& root) {
  const JsonView model = root.at("model");
  check_model(model);
  BpeModel::Options options;
  options.ignore_merges = model.flag_or("ignore_merges", false);
  options.fuse_unknown = model.flag_or("fuse_unk", false);
  if (const auto unknown = model.find("unk_token")) {
    options.unknown_id = document.vocabulary.find(unknown->text());
    // As in `tokenizers`, a name without token matters only when it can be needed.
    if (!options.unknown_id && !has_every_byte(document.vocabulary)) {
      unknown->fail(fmt::format("'{}' is not in model.vocab, which lacks some bytes", unknown->text()));
    }
  }
  MergeTable merges = build_merges(document.merges, document.vocabulary, model);
  return BpeModel(std::move(document.vocabulary), std::move(merges), options);
}

std::vector<AddedToken> read_added_tokens(const JsonView& root, const TokenTable& vocabulary) {
  std::vector<AddedToken> tokens;
  const auto list = root.find("added_tokens");
  if (!list) return tokens;
  std::set<std::string> contents;
  const auto vocabulary_tokens = static_cast<int32_t>(vocabulary.size());
  int32_t next_free = vocabulary_tokens;
  for (const JsonView& entry : list->elements()) {
    AddedToken token = read_added_token(entry);
    if (!contents.insert(token.content).second)
      entry.at("content").fail(fmt::format("'{}' appears twice", token.content));
    const int32_t id = vocabulary.find(token.content).value_or(next_free);
    if (token.id != id) {
      entry.at("id").fail(
          fmt::format("'{}' says {}, but its place in the file gives it id {}", token.content, token.id, id));
    }
    if (const std::string_view* other = vocabulary.text_of(id); other != nullptr && *other != token.content) {
      entry.at("id").fail(fmt::format("{} is also the id of '{}' in model.vocab", id, *other));
    }
    if (id >= vocabulary_tokens) next_free = std::max(next_free, id + 1);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace ftrun
