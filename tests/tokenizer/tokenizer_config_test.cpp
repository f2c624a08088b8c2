// tokenizer_config.json, special_tokens_map.json and chat templates of a folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/error.h"
#include "tests/tokenizer/golden_files.h"

namespace ftrun {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TokenizerFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("ftrun_tokenizer_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    write("tokenizer.json", read_file(tokenizer_test::golden_path("base.json")));
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    write_file_atomically(folder_ / name, text);
  }
  std::string refusal(ftrun_status code = FTRUN_INVALID_ARGUMENT) {
    try {
      Tokenizer::load(folder_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      return error.what();
    }
    return "accepted";
  }
  fs::path folder_;
};

TEST_F(TokenizerFolderTest, NothingIsGuessed) {
  const auto tokenizer = Tokenizer::load(folder_);
  EXPECT_FALSE(tokenizer->bos_id() || tokenizer->eos_id() || tokenizer->pad_id() || tokenizer->unk_id());
  EXPECT_EQ(tokenizer->eos_token(), "");
  EXPECT_EQ(tokenizer->chat_template(), "");
  EXPECT_FALSE(tokenizer->config().model_max_length);
}

TEST_F(TokenizerFolderTest, NamedTokens) {
  write("tokenizer_config.json", R"({"bos_token": {"content": "<|im_start|>", "lstrip": false, "__type": "AddedToken"},
      "eos_token": "<|im_end|>", "pad_token": null, "unk_token": "<none>", "add_bos_token": true,
      "additional_special_tokens": ["<|im_start|>"], "extra_special_tokens": {"image_token": "<|endoftext|>"},
      "model_max_length": 1000000000000000019884624838656, "chat_template": "{{ x }}",
      "added_tokens_decoder": {"0": {"content": "<|endoftext|>"}}})");
  write("special_tokens_map.json", R"({"eos_token": "ignored", "pad_token": "ignored too"})");
  const auto tokenizer = Tokenizer::load(folder_);
  EXPECT_EQ(tokenizer->bos_id(), 1);
  EXPECT_EQ(tokenizer->eos_id(), 2);
  EXPECT_FALSE(tokenizer->config().pad);
  EXPECT_THAT(tokenizer->config().contested_tokens, testing::ElementsAre(testing::Pair("eos_token", "<|im_end|>")));
  EXPECT_EQ(tokenizer->unk_token(), "<none>");
  EXPECT_EQ(tokenizer->unk_id(), std::nullopt);
  EXPECT_TRUE(tokenizer->add_bos_token());
  EXPECT_EQ(tokenizer->chat_template(), "{{ x }}");
  EXPECT_FALSE(tokenizer->config().model_max_length);
  ASSERT_EQ(tokenizer->config().additional_special_tokens.size(), 2u);
  EXPECT_EQ(tokenizer->config().additional_special_tokens[1].id, 0);
  ASSERT_EQ(tokenizer->files().size(), 3u);
  EXPECT_EQ(tokenizer->files()[0].name, "special_tokens_map.json");
}

// transformers 5.23 (and 4) opens these folders with the same tokens: tokenization_utils_base.py, _from_pretrained.
TEST_F(TokenizerFolderTest, TheMapWinsWithoutDeclaredTokens) {
  write(
      "tokenizer_config.json",
      R"({"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "unk_token": "<|im_end|>"})");
  write("special_tokens_map.json", R"({"eos_token": {"content": "<|endoftext|>", "lstrip": false},
      "pad_token": "<|im_start|>", "unk_token": null})");
  const auto tokenizer = Tokenizer::load(folder_);
  EXPECT_EQ(tokenizer->bos_token(), "<|im_start|>");
  EXPECT_EQ(tokenizer->eos_token(), "<|endoftext|>");
  EXPECT_EQ(tokenizer->eos_id(), 0);
  EXPECT_EQ(tokenizer->pad_id(), 1);
  EXPECT_FALSE(tokenizer->config().unk);
  EXPECT_THAT(tokenizer->config().contested_tokens, testing::ElementsAre(testing::Pair("eos_token", "<|endoftext|>"),
                                                                         testing::Pair("pad_token", "<|im_start|>")));
  write("tokenizer_config.json", R"({"model_max_length": 5})");
  EXPECT_EQ(Tokenizer::load(folder_)->eos_id(), 0);
  EXPECT_TRUE(Tokenizer::load(folder_)->config().contested_tokens.empty());
  fs::remove(folder_ / "tokenizer_config.json");
  EXPECT_EQ(Tokenizer::load(folder_)->pad_id(), 1);
}

TEST_F(TokenizerFolderTest, ChatTemplates) {
  write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "a"},
      {"name": "tool_use", "template": "b"}], "model_max_length": 2048})");
  EXPECT_EQ(Tokenizer::load(folder_)->chat_template(), "a");
  EXPECT_EQ(Tokenizer::load(folder_)->config().chat_template_file, (folder_ / "tokenizer_config.json").string());
  write("chat_template.jinja", "c\n");
  write("additional_chat_templates/rag.jinja", "d");
  const auto tokenizer = Tokenizer::load(folder_);
  EXPECT_EQ(tokenizer->chat_template(), "c\n");
  EXPECT_EQ(tokenizer->config().chat_template_file, (folder_ / "chat_template.jinja").string());
  EXPECT_EQ(tokenizer->config().named_chat_templates.at("tool_use"), "b");
  EXPECT_EQ(tokenizer->config().named_chat_templates.at("rag"), "d");
  EXPECT_EQ(tokenizer->config().model_max_length, 2048);
}

TEST_F(TokenizerFolderTest, Refusals) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"eos_token": 5})", "tokenizer_config.json: eos_token: expected a string"},
      {R"({"eos_token": {"text": "x"}})", "eos_token: lacks key \"content\""},
      {R"({"add_bos_token": "yes"})", "add_bos_token: expected true or false"},
      {R"({"model_max_length": "long"})", "model_max_length: expected a number"},
      {R"({"model_max_length": -1})", "model_max_length: expected a number that is not negative"},
      {R"({"chat_template": 5})", "chat_template: expected an array"},
      {R"({"chat_template": [{"name": "a"}]})", "chat_template[0]: lacks key \"template\""},
      {R"({"added_tokens_decoder": {"x": {"content": "a"}}})", "added_tokens_decoder.x: expected a token id"},
      {R"({"added_tokens_decoder": {"1": {"content": "<|im_end|>"}}})", "'<|im_end|>' has id 2 in tokenizer.json"},
      {R"({"added_tokens_decoder": {"500": {"content": "<x>"}}})", "'<x>' is not a token in tokenizer.json"},
      {R"({"eos_token": "<|im_ends|>"})",
       "tokenizer_config.json: eos_token: '<|im_ends|>' is not a token of tokenizer.json (did you mean '<|im_end|>'?)"},
      {R"({"bos_token": {"content": "<s>"}})", "bos_token: '<s>' is not a token of tokenizer.json"},
      {R"([])", "tokenizer_config.json: expected an object"},
      {R"({"eos_token": )", "tokenizer_config.json:1:"}};
  for (const auto& [text, message] : cases) {
    write("tokenizer_config.json", text);
    EXPECT_THAT(refusal(), HasSubstr(message)) << text;
  }
}

TEST_F(TokenizerFolderTest, MissingFiles) {
  fs::remove(folder_ / "tokenizer.json");
  EXPECT_THAT(refusal(FTRUN_NOT_FOUND), HasSubstr("tokenizer.json: no such file"));
  fs::remove_all(folder_);
  EXPECT_THAT(refusal(FTRUN_NOT_FOUND), HasSubstr("no such model folder"));
}

}  // namespace
}  // namespace ftrun
