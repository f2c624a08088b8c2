// Files beside the weights: copied byte for byte, or changed exactly where asked.
#include "core/io/model_folder.h"

#include "core/base/json_text.h"
#include "tests/io/io_fixture.h"

namespace ftrun {
namespace {

constexpr const char* kConfig = R"({"hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,"vocab_size":10})";

void fill_source(const TemporaryFolder& source) {
  write_text(source / "tokenizer.json", "{ \"any\":  1}\n");
  write_text(source / "tokenizer_config.json",
             R"({"eos_token":{"content":"</s>","lstrip":false},"chat_template":"old","k":1})");
  write_text(source / "special_tokens_map.json",
             R"({"eos_token":{"content":"</s>","rstrip":true},"additional_special_tokens":["<a>"]})");
  write_text(source / "merges.txt", "a b\r\n");
  write_text(source / "chat_template.jinja", "old");
  write_text(source / "unrelated.bin", "x");
}

TEST(ModelFolder, CopiesTokenizerFilesUnchanged) {
  const TemporaryFolder source;
  const TemporaryFolder out;
  fill_source(source);
  ModelFolderFiles files{source.path(), parse_model_config(kConfig, "config.json"), {}, {}, {}};
  files.generation = parse_generation_config(R"({"eos_token_id":1})", "generation_config.json");
  const Path folder = out / "nested/model";
  save_model_files(folder, files);
  uint64_t on_disk = 0;
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "merges.txt", "chat_template.jinja"}) {
    EXPECT_EQ(read_file(folder / name), read_file(source / name)) << name;
  }
  for (const auto& item : std::filesystem::directory_iterator(folder)) on_disk += item.file_size();
  EXPECT_EQ(on_disk, model_files_bytes(files));
  EXPECT_FALSE(std::filesystem::exists(folder / "unrelated.bin"));
  EXPECT_EQ(read_json_file(folder / "config.json"), nlohmann::json::parse(kConfig));
  EXPECT_EQ(read_json_file(folder / "generation_config.json")["eos_token_id"], 1);
}

TEST(ModelFolder, WritesTemplateAndSpecialTokens) {
  const TemporaryFolder source;
  const TemporaryFolder out;
  fill_source(source);
  ModelFolderFiles files{source.path(), parse_model_config(kConfig, "config.json"), {}, {}, {}};
  files.chat_template = "{{ new }}";
  files.special_tokens = {{"eos_token", "<|im_end|>"}, {"pad_token", "<|im_end|>"}};
  save_model_files(out.path(), files);
  const nlohmann::json config = read_json_file(out / "tokenizer_config.json");
  EXPECT_EQ(config["chat_template"], "{{ new }}");
  EXPECT_EQ(config["eos_token"]["content"], "<|im_end|>");
  EXPECT_EQ(config["eos_token"]["lstrip"], false);
  EXPECT_EQ(config["pad_token"], "<|im_end|>");
  EXPECT_EQ(config["k"], 1);
  EXPECT_EQ(read_file(out / "chat_template.jinja"), "{{ new }}");
  EXPECT_EQ(read_json_file(out / "special_tokens_map.json"),
            nlohmann::json::parse(R"({"eos_token": {"content": "<|im_end|>", "rstrip": true},
                                      "pad_token": "<|im_end|>", "additional_special_tokens": ["<a>"]})"));
  EXPECT_EQ(read_file(out / "tokenizer.json"), read_file(source / "tokenizer.json"));
}

TEST(ModelFolder, SavesIntoItsOwnSource) {
  const TemporaryFolder source;
  fill_source(source);
  const auto before = std::filesystem::last_write_time(source / "tokenizer.json");
  save_model_files(source.path(), {source.path(), parse_model_config(kConfig, "config.json"), {}, {}, {}});
  EXPECT_EQ(std::filesystem::last_write_time(source / "tokenizer.json"), before);
  EXPECT_TRUE(std::filesystem::exists(source / "config.json"));
}

TEST(ModelFolder, RefusesSourcesWithoutTokenizer) {
  const TemporaryFolder source;
  const TemporaryFolder out;
  ModelFolderFiles files{source.path(), parse_model_config(kConfig, "config.json"), {}, "t", {}};
  expect_error(FTRUN_NOT_FOUND, {"no tokenizer files", "tokenizer.json"}, [&] { save_model_files(out.path(), files); });
  write_text(source / "tokenizer_config.json", "[]");
  expect_error(FTRUN_INVALID_ARGUMENT, {"tokenizer_config.json", "object"},
               [&] { save_model_files(out.path(), files); });
  EXPECT_TRUE(std::filesystem::is_empty(out.path()));
  files.tokenizer_source.clear();
  save_model_files(out.path(), files);
  EXPECT_TRUE(std::filesystem::exists(out / "config.json"));
  EXPECT_FALSE(std::filesystem::exists(out / "tokenizer_config.json"));
}

}  // namespace
}  // namespace ftrun
