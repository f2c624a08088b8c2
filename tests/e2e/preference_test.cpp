// Runs of dpo and kto as a user starts them: logs, evaluations, resuming, strategies, what is refused.
// Leaves out: numbers against TRL (tests/paradigms), data formats (tests/data).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/e2e/preference_keys.h"
#include "tests/e2e/program.h"
#include "tests/e2e/training_state.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Preference, MeasuresStandInEveryLogAndInEvaluations) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run", pair_keys({{"plot_loss", "true"}}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* name : {"rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins",
                           "logps/chosen", "logps/rejected"}) {
    EXPECT_EQ(logged(folder / "run", name).size(), 8U) << name;
    EXPECT_EQ(logged(folder / "run", std::string("eval_") + name).size(), 1U) << name;
    EXPECT_THAT(result.err, HasSubstr(std::string("'") + name + "': "));
  }
  EXPECT_NEAR(logged(folder / "run", "loss").front(), std::log(2.0), 1e-6) << "policy and reference begin equal";
  EXPECT_GT(logged(folder / "run", "rewards/margins").back(), 0);
  EXPECT_TRUE(logged(folder / "run", "eval_perplexity").empty());
  EXPECT_THAT(bytes_of(folder / "run/trainer_log.jsonl"), HasSubstr("\"rewards/margins\":"));
  EXPECT_TRUE(fs::exists(folder / "run/training_rewards_accuracies.svg"));
}

TEST(Preference, ResumesWithItsMeasures) {
  for (const Keys& stage : {pair_keys(), label_keys()}) {
    const TestFolder folder;
    const Keys saving = joined(stage, {{"save_strategy", "steps"}, {"save_steps", "3"}, {"logging_steps", "2"}});
    ASSERT_EQ(run_small(folder, "whole", saving).exit_code, 0);
    const Keys resuming = joined(saving, {{"resume_from_checkpoint", (folder / "whole/checkpoint-3").string()}});
    const ProgramResult resumed = run_small(folder, "resumed", resuming);
    ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_TRUE(bytes_of(folder / "resumed/model.safetensors") == bytes_of(folder / "whole/model.safetensors"));
    for (const char* name : {"loss", "rewards/margins", "logps/chosen"}) {
      EXPECT_EQ(logged(folder / "resumed", name), logged(folder / "whole", name)) << name;
    }
  }
}

TEST(Preference, OtherModelsAndOtherSettingsAreNotResumedUnnoticed) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "2"}}).exit_code, 0);
  ASSERT_EQ(run_small(folder, "other", {{"max_steps", "2"}, {"seed", "8"}}).exit_code, 0);
  const Keys on_base = {{"model_name_or_path", (folder / "base").string()},
                        {"train_from_scratch", ""},
                        {"max_steps", "4"},
                        {"eval_strategy", "\"no\""},
                        {"eval_dataset", ""},
                        {"precompute_ref_log_probs", ""}};
  for (const Keys& tuner : {Keys{}, Keys{{"finetuning_type", "lora"}}}) {
    const Keys saving = joined(joined(pair_keys(on_base), tuner), {{"save_strategy", "steps"}, {"save_steps", "2"}});
    ASSERT_EQ(run_small(folder, "whole", saving).exit_code, 0);
    const Keys resuming = joined(saving, {{"resume_from_checkpoint", (folder / "whole/checkpoint-2").string()}});
    const auto resume = [&](const Keys& more) {
      fs::remove_all(folder / "resumed");
      return run_small(folder, "resumed", joined(resuming, more));
    };
    const ProgramResult other = resume({{"model_name_or_path", (folder / "other").string()}});
    EXPECT_EQ(other.exit_code, 2) << other.err;
    EXPECT_THAT(other.err, AllOf(HasSubstr("resumed.yaml:"), HasSubstr("model_name_or_path: '"),
                                 HasSubstr("began from, which was '" + (folder / "base").string())));
    // The same weights elsewhere are the same model.
    fs::copy(folder / "base", folder / "moved", fs::copy_options::recursive);
    EXPECT_EQ(resume({{"model_name_or_path", (folder / "moved").string()}}).exit_code, 0);
    fs::remove_all(folder / "moved");
    const ProgramResult softer = resume({{"pref_beta", "0.5"}, {"pref_loss", "ipo"}});
    EXPECT_EQ(softer.exit_code, 0) << softer.err;
    EXPECT_THAT(softer.err, AllOf(HasSubstr("pref_beta: 0.1 -> 0.5"), HasSubstr("pref_loss: sigmoid -> ipo")));
    const ProgramResult reward = resume({{"stage", "rm"}});
    EXPECT_EQ(reward.exit_code, 2) << reward.err;
    EXPECT_THAT(reward.err, AllOf(HasSubstr("stage: is rm, and '"), HasSubstr("of a run with stage: dpo")));
    EXPECT_THAT(reward.err, HasSubstr(tuner.empty() ? "with model_name_or_path" : "with adapter_name_or_path"));
    // A folder that is overwritten and does not hold the checkpoint takes nothing from it.
    EXPECT_EQ(resume({{"overwrite_output_dir", "true"}}).exit_code, 0);
    const ProgramResult inside =
        resume({{"overwrite_output_dir", "true"}, {"output_dir", (folder / "whole").string()}});
    EXPECT_EQ(inside.exit_code, 2) << inside.err;
    EXPECT_THAT(inside.err, HasSubstr("excludes overwrite_output_dir"));
    fs::remove_all(folder / "whole");
  }
}

TEST(Preference, WhatRanksSendIsWhatTheStrategyAnnounced) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "2"}}).exit_code, 0);
  const std::map<std::string, Keys> stages = {{"dpo", pair_keys()},
                                              {"kto", label_keys()},
                                              {"rm", pair_keys({{"stage", "rm"}})},
                                              {"pt", text_keys()},
                                              {"sft", {}}};
  const Keys ranks = {{"model_name_or_path", (folder / "base").string()},
                      {"train_from_scratch", ""},
                      {"strategy", "zero3"},
                      {"nproc", "2"},
                      {"per_device_train_batch_size", "2"},
                      {"max_steps", "1"},
                      {"eval_strategy", "\"no\""},
                      {"eval_dataset", ""},
                      {"precompute_ref_log_probs", ""}};
  for (const auto& [stage, keys] : stages) {
    for (const char* tuner : {"full", "lora"}) {
      const ProgramResult result =
          run_small(folder, stage + tuner, joined(joined(keys, ranks), {{"finetuning_type", tuner}}), {"--json"});
      ASSERT_EQ(result.exit_code, 0) << result.all();
      const json summary = json::parse(result.out);
      const json announced = summary.at("announced").at("traffic_per_update");
      for (const char* kind : {"all_gather", "reduce_scatter"}) {
        for (const json& rank : summary.at("ranks")) {
          const json& sent = rank.at("traffic_per_update").at(kind);
          EXPECT_EQ(sent.at("sent_bytes"), announced.at(kind).at("sent_bytes")) << stage << " " << tuner << " " << kind;
          EXPECT_EQ(sent.at("elements"), announced.at(kind).at("elements")) << stage << " " << tuner << " " << kind;
        }
      }
    }
  }
}

TEST(Preference, ATrainedModelIsOnlyEvaluated) {
  const Keys evaluating = {{"do_train", "false"}, {"do_eval", "true"}, {"train_from_scratch", ""}, {"dataset", ""}};
  for (const std::string stage : {"rm", "sft", "dpo"}) {
    const TestFolder folder;
    Keys keys = stage == "sft" ? Keys{{"eval_dataset", "demo_eval"}, {"eval_strategy", "epoch"}}
                               : pair_keys({{"stage", stage}, {"precompute_ref_log_probs", ""}});
    if (stage == "dpo") {
      ASSERT_EQ(run_small(folder, "base", {{"max_steps", "2"}}).exit_code, 0);
      keys = joined(keys, {{"ref_model", (folder / "base").string()},
                           {"model_name_or_path", (folder / "base").string()},
                           {"train_from_scratch", ""}});
    }
    ASSERT_EQ(run_small(folder, "trained", keys).exit_code, 0);
    const auto loss = logged(folder / "trained", "eval_loss").back();
    const Keys only = joined(joined(keys, evaluating), {{"model_name_or_path", (folder / "trained").string()}});
    const ProgramResult result = run_small(folder, "measured", only);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const json measured = read_json(folder / "measured/eval_results.json");
    EXPECT_NEAR(measured.at("eval_loss").get<double>(), loss, 1e-6 * std::abs(loss)) << stage;
    // Again, into a folder that is not empty.
    const ProgramResult again = run_small(folder, "measured", only, {"--json"});
    ASSERT_EQ(again.exit_code, 0) << again.all();
    EXPECT_EQ(json::parse(again.out).at("eval").at("eval_loss"), measured.at("eval_loss"));
    EXPECT_FALSE(fs::exists(folder / "measured/model.safetensors"));
    EXPECT_THAT(result.err, AllOf(HasSubstr("'eval_loss'"), Not(HasSubstr("Running training"))));
    const ProgramResult nothing = run_small(folder, "nothing", joined(only, {{"do_eval", ""}, {"eval_strategy", ""}}));
    EXPECT_EQ(nothing.exit_code, 2) << nothing.err;
    EXPECT_THAT(nothing.err, HasSubstr("do_train"));
  }
}

TEST(Preference, RanksMeasureWhatOneDoes) {
  for (const auto& [stage, metric] : {std::pair{pair_keys(), "rewards/accuracies"}, {label_keys(), "kl"}}) {
    const TestFolder folder;
    // The divergence is estimated per update, in evaluations too: both runs must divide the rows alike.
    ASSERT_EQ(run_small(folder, "one", joined(stage, {{"per_device_eval_batch_size", "8"}})).exit_code, 0);
    const Keys ranks = joined(stage, {{"strategy", "zero3"},
                                      {"nproc", "2"},
                                      {"per_device_train_batch_size", "2"},
                                      {"per_device_eval_batch_size", "4"}});
    const ProgramResult many = run_small(folder, "many", ranks);
    ASSERT_EQ(many.exit_code, 0) << many.err;
    for (const char* name : {"loss", metric, "eval_loss"}) {
      const auto expected = logged(folder / "one", name);
      const auto found = logged(folder / "many", name);
      ASSERT_EQ(found.size(), expected.size()) << name;
      for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 2e-5) << name << " " << i;
    }
  }
}

TEST(Preference, TheBestModelMayBeChosenByAMeasure) {
  const TestFolder folder;
  const Keys best = {{"num_train_epochs", "3"},
                     {"save_strategy", "epoch"},
                     {"load_best_model_at_end", "true"},
                     {"metric_for_best_model", "rewards/accuracies"}};
  const ProgramResult result = run_small(folder, "run", pair_keys(best));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto measured = logged(folder / "run", "eval_rewards/accuracies");
  EXPECT_EQ(read_json(folder / "run/trainer_state.json").at("best_metric").get<double>(),
            *std::ranges::max_element(measured));
  const ProgramResult refused =
      run_small(folder, "refused", pair_keys(joined(best, {{"metric_for_best_model", "reward/accuracies"}})));
  EXPECT_EQ(refused.exit_code, 2);
  const auto says_so = AllOf(HasSubstr("metric_for_best_model: 'reward/accuracies' is not measured"),
                             HasSubstr("did you mean 'rewards/accuracies'"));
  EXPECT_THAT(refused.err, says_so);
  EXPECT_FALSE(fs::exists(folder / "refused"));
  const ProgramResult checked = run_ftrun({"check", "--config", (folder / "refused.yaml").string()});
  EXPECT_EQ(checked.exit_code, 2);
  EXPECT_THAT(checked.err, says_so);
}

TEST(Preference, DataShowsPairsLabelsAndText) {
  const TestFolder folder;
  const auto shown = [&](const std::string& name, const Keys& keys) {
    const fs::path config = write_text(folder / (name + ".yaml"), small_config(folder / name, keys));
    return run_ftrun({"data", "--config", config.string(), "--rows", "2"});
  };
  EXPECT_THAT(shown("pairs", pair_keys()).out,
              AllOf(HasSubstr("64 pairs"), HasSubstr("  chosen:\n"), HasSubstr("  rejected:\n")));
  EXPECT_THAT(shown("labels", label_keys()).out, AllOf(HasSubstr(" desirable, "), HasSubstr("desirable:\n")));
  EXPECT_THAT(shown("text", text_keys()).out, AllOf(HasSubstr("plain text"), HasSubstr("packed from 200")));
  EXPECT_EQ(shown("nowhere", pair_keys({{"output_dir", ""}})).exit_code, 0) << "it writes nothing";
}

TEST(Preference, OtherDataAndOtherKeysAreRefused) {
  const TestFolder folder;
  const auto refusal = [&](const Keys& keys) {
    const ProgramResult result = run_small(folder, "refused", keys);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_FALSE(fs::exists(folder / "refused"));
    return result.err;
  };
  EXPECT_THAT(refusal(pair_keys({{"dataset", "demo_train"}})),
              AllOf(HasSubstr("dataset_info.json:"), HasSubstr("has no pairs")));
  EXPECT_THAT(refusal(label_keys({{"dataset", "demo_pairs_train"}})), HasSubstr("learns from answers with labels"));
  EXPECT_THAT(refusal({{"dataset", "demo_pairs_train"}}), HasSubstr("learns from single answers"));
  EXPECT_THAT(refusal({{"pref_beta", "0.2"}}), HasSubstr("pref_beta"));
  EXPECT_THAT(refusal(pair_keys({{"train_on_prompt", "true"}})), HasSubstr("train_on_prompt"));
  EXPECT_THAT(refusal(pair_keys({{"pref_loss", "sigmod"}})), HasSubstr("sigmoid"));
  EXPECT_THAT(refusal(pair_keys({{"pref_loss", "orpo"}})), HasSubstr("there is no reference model"));
  EXPECT_THAT(refusal(text_keys({{"neat_packing", "true"}})), HasSubstr("neat_packing"));
  for (const Keys& keys : {pair_keys(), label_keys(), text_keys()}) {
    EXPECT_THAT(refusal(joined(keys, {{"max_new_tokens", "8"}})),
                HasSubstr("max_new_tokens: is not used by this stage"));
  }
  EXPECT_THAT(refusal(label_keys({{"kto_chosen_weight", "0"}, {"kto_rejected_weight", "0"}})),
              AllOf(HasSubstr("refused.yaml:"), HasSubstr("kto_chosen_weight: "), HasSubstr("are both 0")));
}

TEST(Preference, AnswersOfOneKindOnlyAreWarnedOf) {
  const TestFolder folder;
  for (const auto& [tag, word] : {std::pair{"true", "all 4 answers are good"}, {"false", "all 4 answers are bad"}}) {
    std::string rows;
    for (int i = 0; i < 4; ++i) {
      rows += R"({"instruction": "1 + )" + std::to_string(i) + R"(", "output": "2", "kto_tag": )" + tag + "}\n";
    }
    const std::string file = write_text(folder / (std::string(tag) + ".jsonl"), rows).string();
    const ProgramResult result = run_small(
        folder, tag, label_keys({{"dataset", file}, {"eval_dataset", ""}, {"eval_strategy", ""}, {"max_steps", "1"}}));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr(word));
  }
}

}  // namespace
}  // namespace ftrun::test
