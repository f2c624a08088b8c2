// Runs that train low-rank adapters: what is written, how such runs go on, and merging.
// Leaves out: arithmetic against PEFT (tests/model/lora_test.cpp), strategies one by one (tests/strategies).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/io/peft_adapter.h"
#include "core/io/safetensors.h"
#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using Keys = std::map<std::string, std::string>;

class Lora : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(run_small(folder_, "base", {{"max_steps", "4"}}).exit_code, 0); }

  Keys lora_keys(Keys more = {}) const {
    Keys keys = {{"finetuning_type", "lora"},
                 {"model_name_or_path", (folder_ / "base").string()},
                 {"train_from_scratch", ""},
                 {"lora_rank", "4"},
                 {"max_steps", "6"}};
    for (const auto& [key, value] : more) keys[key] = value;
    return keys;
  }
  ProgramResult run(const std::string& name, Keys more = {}, const std::vector<std::string>& arguments = {}) {
    return run_small(folder_, name, lora_keys(std::move(more)), arguments);
  }
  json result_of(const std::string& name) { return json::parse(bytes_of(folder_ / name / "train_results.json")); }

  ProgramResult export_to(const std::string& name, const Keys& keys) {
    std::string text = "export_dir: " + (folder_ / name).string() + "\n";
    Keys all = {{"model_name_or_path", (folder_ / "base").string()}};
    for (const auto& [key, value] : keys) all[key] = value;
    for (const auto& [key, value] : all) text += key + ": " + value + "\n";
    return run_ftrun({"export", "--config", write_text(folder_ / (name + ".yaml"), text).string(), "--json"});
  }

  TestFolder folder_;
};

TEST_F(Lora, WritesAnAdapterAndNoModel) {
  const ProgramResult result = run("adapter", {{"lora_target", "q_proj,mlp.up_proj"}, {"use_rslora", "true"}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string trained = "trained parameters: ";
  ASSERT_THAT(result.err, HasSubstr(trained));
  const int64_t count = std::stoll(result.err.substr(result.err.find(trained) + trained.size()));
  EXPECT_EQ(count, 3 * 4 * (128 + 128 + 128 + 384)) << "three blocks, rank 4, 128x128 and 384x128";
  EXPECT_THAT(result.err, HasSubstr("Number of trainable parameters = 9,216\n"));
  EXPECT_FALSE(fs::exists(folder_ / "adapter/model.safetensors"));
  EXPECT_FALSE(fs::exists(folder_ / "adapter/config.json"));
  EXPECT_TRUE(fs::exists(folder_ / "adapter/tokenizer.json"));
  const PeftAdapter adapter(folder_ / "adapter");
  EXPECT_EQ(adapter.config().r, 4);
  EXPECT_EQ(adapter.config().lora_alpha, 8);
  EXPECT_TRUE(adapter.config().use_rslora);
  EXPECT_THAT(adapter.config().target_modules, testing::ElementsAre("mlp.up_proj", "q_proj"));
  const int64_t layers = json::parse(bytes_of(folder_ / "base/config.json")).at("num_hidden_layers");
  EXPECT_EQ(adapter.pairs().size(), static_cast<size_t>(2 * layers));
  for (const PeftPair& pair : adapter.pairs()) {
    EXPECT_EQ(pair.rank(), 4);
    bool moved = false;
    for (const std::byte byte : pair.b->bytes) moved = moved || byte != std::byte{0};
    EXPECT_TRUE(moved) << pair.module;
  }
}

TEST_F(Lora, HoldsGradientsAndStatesOfPairsOnly) {
  const ProgramResult result = run("memory",
                                   {{"bf16", "true"},
                                    {"max_steps", "2"},
                                    {"strategy", "zero3"},
                                    {"nproc", "2"},
                                    {"per_device_train_batch_size", "2"}},
                                   {"--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json summary = json::parse(result.out);
  int64_t pairs = 0;
  const PeftAdapter adapter(folder_ / "memory");
  for (const PeftPair& pair : adapter.pairs()) {
    pairs += static_cast<int64_t>(pair.a->num_elements() + pair.b->num_elements());
  }
  // Master weights and two moments in f32, split over two ranks, with padding to 32 elements a unit.
  const double expected = 12.0 * static_cast<double>(pairs) / 2;
  const double found = summary.at("ranks").at(0).at("peak_memory_bytes").at("optimizer");
  EXPECT_GE(found, expected);
  // Padding, and slices rounded up to the allocator's alignment.
  EXPECT_LE(found, 1.1 * expected);
}

TEST_F(Lora, ResumesBitForBitAndTheLossIsThatOfOneRank) {
  const Keys saving = {
      {"bf16", "true"}, {"save_strategy", "steps"},           {"save_steps", "3"},    {"strategy", "zero3"},
      {"nproc", "2"},   {"per_device_train_batch_size", "2"}, {"lora_dropout", "0.1"}};
  ASSERT_EQ(run("whole", saving).exit_code, 0);
  Keys resuming = saving;
  resuming["resume_from_checkpoint"] = (folder_ / "whole/checkpoint-3").string();
  const ProgramResult resumed = run("resumed", resuming);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(bytes_of(folder_ / "resumed/adapter_model.safetensors"),
            bytes_of(folder_ / "whole/adapter_model.safetensors"));

  // The default, written out.
  Keys written = resuming;
  written["lora_alpha"] = "8";
  const ProgramResult same = run("written", written);
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_THAT(same.err, testing::Not(HasSubstr("lora_alpha")));

  Keys other = resuming;
  other["lora_rank"] = "8";
  const ProgramResult refused = run("other", other);
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("lora_rank: is 8, and '"));
  EXPECT_THAT(refused.err, HasSubstr("with adapter_name_or_path"));

  ASSERT_EQ(run("one", {{"lora_dropout", "0.1"}}).exit_code, 0);
  ASSERT_EQ(
      run("two", {{"lora_dropout", "0.1"}, {"strategy", "fsdp"}, {"nproc", "2"}, {"per_device_train_batch_size", "2"}})
          .exit_code,
      0);
  EXPECT_NEAR(result_of("one").at("train_loss").get<double>(), result_of("two").at("train_loss").get<double>(), 1e-5);
}

TEST_F(Lora, TrainingGoesOnWithTheLastAdapterAndMergesTheOthers) {
  ASSERT_EQ(run("first").exit_code, 0);
  const std::string first = (folder_ / "first").string();
  const Keys on = {{"adapter_name_or_path", first}, {"lora_rank", ""}};
  const ProgramResult second = run("second", on);
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_LT(result_of("second").at("train_loss").get<double>(), result_of("first").at("train_loss").get<double>());

  // Both ways the new run begins where the first one ended.
  Keys anew = on;
  anew["create_new_adapter"] = "true";
  ASSERT_EQ(run("third", anew).exit_code, 0);
  EXPECT_LT(result_of("third").at("train_loss").get<double>(), result_of("first").at("train_loss").get<double>());

  // What the adapter has, written out where the run that is resumed left it to the adapter.
  Keys saving = on;
  saving["save_steps"] = "3";
  saving["save_strategy"] = "steps";
  ASSERT_EQ(run("fourth", saving).exit_code, 0);
  saving["lora_rank"] = "4";
  saving["lora_alpha"] = "8";
  saving["resume_from_checkpoint"] = (folder_ / "fourth/checkpoint-3").string();
  const ProgramResult resumed = run("fifth", saving);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;

  Keys disagreeing = on;
  disagreeing["lora_rank"] = "2";
  const ProgramResult refused = run("refused", disagreeing);
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("whose training goes on, has 4"));
}

// Left in the file of the first run, they are what the adapter has, in whatever order and spelling.
TEST_F(Lora, TargetsEqualToTheAdaptersAreNoConflict) {
  const std::string pairs = (folder_ / "pairs").string();
  ASSERT_EQ(run("pairs", {{"lora_target", "q_proj,v_proj"}, {"max_steps", "1"}}).exit_code, 0);
  ASSERT_EQ(run("all", {{"additional_target", "lm_head,embed_tokens"}, {"max_steps", "1"}}).exit_code, 0);
  const auto on = [&](const std::string& adapter, const Keys& more) {
    Keys keys = {{"adapter_name_or_path", (folder_ / adapter).string()}, {"max_steps", "1"}};
    for (const auto& [key, value] : more) keys[key] = value;
    fs::remove_all(folder_ / "on");
    return run("on", keys);
  };
  for (const char* target : {"q_proj,v_proj", "[v_proj, q_proj]", "self_attn.q_proj,v_proj"}) {
    const ProgramResult result = on("pairs", {{"lora_target", target}});
    EXPECT_EQ(result.exit_code, 0) << target << ": " << result.err;
  }
  const ProgramResult everything =
      on("all", {{"lora_target", "all"}, {"additional_target", "embed_tokens,lm_head"}, {"lora_rank", "4"}});
  EXPECT_EQ(everything.exit_code, 0) << everything.err;
  EXPECT_EQ(PeftAdapter(folder_ / "on").config().modules_to_save,
            (std::vector<std::string>{"embed_tokens", "lm_head"}));

  const struct {
    const char* adapter;
    Keys keys;
    std::vector<std::string> messages;
  } cases[] = {
      {"pairs",
       {{"lora_target", "q_proj"}},
       {"lora_target: is q_proj, and the adapter in '" + pairs + "'", "has q_proj, v_proj"}},
      {"pairs", {{"lora_target", "all"}}, {"lora_target: is all, and", "has q_proj, v_proj"}},
      {"pairs", {{"lora_target", "q_prj"}}, {"did you mean 'q_proj'"}},
      {"pairs", {{"additional_target", "norm"}}, {"additional_target: is norm, and", "has none"}},
      {"all", {{"additional_target", "norm"}}, {"additional_target: is norm, and", "has embed_tokens, lm_head"}},
  };
  for (const auto& one : cases) {
    const ProgramResult refused = on(one.adapter, one.keys);
    EXPECT_EQ(refused.exit_code, 2) << refused.err;
    for (const std::string& message : one.messages) EXPECT_THAT(refused.err, HasSubstr(message));
  }
  // PEFT saves embeddings that were resized and not trained; going on, it does not train them either.
  const fs::path config = folder_ / "all/adapter_config.json";
  json untrained = json::parse(bytes_of(config));
  untrained["modules_to_save"] = nullptr;
  write_text(config, untrained.dump());
  const ProgramResult refused = on("all", {});
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("its modules_to_save does not name it"));
}

TEST_F(Lora, ARelativeBaseIsLookedForBesideTheAdapterAndFromHere) {
  ASSERT_EQ(run("adapter",
                {{"model_name_or_path", fs::relative(folder_ / "base", FTRUN_SOURCE_DIR).string()}, {"max_steps", "1"}})
                .exit_code,
            0);
  const fs::path config = folder_ / "adapter/adapter_config.json";
  EXPECT_EQ(PeftAdapter(folder_ / "adapter").config().base_model_name_or_path, (folder_ / "base").string());
  const auto export_on = [&](const std::string& base) {
    json changed = json::parse(bytes_of(config));
    changed["base_model_name_or_path"] = base;
    write_text(config, changed.dump());
    fs::remove_all(folder_ / "out");
    return run_ftrun({"export", "--model", (folder_ / "adapter").string(), "--export_dir", (folder_ / "out").string()});
  };
  for (const std::string& base :
       {std::string("base"), std::string("../base"), fs::relative(folder_ / "base", FTRUN_SOURCE_DIR).string()}) {
    const ProgramResult found = export_on(base);
    EXPECT_EQ(found.exit_code, 0) << base << ": " << found.err;
    EXPECT_THAT(found.err, testing::Not(HasSubstr("is it the same model?"))) << base;
  }
  const ProgramResult nowhere = export_on("no/such");
  EXPECT_EQ(nowhere.exit_code, 2) << nowhere.err;
  EXPECT_THAT(nowhere.err, testing::AllOf(HasSubstr("whose base 'no/such' is no model folder here (looked for at '" +
                                                    (fs::path(FTRUN_SOURCE_DIR) / "no/such").string() + "', '" +
                                                    (folder_ / "adapter/no/such").string() + "'")));
  fs::copy(folder_ / "base", folder_ / "adapter/base", fs::copy_options::recursive);
  const ProgramResult either = export_on("base");
  EXPECT_EQ(either.exit_code, 2) << either.err;
  EXPECT_THAT(either.err, HasSubstr("whose base 'base' may be any of '" + (folder_ / "adapter/base").string() + "', '" +
                                    (folder_ / "base").string() + "'"));
}

TEST_F(Lora, AnAdapterRemembersThoseBeneathIt) {
  ASSERT_EQ(run("first").exit_code, 0);
  const std::string first = (folder_ / "first").string(), second = (folder_ / "second").string();
  const ProgramResult trained = run("second", {{"adapter_name_or_path", first}, {"create_new_adapter", "true"}});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  ASSERT_EQ(export_to("both", {{"adapter_name_or_path", "[" + first + ", " + second + "]"}}).exit_code, 0);

  const ProgramResult by_folder =
      run_ftrun({"export", "--model", second, "--export_dir", (folder_ / "named").string()});
  ASSERT_EQ(by_folder.exit_code, 0) << by_folder.err;
  EXPECT_THAT(by_folder.err, HasSubstr("with '" + first + "' merged in"));
  EXPECT_EQ(bytes_of(folder_ / "named/model.safetensors"), bytes_of(folder_ / "both/model.safetensors"));

  const ProgramResult without = export_to("without", {{"adapter_name_or_path", second}});
  ASSERT_EQ(without.exit_code, 0) << without.err;
  EXPECT_THAT(without.err, HasSubstr("'" + second + "' was trained on its base with '" + first + "' merged in"));
  EXPECT_NE(bytes_of(folder_ / "without/model.safetensors"), bytes_of(folder_ / "both/model.safetensors"));

  const ProgramResult twice = export_to("twice", {{"adapter_name_or_path", "[" + first + ", " + first + "/]"}});
  EXPECT_EQ(twice.exit_code, 2) << twice.err;
  EXPECT_THAT(twice.all(), HasSubstr("is named twice"));

  // How its file is laid out does not make it another one.
  const fs::path config = folder_ / "first/adapter_config.json";
  write_text(config, json::parse(bytes_of(config)).dump(1));
  const ProgramResult rewritten =
      run_ftrun({"export", "--model", second, "--export_dir", (folder_ / "rewritten").string()});
  EXPECT_EQ(rewritten.exit_code, 0) << rewritten.err;

  fs::rename(folder_ / "first", folder_ / "moved");
  const ProgramResult gone = run_ftrun({"predict", "--model", second, "--eval_dataset", "demo_eval", "--dataset_dir",
                                        "configs/demo", "--output_dir", (folder_ / "predicted").string()});
  EXPECT_EQ(gone.exit_code, 2) << gone.err;
  EXPECT_THAT(gone.err,
              HasSubstr("trained with '" + first + "' merged into its base, which is no adapter folder here"));

  // One that was trained on the bare base has nothing to remember.
  EXPECT_FALSE(fs::exists(folder_ / "moved/adapters_beneath.json"));
}

TEST_F(Lora, ExportMergesChecksItselfAndShards) {
  ASSERT_EQ(run("dora", {{"use_dora", "true"}, {"learning_rate", "1.0e-2"}}).exit_code, 0);
  const Keys keys = {{"adapter_name_or_path", (folder_ / "dora").string()}, {"template", "chatml"}};
  const ProgramResult merged = export_to("merged", keys);
  ASSERT_EQ(merged.exit_code, 0) << merged.err;
  const json result = json::parse(merged.out);
  EXPECT_LE(result.at("relative_difference").get<double>(), 1e-4);
  EXPECT_GT(result.at("logits_checked").get<int64_t>(), 20);
  EXPECT_TRUE(fs::exists(folder_ / "merged/model.safetensors"));
  EXPECT_THAT(bytes_of(folder_ / "merged/Modelfile"), HasSubstr("PARAMETER stop \"<|im_end|>\""));
  EXPECT_NE(bytes_of(folder_ / "merged/model.safetensors"), bytes_of(folder_ / "base/model.safetensors"));
  // It trains on as a whole model.
  EXPECT_EQ(
      run_small(folder_, "on",
                {{"model_name_or_path", (folder_ / "merged").string()}, {"train_from_scratch", ""}, {"max_steps", "1"}})
          .exit_code,
      0);

  Keys small = keys;
  small["export_size"] = "0.001";
  small["save_dtype"] = "bfloat16";
  const ProgramResult sharded = export_to("sharded", small);
  ASSERT_EQ(sharded.exit_code, 0) << sharded.err;
  EXPECT_TRUE(fs::exists(folder_ / "sharded/model.safetensors.index.json"));

  Keys strict = small;
  strict["export_tolerance"] = "1.0e-9";
  const ProgramResult refused = export_to("refused", strict);
  EXPECT_EQ(refused.exit_code, 1) << refused.err;
  EXPECT_THAT(refused.all(), HasSubstr("answers differently"));
  EXPECT_FALSE(fs::exists(folder_ / "refused"));

  const ProgramResult again = export_to("merged", keys);
  EXPECT_EQ(again.exit_code, 2) << again.err;
  EXPECT_THAT(again.all(), HasSubstr("is not empty"));
}

TEST_F(Lora, PissaIsSavedForTheUnchangedBaseAndResumes) {
  const Keys saving = {{"pissa_init", "true"}, {"save_strategy", "steps"},
                       {"save_steps", "3"},    {"strategy", "zero3"},
                       {"nproc", "2"},         {"per_device_train_batch_size", "2"}};
  const ProgramResult result = run("pissa", saving);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(PeftAdapter(folder_ / "pissa").config().r, 8) << "twice the rank";
  Keys resuming = saving;
  resuming["resume_from_checkpoint"] = (folder_ / "pissa/checkpoint-3").string();
  ASSERT_EQ(run("resumed", resuming).exit_code, 0);
  EXPECT_EQ(bytes_of(folder_ / "resumed/adapter_model.safetensors"),
            bytes_of(folder_ / "pissa/adapter_model.safetensors"));
  // Training goes on with it as with any adapter, from where the run ended.
  const ProgramResult on = run("on", {{"adapter_name_or_path", (folder_ / "pissa").string()}, {"lora_rank", ""}});
  ASSERT_EQ(on.exit_code, 0) << on.err;
  EXPECT_LT(result_of("on").at("train_loss").get<double>(), result_of("pissa").at("train_loss").get<double>());
  const ProgramResult merged = export_to("merged", {{"adapter_name_or_path", (folder_ / "pissa").string()}});
  EXPECT_EQ(merged.exit_code, 0) << merged.err;

  const ProgramResult refused = run("refused", {{"pissa_init", "true"}, {"use_dora", "true"}});
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("pissa_init: excludes use_dora"));
}

TEST_F(Lora, RefusesWhatDoesNotFit) {
  const struct {
    Keys keys;
    const char* message;
  } cases[] = {
      {{{"lora_target", "q_prj"}}, "lora_target: no linear layer of the blocks is 'q_prj' (did you mean 'q_proj'?)"},
      {{{"lora_target", "lm_head"}}, "name it in additional_target"},
      {{{"lora_target", "[]"}}, "lora_target: expected 'all' or names of linear layers, got an empty list"},
      {{{"lora_alpha", "0"}}, "lora_alpha: is 0, with which no pair learns"},
      {{{"loraplus_lr_ratio", "0"}}, "loraplus_lr_ratio: is 0"},
      {{{"lora_rank", "100000"}}, "lora_rank: 100000 is more than the weight of"},
      {{{"additional_target", "lm_hed"}}, "did you mean 'lm_head'"},
      {{{"create_new_adapter", "true"}}, "create_new_adapter: there is no adapter_name_or_path"},
      {{{"finetuning_type", "full"}}, "lora_rank: finetuning_type"},
      {{{"freeze_trainable_layers", "1"}}, "freeze_trainable_layers: finetuning_type"},
      {{{"train_from_scratch", "true"}}, "whose base would be random"},
      {{{"adapter_name_or_path", (folder_ / "base").string()}}, "has no adapter_config.json"},
      {{{"adapter_name_or_path", (folder_ / "nowhere").string()}}, "is not a folder: expected an adapter"},
      {{{"adapter_name_or_path", (folder_ / "loop").string()}}, "adapter_name_or_path: '"},
      {{{"adapter_name_or_path", "tests/golden/models/llama/lora"}, {"lora_rank", ""}},
       "adapter_name_or_path: 'tests/golden"},
      {{{"export_dir", "x"}}, "it belongs to ftrun export"},
  };
  fs::create_directory_symlink(folder_ / "loop", folder_ / "loop");
  for (const auto& one : cases) {
    const ProgramResult result = run("refused", one.keys);
    EXPECT_EQ(result.exit_code, 2) << one.message << "\n" << result.all();
    EXPECT_THAT(result.err, HasSubstr(one.message));
  }
}

TEST_F(Lora, WholeModulesOfATiedPairMustBothBeNamed) {
  const bool tied = json::parse(bytes_of(folder_ / "base/config.json")).at("tie_word_embeddings");
  ASSERT_TRUE(tied) << "the demo's model ties its head";
  const ProgramResult refused = run("half", {{"additional_target", "lm_head"}});
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("the model ties"));
  const ProgramResult both = run("both", {{"additional_target", "lm_head,embed_tokens"}});
  ASSERT_EQ(both.exit_code, 0) << both.err;
  EXPECT_EQ(PeftAdapter(folder_ / "both").saved().size(), 2u);
  const ProgramResult merged = export_to("merged", {{"adapter_name_or_path", (folder_ / "both").string()}});
  EXPECT_EQ(merged.exit_code, 0) << merged.err;
}

}  // namespace
}  // namespace ftrun::test
