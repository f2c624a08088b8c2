// From settings to typed values, and every way a configuration can be wrong.
#include "core/config/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "core/config/document.h"
#include "core/config/host_options.h"
#include "core/config/overrides.h"
#include "ftrun/cpp/plugin.hpp"
#include "tests/config/refusal.h"

namespace ftrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<OptionSpec> table(std::initializer_list<ftrun_option> options) {
  const std::vector<ftrun_option> copy(options);
  const ftrun_option_table raw = {
      {sizeof(raw), FTRUN_OPTION_TABLE_TAG}, copy.size(), sizeof(ftrun_option), copy.data()};
  return read_option_table(&raw, "plugin 'test'");
}

ConfigSources sources_of(const std::string& text, const std::vector<std::string>& arguments = {}) {
  ConfigSources sources;
  sources.document = parse_config_text("finetuning_type: full\n" + text, "a.yaml");
  sources.overrides = parse_overrides(arguments);
  return sources;
}

ResolvedConfig resolve_text(const std::string& text, const std::vector<std::string>& arguments = {}) {
  return resolve(sources_of(text, arguments), {});
}
std::string resolve_refusal(const std::string& text, const std::vector<std::string>& arguments = {}) {
  return refusal([&] { resolve_text(text, arguments); });
}

TEST(Resolve, ValuesAndOrigins) {
  const auto config =
      resolve_text("model: m\nlearning_rate: 1e-4\nbf16: yes\ndataset: a,b\nseed: 7\n", {"--seed", "8"});
  EXPECT_EQ(config.get_string("model_name_or_path"), "m");
  EXPECT_EQ(config.get_float("learning_rate"), 1e-4);
  EXPECT_TRUE(config.get_bool("bf16"));
  EXPECT_THAT(config.get_list("dataset"), ElementsAre("a", "b"));
  EXPECT_EQ(config.get_int("seed"), 8);
  EXPECT_EQ(config.origin("seed"), "--seed");
  EXPECT_EQ(config.origin("learning_rate"), "a.yaml:3");
  EXPECT_EQ(config.origin("logging_steps"), "default");
  EXPECT_EQ(config.find_int("max_samples"), std::nullopt);
  EXPECT_FALSE(config.is_given("logging_steps"));
}

double seconds_to_refuse(const std::string& text) {
  const std::clock_t begin = std::clock();
  EXPECT_THAT(resolve_refusal(text), HasSubstr("errors in the configuration"));
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

TEST(Resolve, TwiceTheUnknownKeysTakeTwiceTheTime) {
  const auto keys = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += fmt::format("unknown_key_{}: {}\n", i, i);
    return text;
  };
  // Least processor times: what else the machine does only ever adds to them, and more tries come nearer to them.
  double once = 1e9;
  double twice = 1e9;
  for (int tries = 0; tries < 3 || (tries < 12 && twice > 2.5 * once); ++tries) {
    once = std::min(once, seconds_to_refuse(keys(8000)));
    twice = std::min(twice, seconds_to_refuse(keys(16000)));
  }
  EXPECT_LE(twice, 2.5 * once);
  EXPECT_LT(once, 3.0);
  const std::string message = resolve_refusal(keys(8000));
  EXPECT_THAT(message, HasSubstr("8000 errors in the configuration:\n  a.yaml:2: unknown key 'unknown_key_0'"));
  EXPECT_THAT(message, ::testing::EndsWith("\n  and 7900 more"));
  EXPECT_THAT(resolve_refusal(std::string(1000, 'k') + ": 1\n"), HasSubstr("unknown key 'kkk"));
}

TEST(Resolve, KeysOfOtherFrameworksAreNamedAsWhatTheyAre) {
  EXPECT_EQ(resolve_refusal("galore_rank: 16\n"), "a.yaml:2: galore_rank: this build has AdamW only: remove it");
  EXPECT_EQ(resolve_refusal("apollo_scale: 1.0\n"), "a.yaml:2: apollo_scale: this build has AdamW only: remove it");
  EXPECT_THAT(resolve_refusal("vllm_maxlen: 1024\n"), HasSubstr("answers come from ftrun's own engine"));
  EXPECT_THAT(resolve_refusal("lora_rnk: 16\n"), HasSubstr("did you mean 'lora_rank'?"));
  EXPECT_EQ(resolve_refusal("galore_rank: null\n"), "");
}

TEST(Resolve, AFlagWinsOverAnAliasInTheFile) {
  EXPECT_EQ(resolve_text("model: a\n", {"--model_name_or_path", "b"}).get_string("model_name_or_path"), "b");
  // What the flag replaces is not even looked at.
  EXPECT_EQ(resolve_text("seed: seven\n", {"--seed", "7"}).get_int("seed"), 7);
}

TEST(Resolve, NullKeepsTheDefault) {
  const auto config = resolve_text("eval_dataset: null\nlogging_steps: ~\n");
  EXPECT_FALSE(config.is_set("eval_dataset"));
  EXPECT_EQ(config.get_float("logging_steps"), 500);
}

TEST(Resolve, NullOfEveryHostKeyIsTheDefaultOrAValueOfItsOwn) {
  std::vector<std::string> with_null;
  for (const OptionSpec& spec : host_options()) {
    ConfigSources sources;
    sources.document = parse_config_text(spec.key + ": null\n", "a.yaml");
    const auto config = resolve(sources, {});
    const OptionValue& value = *config.host().find(spec.key);
    if (spec.is_nullable) {
      with_null.push_back(spec.key);
      EXPECT_EQ(value_text(value), "null") << spec.key;
      EXPECT_TRUE(config.is_given(spec.key)) << spec.key;
    } else {
      EXPECT_EQ(value_text(value), value_text(default_value(spec))) << spec.key;
      EXPECT_FALSE(config.is_given(spec.key)) << spec.key;
    }
  }
  EXPECT_THAT(with_null, ElementsAre("enable_thinking"));
}

TEST(Resolve, EnableThinkingHasThreeValues) {
  EXPECT_EQ(resolve_text("").find_bool("enable_thinking"), std::optional(true));
  EXPECT_EQ(resolve_text("enable_thinking: false\n").find_bool("enable_thinking"), std::optional(false));
  EXPECT_EQ(resolve_text("enable_thinking: null\n").find_bool("enable_thinking"), std::nullopt);
  EXPECT_EQ(resolve_text("enable_thinking:\n").find_bool("enable_thinking"), std::nullopt);
  EXPECT_EQ(resolve_text("", {"--enable_thinking", "null"}).find_bool("enable_thinking"), std::nullopt);
  EXPECT_EQ(resolve_text("enable_thinking: null\n", {"--enable_thinking", "false"}).find_bool("enable_thinking"),
            std::optional(false));
  EXPECT_EQ(resolve_refusal("enable_thinking: maybe\n"),
            "a.yaml:2: enable_thinking: expected true, false or null, got 'maybe'");
}

TEST(Resolve, AllErrorsAtOnceInFileOrder) {
  EXPECT_EQ(resolve_refusal("learnin_rate: 1\nseed: x\nfp16: true\nmax_steps: 8.0\n", {"--bf61"}),
            "5 errors in the configuration:\n"
            "  a.yaml:2: unknown key 'learnin_rate' (did you mean 'learning_rate'?)\n"
            "  a.yaml:3: seed: expected an integer >= 0, got 'x'\n"
            "  a.yaml:4: fp16: 'true' is not available: fp16 needs loss scaling, which would make results depend on "
            "overflow; write "
            "'bf16: true'\n"
            "  a.yaml:5: max_steps: expected an integer >= -1, got '8.0'\n"
            "  --bf61: unknown key 'bf61' (did you mean 'bf16'?)");
}

TEST(Resolve, UnknownKeysAreFoundWithoutPlugins) {
  const auto owners = [](std::string_view key) {
    return key == "packing" ? std::vector<std::string>{"paradigm 'x'"} : std::vector<std::string>();
  };
  const ConfigSources sources = sources_of(
      "learnin_rate: 1\nmodel: m\npacking: true\nfp16: true\ntrust_remote_code: true\nlr_scheduler_kwargs: {a: 1}\n"
      "device: {name: x, y: 1}\n",
      {"--nonsense", "--strategy.z", "1"});
  EXPECT_THAT(unknown_keys(sources, owners),
              ElementsAre("a.yaml:2: unknown key 'learnin_rate' (did you mean 'learning_rate'?)",
                          "--nonsense: unknown key 'nonsense'"));
}

TEST(Resolve, OneKeyUnderTwoNames) {
  EXPECT_EQ(resolve_refusal("model: a\nmodel_name_or_path: b\n"),
            "a.yaml:3: 'model_name_or_path' is the same key as 'model' at a.yaml:2: give one of them");
}

TEST(Resolve, MapsOfTheHost) {
  const std::string cosine = "lr_scheduler_type: cosine_with_min_lr\n";
  EXPECT_EQ(resolve_text(cosine + "lr_scheduler_kwargs: {min_lr: 1e-6}\n").get_float("lr_scheduler_kwargs.min_lr"),
            1e-6);
  EXPECT_EQ(resolve_text(cosine + "lr_scheduler_kwargs: '{\"min_lr_rate\": 0.1}'\n")
                .get_float("lr_scheduler_kwargs.min_lr_rate"),
            0.1);
  EXPECT_EQ(resolve_text(cosine, {"--lr_scheduler_kwargs.min_lr", "2e-6"}).get_float("lr_scheduler_kwargs.min_lr"),
            2e-6);
  EXPECT_EQ(resolve_text("lr_scheduler_kwargs: {}\n").is_set("lr_scheduler_kwargs.min_lr"), false);
  EXPECT_EQ(resolve_refusal(cosine + "lr_scheduler_kwargs: {min_rl: 1}\n"),
            "a.yaml:3: unknown key 'lr_scheduler_kwargs.min_rl' (did you mean 'lr_scheduler_kwargs.min_lr'?)");
  EXPECT_EQ(resolve_refusal("lr_scheduler_kwargs: 3\n"),
            "a.yaml:2: lr_scheduler_kwargs: expected a map {key: value}, got '3'");
  EXPECT_EQ(resolve_refusal("lr_scheduler_kwargs: {min_lr: 1e-6}\n"),
            "a.yaml:2: lr_scheduler_kwargs.min_lr: only lr_scheduler_type cosine_with_min_lr has a floor, and it is "
            "'linear'");
}

TEST(Resolve, HarmlessKeysAreNoticed) {
  const auto config = resolve_text("trust_remote_code: true\nddp_timeout: 180000000\n");
  EXPECT_THAT(
      config.notices(),
      ElementsAre("a.yaml:2: 'trust_remote_code' is ignored: model folders contain no code that ftrun would run",
                  "a.yaml:3: 'ddp_timeout' is ignored: how long ranks wait for each other is 'collective_timeout_s'"));
}

TEST(Resolve, ForeignKeysAreRefusedWithTheReason) {
  EXPECT_EQ(resolve_text("fp16: false\nstreaming: false\nquantization_bit: null\n").notices().size(), 0u);
  EXPECT_EQ(resolve_refusal("pissa_convert: false\n"),
            "a.yaml:2: pissa_convert: 'false' is not available: an adapter that began as PiSSA is always saved "
            "converted, for the unchanged base");
  EXPECT_EQ(resolve_refusal("torch_dtype: bfloat16\n"),
            "a.yaml:2: torch_dtype: precision is chosen with 'bf16: true' (bf16 with fp32 master weights) or "
            "'pure_bf16: true' (bf16 throughout); without them it is fp32");
  EXPECT_THAT(resolve_refusal("rope_scaling: yarn\n"),
              HasSubstr("a.yaml:2: rope_scaling: scaling is read from config.json"));
  EXPECT_EQ(resolve_refusal("deepspeed: ds.json\n"),
            "a.yaml:2: deepspeed: no strategy plugin here reads DeepSpeed files: remove it and choose with 'strategy: "
            "NAME'; 'ftrun plugins list' shows the strategies there are");
}

TEST(Resolve, APluginMayHaveAForeignKey) {
  const auto reader = table({sdk::option("deepspeed", FTRUN_OPTION_STRING, "", "x", FTRUN_OPTION_FLAT)});
  const auto config =
      resolve(sources_of("deepspeed: ds.json\n"), std::vector<PluginOptionTable>{{"strategy", "a", &reader, nullptr}});
  EXPECT_EQ(config.plugin(0).values.get_string("deepspeed"), "ds.json");
}

TEST(Resolve, TrackersAreRefusedByName) {
  EXPECT_EQ(resolve_text("report_to: none\n").get_list("report_to"), std::vector<std::string>{"none"});
  for (const char* given : {"wandb", "[none, wandb]", "[wandb]"}) {
    EXPECT_EQ(
        resolve_refusal(fmt::format("report_to: {}\n", given)),
        "a.yaml:2: report_to: 'wandb' is not available: no tracker is built in, and what it would show is written "
        "to trainer_log.jsonl and trainer_state.json in output_dir: write 'report_to: none'");
  }
}

TEST(Resolve, OneTunerIsMissing) {
  ConfigSources sources;
  EXPECT_EQ(resolve(sources, {}).get_string("finetuning_type"), "lora");
  sources.document = parse_config_text("tuner_type: oft\n", "a.yaml");
  EXPECT_EQ(refusal([&] { resolve(sources, {}); }),
            "a.yaml:1: finetuning_type: 'oft' is not available: expected full, lora or freeze");
  sources.document = parse_config_text("finetuning_type: fulll\n", "a.yaml");
  EXPECT_EQ(refusal([&] { resolve(sources, {}); }),
            "a.yaml:1: finetuning_type: expected one of full, lora, freeze, oft, got 'fulll' (did you mean 'full'?)");
  EXPECT_EQ(resolve_refusal("bf16: true\npure_bf16: true\n"),
            "a.yaml:3: pure_bf16: bf16 (a.yaml:2) keeps fp32 master weights and pure_bf16 does not: set one of them");
}

TEST(Resolve, TablesThatClashAreRefused) {
  const auto first = table({sdk::option("masks", FTRUN_OPTION_BOOL, "false", "x", FTRUN_OPTION_FLAT)});
  const auto second =
      table({sdk::with_aliases(sdk::option("other", FTRUN_OPTION_INT, "1", "x", FTRUN_OPTION_FLAT), "masks")});
  const auto taken = table({sdk::option("seed", FTRUN_OPTION_INT, "1", "x", FTRUN_OPTION_FLAT)});
  const auto retyped = table({sdk::option("seed", FTRUN_OPTION_STRING, "1", "x", FTRUN_OPTION_OF_HOST)});
  const auto unknown = table({sdk::option("sead", FTRUN_OPTION_INT, "1", "x", FTRUN_OPTION_OF_HOST)});
  const auto clash = [](std::vector<PluginOptionTable> tables) {
    return refusal([&] { resolve(sources_of(""), tables); });
  };
  EXPECT_EQ(clash({{"paradigm", "a", &first, nullptr}, {"device", "b", &second, nullptr}}),
            "paradigm 'a' and device 'b' both declare the top-level key 'masks'");
  EXPECT_EQ(clash({{"paradigm", "a", &taken, nullptr}}),
            "the host and paradigm 'a' both declare the top-level key 'seed'");
  EXPECT_EQ(clash({{"paradigm", "a", &retyped, nullptr}}), "paradigm 'a' changes the type of host key 'seed'");
  EXPECT_EQ(clash({{"paradigm", "a", &unknown, nullptr}}),
            "paradigm 'a' changes host key 'sead', which does not exist");
}

TEST(Resolve, HandlesStayValidWhenTheConfigMoves) {
  const auto options = table({sdk::option("masks", FTRUN_OPTION_BOOL, "false", "x", FTRUN_OPTION_FLAT)});
  const std::vector<PluginOptionTable> tables = {{"paradigm", "a", &options, nullptr}};
  ResolvedConfig config = resolve(sources_of("masks: true\nseed: 9\n"), tables);
  const ftrun_options* handle = config.plugin_options(0);
  const ResolvedConfig moved = std::move(config);
  EXPECT_EQ(moved.plugin_options(0), handle);
  EXPECT_TRUE(handle->own->get_bool("masks"));
  EXPECT_EQ(handle->host->get_int("seed"), 9);
}

}  // namespace
}  // namespace ftrun
