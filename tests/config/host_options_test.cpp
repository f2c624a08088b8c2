// The host's own keys: defaults that users of other frameworks rely on, and the lists of foreign keys.
#include "core/config/host_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "core/config/foreign_keys.h"
#include "core/config/option_value.h"
#include "tests/config/refusal.h"

namespace ftrun {
namespace {

SettingValue written(const std::string& text) { return scalar_setting("k", text, "a.yaml:3").value; }

// A path that is not marked as one would make folders named "~" and "${NAME}".
TEST(HostOptions, EveryPathIsExpandedOrRefused) {
  const std::set<std::string> known = {"model_name_or_path",
                                       "tokenizer_name_or_path",
                                       "adapter_name_or_path",
                                       "dataset",
                                       "eval_dataset",
                                       "dataset_dir",
                                       "template_dir",
                                       "cache_dir",
                                       "output_dir",
                                       "export_dir",
                                       "resume_from_checkpoint",
                                       "plugin_path"};
  // Their descriptions speak of files, and their values are something else.
  const std::set<std::string> others = {
      "disable_shuffling", "do_predict",         "save_dtype",           "infer_dtype",
      "export_size",       "create_new_adapter", "overwrite_output_dir", "predict_with_generate",
      "additional_target"};
  ::setenv("HOME", "/home/u", 1);
  ::setenv("FTRUN_TEST_ROOT", "/data", 1);
  ::unsetenv("FTRUN_TEST_UNSET");
  std::set<std::string> found;
  for (const OptionSpec& spec : host_options()) {
    const bool speaks_of_files = spec.doc.find("folder") != std::string::npos ||
                                 spec.doc.find("path") != std::string::npos || spec.key.ends_with("_dir") ||
                                 spec.key.ends_with("_path") || spec.doc.find("file") != std::string::npos;
    EXPECT_TRUE(!speaks_of_files || spec.holds_paths() || others.contains(spec.key)) << spec.key << ": " << spec.doc;
    if (!spec.holds_paths()) continue;
    found.insert(spec.key);
    const auto value_of = [&](const std::string& text) {
      const OptionValue value = convert_value(spec, written(text));
      return value.items.empty() ? value.text : value.items.front();
    };
    EXPECT_EQ(value_of("~/x"), "/home/u/x") << spec.key;
    EXPECT_EQ(value_of("${FTRUN_TEST_ROOT}/x"), "/data/x") << spec.key;
    for (const char* refused : {"~other/x", "$HOME/x", "${FTRUN_TEST_UNSET}/x", "a\x1b/x", "${"}) {
      EXPECT_THAT(refusal([&] { value_of(refused); }), ::testing::StartsWith("a.yaml:3: " + spec.key + ": "));
    }
  }
  EXPECT_EQ(found, known);
}

// Source: LLaMA-Factory's hparams and transformers' TrainingArguments (shared/reference/frameworks.md section 1).
TEST(HostOptions, DefaultsAreLlamaFactorysAndTheTrainers) {
  const std::pair<const char*, const char*> cases[] = {{"finetuning_type", "lora"},
                                                       {"cutoff_len", "2048"},
                                                       {"dataset_dir", "data"},
                                                       {"val_size", "0"},
                                                       {"enable_thinking", "true"},
                                                       {"per_device_train_batch_size", "8"},
                                                       {"per_device_eval_batch_size", "8"},
                                                       {"gradient_accumulation_steps", "1"},
                                                       {"learning_rate", "5.0e-5"},
                                                       {"num_train_epochs", "3.0"},
                                                       {"max_steps", "-1"},
                                                       {"lr_scheduler_type", "linear"},
                                                       {"warmup_ratio", "0"},
                                                       {"weight_decay", "0"},
                                                       {"adam_beta1", "0.9"},
                                                       {"adam_beta2", "0.999"},
                                                       {"adam_epsilon", "1.0e-8"},
                                                       {"max_grad_norm", "1.0"},
                                                       {"seed", "42"},
                                                       {"logging_steps", "500"},
                                                       {"save_strategy", "steps"},
                                                       {"save_steps", "500"},
                                                       {"eval_strategy", "no"},
                                                       {"bf16", "false"},
                                                       {"disable_gradient_checkpointing", "false"},
                                                       {"overwrite_output_dir", "false"},
                                                       {"max_new_tokens", "1024"},
                                                       {"temperature", "0.95"},
                                                       {"top_p", "0.7"},
                                                       {"top_k", "50"},
                                                       {"repetition_penalty", "1.0"},
                                                       {"do_sample", "true"}};
  for (const auto& [key, value] : cases) {
    const OptionSpec* spec = find_host_option(key);
    ASSERT_NE(spec, nullptr) << key;
    EXPECT_EQ(spec->default_text, value) << key;
  }
  for (const char* key :
       {"model_name_or_path", "dataset", "eval_dataset", "template", "max_samples", "output_dir", "stage",
        "save_total_limit", "eval_steps", "resume_from_checkpoint", "early_stopping_steps"}) {
    ASSERT_NE(find_host_option(key), nullptr) << key;
    EXPECT_FALSE(find_host_option(key)->has_default()) << key;
  }
}

TEST(HostOptions, AliasesLeadToTheirKeys) {
  const std::pair<const char*, const char*> cases[] = {{"model", "model_name_or_path"},
                                                       {"tuner_type", "finetuning_type"},
                                                       {"max_length", "cutoff_len"},
                                                       {"val_dataset", "eval_dataset"},
                                                       {"split_dataset_ratio", "val_size"}};
  for (const auto& [alias, key] : cases) {
    ASSERT_NE(find_host_option(alias), nullptr) << alias;
    EXPECT_EQ(find_host_option(alias)->key, key);
  }
  EXPECT_EQ(find_host_option("nothing"), nullptr);
}

TEST(HostOptions, NoNameIsOnTwoLists) {
  std::set<std::string> names;
  for (const OptionSpec& spec : host_options()) {
    EXPECT_TRUE(spec.is_flat()) << spec.key;
    EXPECT_FALSE(spec.group.empty());
    std::vector<std::string> all = spec.aliases;
    all.push_back(spec.key);
    for (const std::string& name : all) {
      EXPECT_TRUE(names.insert(name).second) << name;
      EXPECT_EQ(harmless_key_reason(name), "") << name;
      EXPECT_EQ(find_foreign_key(name), nullptr) << name;
    }
  }
}

TEST(ForeignKeys, HarmlessKeysHaveAReason) {
  for (const char* key : {"trust_remote_code", "ddp_timeout", "preprocessing_num_workers", "dataloader_num_workers",
                          "use_cache", "hub_model_id", "logging_dir"}) {
    EXPECT_NE(harmless_key_reason(key), "") << key;
  }
  EXPECT_EQ(harmless_key_reason("learning_rate"), "");
  EXPECT_EQ(harmless_key_reason("trust"), "");
  EXPECT_EQ(harmless_key_reason(""), "");
}

TEST(ForeignKeys, AcceptOnlyWhatTheyMeanAnyway) {
  const ForeignKey* fp16 = find_foreign_key("fp16");
  ASSERT_NE(fp16, nullptr);
  EXPECT_TRUE(is_accepted(*fp16, scalar_setting("fp16", "False", "x").value));
  EXPECT_FALSE(is_accepted(*fp16, scalar_setting("fp16", "true", "x").value));
  EXPECT_FALSE(is_accepted(*find_foreign_key("pissa_convert"), scalar_setting("pissa_convert", "", "x").value));
}

}  // namespace
}  // namespace ftrun
