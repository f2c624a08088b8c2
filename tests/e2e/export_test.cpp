// What `ftrun export` refuses before it replaces a folder, and the folders that training must not write to.
// Leaves out: merging itself (lora_test.cpp), its arithmetic against PEFT (tests/model/lora_test.cpp).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"
#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using Keys = std::map<std::string, std::string>;

/// A base and an adapter of it in one folder.
class Export : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(run_small(folder_, "in/base", {{"max_steps", "1"}}).exit_code, 0);
    ASSERT_EQ(train("in/adapter").exit_code, 0);
  }

  ProgramResult train(const std::string& name, const Keys& more = {}) {
    Keys keys = {{"model_name_or_path", (folder_ / "in/base").string()},
                 {"train_from_scratch", ""},
                 {"finetuning_type", "lora"},
                 {"lora_rank", "2"},
                 {"max_steps", "2"}};
    for (const auto& [key, value] : more) keys[key] = value;
    return run_small(folder_, name, keys);
  }

  ProgramResult export_to(const fs::path& export_dir, const Keys& more = {}) {
    Keys keys = {{"model_name_or_path", (folder_ / "in/base").string()},
                 {"adapter_name_or_path", (folder_ / "in/adapter").string()},
                 {"overwrite_output_dir", "true"},
                 {"export_dir", export_dir.string()}};
    for (const auto& [key, value] : more) keys[key] = value;
    std::string text;
    for (const auto& [key, value] : keys) text += key + ": " + value + "\n";
    return run_ftrun({"export", "--config", write_text(folder_ / "export.yaml", text).string(), "--json"});
  }

  void expect_inputs_untouched() {
    EXPECT_TRUE(fs::exists(folder_ / "in/base/model.safetensors"));
    EXPECT_TRUE(fs::exists(folder_ / "in/base/config.json"));
    EXPECT_TRUE(fs::exists(folder_ / "in/adapter/adapter_model.safetensors"));
  }

  TestFolder folder_;
};

TEST_F(Export, NothingThatIsReadIsReplaced) {
  fs::create_directory_symlink(folder_ / "in/adapter", folder_ / "link");
  fs::create_directories(folder_ / "words/tokenizer");
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
    fs::copy(folder_ / "in/base" / name, folder_ / "words/tokenizer" / name);
  }
  const Keys words = {{"tokenizer_name_or_path", (folder_ / "words/tokenizer").string()}};
  const struct {
    fs::path export_dir;
    Keys keys;
    const char* message;
  } cases[] = {
      {folder_ / "in", {}, "contains model_name_or_path"},
      {folder_ / "in/base", {}, "is model_name_or_path"},
      {folder_ / "in/adapter/", {}, "is adapter_name_or_path"},
      {folder_ / "link", {}, "is adapter_name_or_path"},
      {folder_ / "words/tokenizer", words, "is tokenizer_name_or_path"},
      {folder_ / "words", words, "contains tokenizer_name_or_path"},
  };
  for (const auto& one : cases) {
    const ProgramResult result = export_to(one.export_dir, one.keys);
    EXPECT_EQ(result.exit_code, 2) << one.message << "\n" << result.all();
    EXPECT_THAT(result.all(), HasSubstr("export_dir: '"));
    EXPECT_THAT(result.all(), HasSubstr(one.message));
    expect_inputs_untouched();
  }
  EXPECT_TRUE(fs::exists(folder_ / "words/tokenizer/tokenizer.json"));
}

TEST_F(Export, OnlyAFormerExportIsReplaced) {
  const fs::path out = folder_ / "merged";
  ASSERT_EQ(export_to(out).exit_code, 0);
  EXPECT_EQ(export_to(out).exit_code, 0);
  write_text(out / "notes.txt", "mine");
  const ProgramResult foreign = export_to(out);
  EXPECT_EQ(foreign.exit_code, 2) << foreign.all();
  EXPECT_THAT(foreign.all(), HasSubstr("holds 'notes.txt', which is no file of an exported model"));
  EXPECT_EQ(bytes_of(out / "notes.txt"), "mine");
  fs::remove(out / "notes.txt");
  fs::remove(out / "export_results.json");  // as a model that was only trained
  const ProgramResult other = export_to(out);
  EXPECT_EQ(other.exit_code, 2) << other.all();
  EXPECT_THAT(other.all(), HasSubstr("has no export_results.json, which every export writes"));
  EXPECT_TRUE(fs::exists(out / "model.safetensors"));
}

TEST_F(Export, AFolderThatCannotBeMadeIsNamedWithItsKey) {
  const ProgramResult result = export_to("/proc/ftrun/out");
  EXPECT_EQ(result.exit_code, 2) << result.all();
  EXPECT_THAT(result.all(), HasSubstr("export_dir: '/proc/ftrun/out' cannot be made"));
}

TEST_F(Export, LogitsThatAreNoNumbersAreRefused) {
  // The last number of the file is one of a factor's.
  const fs::path file = folder_ / "in/adapter/adapter_model.safetensors";
  std::string bytes = bytes_of(file);
  bytes.replace(bytes.size() - 4, 4, std::string("\x00\x00\xc0\x7f", 4));
  write_text(file, bytes);
  const ProgramResult result = export_to(folder_ / "merged");
  EXPECT_EQ(result.exit_code, 1) << result.all();
  EXPECT_THAT(result.all(), HasSubstr("are infinite or no number"));
  EXPECT_FALSE(fs::exists(folder_ / "merged"));
}

TEST_F(Export, AnotherBaseIsWarnedOf) {
  fs::copy(folder_ / "in/base", folder_ / "other", fs::copy_options::recursive);
  EXPECT_THAT(export_to(folder_ / "same").err, testing::Not(HasSubstr("is it the same model")));
  const ProgramResult result = export_to(folder_ / "merged", {{"model_name_or_path", (folder_ / "other").string()}});
  EXPECT_EQ(result.exit_code, 0) << result.all();
  EXPECT_THAT(result.err, HasSubstr("in/base' (its base_model_name_or_path), and model_name_or_path is '"));
}

/// What PEFT may write and ftrun does not: ranks and alphas by module, targets as an expression, single layers.
TEST_F(Export, ContinuingAnAdapterKeepsItsPatterns) {
  const fs::path config = folder_ / "in/adapter/adapter_config.json";
  json edited = json::parse(bytes_of(config));
  edited["r"] = 8;
  edited["rank_pattern"] = {{".*_proj", 2}};
  edited["alpha_pattern"] = {{"q_proj", 32}, {"layers\\.0\\..*v_proj", 1}};
  edited["target_modules"] = ".*_proj";
  edited["layers_to_transform"] = {0, 1};
  write_text(config, edited.dump(1));
  const ProgramResult result = train("on", {{"adapter_name_or_path", (folder_ / "in/adapter").string()},
                                            {"lora_rank", ""},
                                            {"learning_rate", "0"},
                                            {"max_steps", "1"},
                                            {"save_strategy", "steps"},
                                            {"save_steps", "1"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  ASSERT_EQ(export_to(folder_ / "merged").exit_code, 0);
  for (const char* name : {"on", "on/checkpoint-1"}) {
    const json written = json::parse(bytes_of(folder_ / name / "adapter_config.json"));
    for (const char* key :
         {"r", "lora_alpha", "rank_pattern", "alpha_pattern", "target_modules", "layers_to_transform"}) {
      EXPECT_EQ(written.at(key), edited.at(key)) << name << " " << key;
    }
    EXPECT_EQ(bytes_of(folder_ / name / "adapter_model.safetensors"),
              bytes_of(folder_ / "in/adapter/adapter_model.safetensors"));
    ASSERT_EQ(export_to(folder_ / "again", {{"adapter_name_or_path", (folder_ / name).string()}}).exit_code, 0);
    EXPECT_EQ(bytes_of(folder_ / "again/model.safetensors"), bytes_of(folder_ / "merged/model.safetensors"));
  }
  edited["rank_pattern"] = json::object();
  write_text(config, edited.dump(1));
  const ProgramResult refused = export_to(folder_ / "refused");
  EXPECT_EQ(refused.exit_code, 2) << refused.all();
  EXPECT_THAT(refused.all(), HasSubstr("has rank 2, and adapter_config.json says 8"));
}

/// PEFT takes whatever ends on a name of modules_to_save: `norm` would be every layer's q_norm and layernorms too.
TEST_F(Export, WholeModulesAreNamedAsPeftFindsThem) {
  ASSERT_EQ(train("whole", {{"additional_target", "norm"}}).exit_code, 0);
  const json config = json::parse(bytes_of(folder_ / "whole/adapter_config.json"));
  EXPECT_EQ(config.at("modules_to_save"), json({"model.norm"}));
}

/// Writes `name` anew with every number of `tensor` doubled.
void double_tensor(const fs::path& file, const std::string& tensor) {
  std::vector<TensorSpec> specs;
  std::map<std::string, std::vector<std::byte>> bytes;
  {
    const SafetensorsFile before(file);
    for (const TensorEntry& entry : before.tensors()) {
      ASSERT_EQ(entry.dtype, StoredDtype::kF32);
      specs.push_back({entry.name, entry.dtype, entry.shape});
      std::vector<std::byte>& copy = bytes[entry.name];
      copy.assign(entry.bytes.begin(), entry.bytes.end());
      if (entry.name != tensor) continue;
      std::vector<float> values(copy.size() / sizeof(float));
      std::memcpy(values.data(), copy.data(), copy.size());
      for (float& value : values) value *= 2;
      std::memcpy(copy.data(), values.data(), copy.size());
    }
  }
  SafetensorsWriter writer(file, specs);
  for (const TensorSpec& spec : specs) writer.write(spec.name, bytes.at(spec.name));
  writer.finish();
}

/// Arithmetic against PEFT: tests/model/lora_test.cpp.
TEST_F(Export, AnAdapterWithTwoTensorsForATiedPairIsExportedUntied) {
  ASSERT_TRUE(json::parse(bytes_of(folder_ / "in/base/config.json")).at("tie_word_embeddings"));
  ASSERT_EQ(train("in/adapter2", {{"additional_target", "lm_head,embed_tokens"}}).exit_code, 0);
  const fs::path weights = folder_ / "in/adapter2/adapter_model.safetensors";
  double_tensor(weights, "base_model.model.lm_head.weight");
  const Keys adapter = {{"adapter_name_or_path", (folder_ / "in/adapter2").string()}};
  const auto with_tie = [&](const char* tie) {
    Keys keys = adapter;
    if (tie != nullptr) keys["tie_word_embeddings"] = tie;
    return keys;
  };
  for (const char* tie : {static_cast<const char*>(nullptr), "true"}) {
    const ProgramResult tied = export_to(folder_ / "tied", with_tie(tie));
    EXPECT_EQ(tied.exit_code, 2) << tied.err;
    EXPECT_THAT(tied.all(), HasSubstr("holds two different tensors for them"));
    EXPECT_THAT(tied.all(), HasSubstr("ftrun export writes two with tie_word_embeddings: false"));
  }
  const ProgramResult untied = export_to(folder_ / "untied", with_tie("false"));
  ASSERT_EQ(untied.exit_code, 0) << untied.err;
  EXPECT_LT(json::parse(untied.out).at("relative_rms").get<double>(), 1e-4);
  EXPECT_FALSE(json::parse(bytes_of(folder_ / "untied/config.json")).at("tie_word_embeddings"));
  {
    const SafetensorsFile adapted(weights);
    const SafetensorsFile written(folder_ / "untied/model.safetensors");
    for (const char* name : {"lm_head.weight", "model.embed_tokens.weight"}) {
      const auto expected = adapted.require("base_model.model." + std::string(name)).bytes;
      EXPECT_TRUE(std::ranges::equal(written.require(name).bytes, expected)) << name;
    }
  }
  // The untied folder cannot be tied again, and is trained on as it is.
  const Keys again = {{"model_name_or_path", (folder_ / "untied").string()}, {"tie_word_embeddings", "true"}};
  std::string text = "export_dir: " + (folder_ / "again").string() + "\n";
  for (const auto& [key, value] : again) text += key + ": " + value + "\n";
  const ProgramResult refused = run_ftrun({"export", "--config", write_text(folder_ / "again.yaml", text).string()});
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err,
              HasSubstr("tie_word_embeddings: is true, and 'model.embed_tokens.weight' and 'lm_head.weight'"));
  EXPECT_EQ(train("on", {{"model_name_or_path", (folder_ / "untied").string()}, {"max_steps", "1"}}).exit_code, 0);
  EXPECT_EQ(train("on", {{"tie_word_embeddings", "false"}, {"overwrite_output_dir", "true"}}).exit_code, 2);
}

/// There and back: two equal tensors are the one that they were.
TEST_F(Export, ABaseIsUntiedAndTiedAgain) {
  const auto convert = [&](const std::string& from, const std::string& to, const char* tie) {
    return run_ftrun({"export", "--model", (folder_ / from).string(), "--export_dir", (folder_ / to).string(),
                      "--tie_word_embeddings", tie});
  };
  ASSERT_EQ(convert("in/base", "untied", "false").exit_code, 0);
  ASSERT_EQ(convert("untied", "tied", "true").exit_code, 0);
  ASSERT_EQ(convert("in/base", "same", "true").exit_code, 0);
  EXPECT_EQ(bytes_of(folder_ / "tied/model.safetensors"), bytes_of(folder_ / "same/model.safetensors"));
  EXPECT_GT(fs::file_size(folder_ / "untied/model.safetensors"), fs::file_size(folder_ / "tied/model.safetensors"));
  EXPECT_TRUE(json::parse(bytes_of(folder_ / "tied/config.json")).at("tie_word_embeddings"));
}

TEST_F(Export, TrainingWritesToNoAdapterOrReferenceThatItReads) {
  const std::string adapter = (folder_ / "in/adapter").string();
  const std::string before = bytes_of(folder_ / "in/adapter/adapter_model.safetensors");
  const Keys on = {{"adapter_name_or_path", adapter}, {"lora_rank", ""}, {"overwrite_output_dir", "true"}};
  const ProgramResult same = train("in/adapter", on);
  EXPECT_EQ(same.exit_code, 2) << same.all();
  EXPECT_THAT(same.err, HasSubstr("output_dir: '" + adapter + "' is adapter_name_or_path '"));
  Keys apart = on;  // the model elsewhere, so that only the adapter lies inside
  apart["model_name_or_path"] = (folder_ / "base").string();
  fs::copy(folder_ / "in/base", folder_ / "base", fs::copy_options::recursive);
  const ProgramResult around = train("in", apart);
  EXPECT_EQ(around.exit_code, 2) << around.all();
  EXPECT_THAT(around.err, HasSubstr("contains adapter_name_or_path '"));

  const ProgramResult reference = train("in/base", {{"stage", "dpo"},
                                                    {"model_name_or_path", (folder_ / "base").string()},
                                                    {"ref_model", (folder_ / "in/base").string()},
                                                    {"overwrite_output_dir", "true"}});
  EXPECT_EQ(reference.exit_code, 2) << reference.all();
  EXPECT_THAT(reference.err, HasSubstr("is ref_model '"));
  EXPECT_EQ(bytes_of(folder_ / "in/adapter/adapter_model.safetensors"), before);
  expect_inputs_untouched();
}

}  // namespace
}  // namespace ftrun::test
