// Every malformed or unsupported tokenizer.json is refused, naming file and key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/tokenizer/golden_files.h"

namespace ftrun {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using tokenizer_test::golden;

std::string message_of(const std::string& text) {
  try {
    Tokenizer::from_json(text, "dir/tokenizer.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT) << error.what();
    return error.what();
  }
  return "accepted";
}

struct Case {
  const char* pointer;  // JSON pointer of what is replaced; "-" in front removes it
  json value;
  const char* expected;
};

void check(const json& base, const Case& test) {
  json document = base;
  if (test.pointer[0] == '-') {
    const json::json_pointer pointer(test.pointer + 1);
    document[pointer.parent_pointer()].erase(pointer.back());
  } else {
    document[json::json_pointer(test.pointer)] = test.value;
  }
  EXPECT_THAT(message_of(document.dump()), AllOf(HasSubstr("dir/tokenizer.json: "), HasSubstr(test.expected)))
      << test.pointer;
}

const json kSplit = json::parse(R"({"type":"Split","pattern":{"Regex":"a"},"behavior":"Isolated","invert":false})");
const json kByteLevel = json::parse(R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true})");

json split_with(const char* key, const json& value) {
  json split = kSplit;
  split[key] = value;
  return {{"type", "Sequence"}, {"pretokenizers", {split, kByteLevel}}};
}

TEST(MalformedTokenizerTest, ModelAndAddedTokens) {
  const json base = golden("base.json");
  const json token = base["added_tokens"][0];
  const auto changed = [&](const char* key, const json& value) {
    json copy = token;
    copy[key] = value;
    return copy;
  };
  const Case cases[] = {
      {"/model/merges/5", json::array({"a", "no such"}),
       "model.merges[5]: right token 'no such' is not in model.vocab"},
      {"/model/merges/5", json::array({"no such", "a"}), "model.merges[5]: left token"},
      {"/model/merges/5", json::array({"!", "!!!!!"}), "model.merges[5]: right token"},
      {"/model/merges/5", json::array({"!", "~"}), "model.merges[5]: merged token '!~'"},
      {"/model/merges/5", json::array({"a"}), "model.merges[5]: expected two tokens"},
      {"/model/merges/5", json::array({"a", "b", "c"}), "model.merges[5]: expected two tokens"},
      {"/model/merges/5", "a b", "model.merges[5]: expected an array"},
      {"/model/merges/5", 7, "model.merges[5]: expected text or an array"},
      {"/model/merges/5", json::array({"a", 7}), "model.merges[5]: expected text or an array"},
      {"/model/merges", json::array({"a b c"}), "model.merges[0]: expected two tokens with one space"},
      {"/model/merges", "x", "model: lacks the array \"merges\""},
      {"-/model/merges", {}, "model: lacks the array \"merges\""},
      {"-/model/vocab", {}, "model: lacks the object \"vocab\""},
      {"-/model", {}, "lacks the object \"model\""},
      {"/model/vocab", json::array({json::array({"a", 0.5})}), "model: lacks the object \"vocab\""},
      {"/model/vocab/a", -1, "model.vocab.a: expected a token id (0..16777215), got -1"},
      {"/model/vocab/a", 1.5, "model.vocab.a: expected a token id"},
      {"/model/vocab/a", "x", "model.vocab.a: expected a token id"},
      {"/model/vocab/a", 99999999999, "model.vocab.a: expected a token id"},
      {"/model/vocab/a", json::array(), "model.vocab.a: expected a token id"},
      {"/model/vocab/a", base["model"]["vocab"]["b"], "is also the id of 'a'"},
      {"/model/type", "Unigram", "model.type: 'Unigram' is not supported"},
      {"/model/dropout", 0.1, "model.dropout: is not supported"},
      {"/model/byte_fallback", true, "model.byte_fallback: is not supported"},
      {"/model/byte_fallback", "no", "model.byte_fallback: expected true or false"},
      {"/model/continuing_subword_prefix", "##", "model.continuing_subword_prefix: is not supported"},
      {"/model/end_of_word_suffix", "</w>", "model.end_of_word_suffix: is not supported"},
      {"/model/ignore_merge", true, "model.ignore_merge: unknown key"},
      {"/added_tokens/1/id", 0, "added_tokens[1].id: '<|im_start|>' says 0"},
      {"/added_tokens/1/id", "1", "added_tokens[1].id: expected a token id"},
      {"/added_tokens/3", changed("content", "<new>"), "added_tokens[3].id: '<new>' says 0"},
      {"/added_tokens/1/content", "<|endoftext|>", "added_tokens[1].content: '<|endoftext|>' appears twice"},
      {"/added_tokens/1/content", "", "added_tokens[1].content: expected a text"},
      {"/added_tokens/1/lstrip", 1, "added_tokens[1].lstrip: expected true or false"},
      {"-/added_tokens/1/rstrip", {}, "added_tokens[1]: lacks key \"rstrip\""},
      {"/added_tokens", json::object(), "added_tokens: expected an array"},
      {"/version", "2.0", "version: '2.0' is not supported"},
      {"/post_procesor", nullptr, "post_procesor: unknown key"}};
  for (const Case& test : cases) check(base, test);
}

TEST(MalformedTokenizerTest, Pipeline) {
  const json base = golden("base.json");
  const json after = {{"type", "Sequence"}, {"pretokenizers", {kByteLevel, kSplit}}};
  const json bos = json::parse(R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
      {"Sequence":{"id":"A","type_id":0}}],"pair":[],
      "special_tokens":{"<s>":{"id":"<s>","ids":[9999],"tokens":["x"]}}})");
  json unnamed = bos;
  unnamed["special_tokens"] = json::object();
  json without_text = bos;
  without_text["single"].erase(1);
  const Case cases[] = {
      {"/normalizer", {{"type", "Lowercase"}}, "normalizer.type: 'Lowercase' is not supported; supported: NFC, NFD"},
      {"/normalizer", {{"type", "NFCC"}}, "'NFCC' is not supported; supported: NFC, NFD"},
      {"/normalizer", {{"typ", "NFC"}}, "normalizer: lacks key \"type\""},
      {"/normalizer", "NFC", "normalizer: expected an object, got string"},
      {"/normalizer",
       {{"type", "Sequence"}, {"normalizers", {{{"type", "Prepend"}, {"prepend", "_"}}}}},
       "normalizer.normalizers[0].type: 'Prepend'"},
      {"/pre_tokenizer", nullptr, "pre_tokenizer must end with type ByteLevel"},
      {"/pre_tokenizer", kSplit, "pre_tokenizer must end with type ByteLevel"},
      {"/pre_tokenizer", after, "pre_tokenizer.pretokenizers[1]: a pre-tokenizer after ByteLevel"},
      {"/pre_tokenizer", {{"type", "Metaspace"}}, "pre_tokenizer.type: 'Metaspace' is not supported"},
      {"-/pre_tokenizer/add_prefix_space", {}, "pre_tokenizer: lacks key \"add_prefix_space\""},
      {"/pre_tokenizer", split_with("behavior", "isolated"), "'isolated' is not one of Removed, Isolated"},
      {"/pre_tokenizer", split_with("invert", 0), "pretokenizers[0].invert: expected true or false"},
      {"/pre_tokenizer", split_with("pattern", {{"Regex", "(a"}}),
       "pretokenizers[0].pattern.Regex: regular expression"},
      {"/pre_tokenizer", split_with("pattern", {{"Regex", "a\\w"}}), "byte 2: '\\w' is not supported"},
      {"/pre_tokenizer", split_with("pattern", {{"String", ""}}), "pattern.String: an empty pattern"},
      {"/pre_tokenizer", split_with("pattern", {{"String", "a"}, {"Regex", "a"}}), "either \"Regex\" or \"String\""},
      {"/pre_tokenizer", split_with("pattern", "a"), "pretokenizers[0].pattern: expected an object"},
      {"/decoder", {{"type", "WordPiece"}}, "decoder.type: 'WordPiece' is not supported"},
      {"/decoder",
       {{"type", "Sequence"}, {"decoders", {{{"type", "Fuse"}}, kByteLevel}}},
       "decoder.decoders[1]: only Fuse"},
      {"/post_processor", {{"type", "BertProcessing"}}, "post_processor.type: 'BertProcessing' is not supported"},
      {"/post_processor", bos, "post_processor: 9999 is not the id of a token"},
      {"/post_processor", unnamed, "post_processor.single[0].SpecialToken.id: '<s>' is not in"},
      {"/post_processor", without_text, "post_processor.single: lacks the sequence 'A'"}};
  for (const Case& test : cases) check(base, test);
}

TEST(MalformedTokenizerTest, TextBehindAZeroByteIsNotIgnored) {
  const std::string text = golden("base.json").dump();
  EXPECT_THAT(message_of(text + std::string("\0junk{{{", 8)),
              HasSubstr(fmt::format("1:{}: not valid JSON: a zero byte", text.size() + 1)));
  EXPECT_THAT(message_of(std::string("{\"version\": \"1.0\0\"}", 19)), HasSubstr("1:17: not valid JSON: a zero byte"));
}

TEST(MalformedTokenizerTest, RepeatedKeys) {
  EXPECT_THAT(message_of(R"({"model":{"vocab":{"a":0,"a":1},"merges":[]}})"),
              HasSubstr("model.vocab.a: token appears twice"));
  EXPECT_THAT(message_of(R"({"version":"1.0","version":"1.0"})"), HasSubstr("version: key appears twice"));
  EXPECT_THAT(message_of(R"({"model":{"vocab":{},"merges":[],"merges":[]}})"),
              HasSubstr("model.merges: appears twice"));
}

TEST(MalformedTokenizerTest, EveryTruncationIsRefused) {
  const std::string text = golden("base.json").dump();
  for (size_t size = 0; size < text.size(); size += size < 1200 ? 1 : 97) {
    EXPECT_THAT(message_of(text.substr(0, size)), HasSubstr("dir/tokenizer.json:1:")) << size;
  }
}

/// Replaces each value in turn by values of other types: an error or a tokenizer, never anything else.
void replace_everywhere(json& document, json& value, int& accepted) {
  if (value.is_structured() && value.size() < 100) {
    for (json& part : value) replace_everywhere(document, part, accepted);
  }
  const json original = value;
  for (const json& other : {json(nullptr), json(true), json(-3), json(1.5), json("x"), json::array(), json::object()}) {
    value = other;
    if (message_of(document.dump()) == "accepted") ++accepted;
  }
  value = original;
}

TEST(MalformedTokenizerTest, WrongTypesAnywhere) {
  json document = json::parse(tokenizer_test::patched_base(golden("variants.json")["variants"]["template"]["patch"]));
  int accepted = 0;
  replace_everywhere(document, document, accepted);
  // Accepted are null for optional parts, other flags, and anything inside the unused "pair" template and type ids.
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 170);
}

}  // namespace
}  // namespace ftrun
