// Runs of pt, dpo and kto as a user starts them: logs, evaluations, resuming, strategies, what is refused.
// Leaves out: numbers against TRL (tests/paradigms), data formats (tests/data).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Keys = std::map<std::string, std::string>;

json read_json(const fs::path& file) { return json::parse(bytes_of(file)); }

std::vector<double> logged(const fs::path& output_dir, const std::string& key) {
  std::vector<double> values;
  const json state = read_json(output_dir / "trainer_state.json");
  for (const json& entry : state.at("log_history")) {
    if (entry.contains(key)) values.push_back(entry.at(key));
  }
  return values;
}

Keys joined(Keys keys, const Keys& more) {
  for (const auto& [key, value] : more) keys[key] = value;
  return keys;
}

Keys pair_keys(const Keys& more = {}) {
  return joined({{"stage", "dpo"},
                 {"dataset", "demo_pairs_train"},
                 {"eval_dataset", "demo_pairs_eval"},
                 {"eval_strategy", "epoch"},
                 {"precompute_ref_log_probs", "true"},
                 {"max_samples", "64"}},
                more);
}

Keys label_keys(const Keys& more = {}) {
  return joined(
      pair_keys({{"stage", "kto"}, {"dataset", "demo_labelled_train"}, {"eval_dataset", "demo_labelled_eval"}}), more);
}

Keys text_keys(const Keys& more = {}) {
  return joined({{"stage", "pt"},
                 {"dataset", "demo_text_train"},
                 {"eval_dataset", "demo_text_eval"},
                 {"eval_strategy", "epoch"},
                 {"template", ""},
                 {"cutoff_len", "64"},
                 {"max_samples", "200"}},
                more);
}

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

TEST(Preference, ReferencesAreComputedOnceAndReadAfterwards) {
  const TestFolder folder;
  const ProgramResult computed = run_small(folder, "computed", pair_keys());
  ASSERT_EQ(computed.exit_code, 0) << computed.err;
  EXPECT_THAT(computed.err, AllOf(HasSubstr("computing those of 128 rows"), HasSubstr("written to '")));
  const ProgramResult again = run_small(folder, "again", pair_keys());
  EXPECT_THAT(again.err, AllOf(HasSubstr("read from '"), Not(HasSubstr("computing"))));
  EXPECT_EQ(logged(folder / "again", "loss"), logged(folder / "computed", "loss"));
}

TEST(Preference, PrecomputedReferencesAreTheSameRunWithLessMemory) {
  const TestFolder folder;
  const ProgramResult beside =
      run_small(folder, "beside", pair_keys({{"precompute_ref_log_probs", "false"}}), {"--json"});
  const ProgramResult computed = run_small(folder, "computed", pair_keys(), {"--json"});
  ASSERT_EQ(beside.exit_code, 0) << beside.err;
  ASSERT_EQ(computed.exit_code, 0) << computed.err;
  EXPECT_EQ(logged(folder / "computed", "loss"), logged(folder / "beside", "loss"));
  EXPECT_EQ(logged(folder / "computed", "eval_loss"), logged(folder / "beside", "eval_loss"));
  const auto weights = [](const ProgramResult& result) {
    return json::parse(result.out).at("ranks").at(0).at("peak_memory_bytes").at("weights").get<double>();
  };
  EXPECT_LT(weights(computed), 0.6 * weights(beside));
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

TEST(RewardModel, NothingIsMeasuredWithAHeadThatIsNotThere) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "1"}}).exit_code, 0);
  const Keys keys = joined(pair_keys({{"stage", "rm"}, {"precompute_ref_log_probs", ""}}),
                           {{"do_train", "false"},
                            {"do_eval", "true"},
                            {"train_from_scratch", ""},
                            {"dataset", ""},
                            {"model_name_or_path", (folder / "base").string()}});
  const ProgramResult result = run_small(folder, "measured", keys);
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("measured.yaml:"), HasSubstr("model_name_or_path: '"),
                                HasSubstr("has no value_head.safetensors: it is no reward model")));
  EXPECT_FALSE(fs::exists(folder / "measured/eval_results.json"));
}

TEST(Preference, AModelIsNotMeasuredAgainstItself) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "1"}}).exit_code, 0);
  for (const Keys& stage : {pair_keys(), label_keys()}) {
    const ProgramResult result = run_small(folder, "run",
                                           joined(stage, {{"do_train", "false"},
                                                          {"do_eval", "true"},
                                                          {"dataset", ""},
                                                          {"train_from_scratch", ""},
                                                          {"model_name_or_path", (folder / "base").string()}}));
    EXPECT_EQ(result.exit_code, 2) << result.all();
    EXPECT_THAT(result.err, HasSubstr("do_train: is false, and the model would be its own reference: set ref_model"));
  }
}

TEST(Preference, OnlyRowsThatAreWalkedAreComputedBeforehand) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run", pair_keys({{"eval_strategy", "no"}, {"max_steps", "1"}}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("reference log-probabilities: computing those of 64 rows"));
}

TEST(Preference, AReferenceIsAWholeModel) {
  const TestFolder folder;
  const Keys adapter = {{"finetuning_type", "lora"}, {"train_from_scratch", ""}, {"max_steps", "1"}};
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "1"}}).exit_code, 0);
  const Keys base = {{"model_name_or_path", (folder / "base").string()}};
  ASSERT_EQ(run_small(folder, "adapter", joined(adapter, base)).exit_code, 0);
  const Keys keys = joined(pair_keys({{"precompute_ref_log_probs", ""}, {"max_steps", "1"}}),
                           {{"ref_model", (folder / "adapter").string()}});
  const ProgramResult result = run_small(folder, "run", keys);
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("ref_model: '"), HasSubstr("is the folder of an adapter: expected a whole")));
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

TEST(Preference, TheBaseUnderAnAdapterIsTheReference) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "4"}}).exit_code, 0);
  const Keys adapter = {{"model_name_or_path", (folder / "base").string()},
                        {"train_from_scratch", ""},
                        {"finetuning_type", "lora"},
                        {"learning_rate", "1.0e-2"}};
  for (const Keys& stage : {pair_keys(adapter), label_keys(adapter)}) {
    const ProgramResult table = run_small(folder, "table", stage);
    ASSERT_EQ(table.exit_code, 0) << table.err;
    const ProgramResult off =
        run_small(folder, "off", joined(stage, {{"precompute_ref_log_probs", "false"}}), {"--json"});
    ASSERT_EQ(off.exit_code, 0) << off.err;
    EXPECT_EQ(logged(folder / "off", "loss"), logged(folder / "table", "loss"));
    EXPECT_EQ(logged(folder / "off", "eval_loss"), logged(folder / "table", "eval_loss"));
    EXPECT_NE(logged(folder / "off", "loss").back(), logged(folder / "off", "loss").front()) << "nothing was learnt";
    // A model of its own gives the same, with its weights beside the policy's.
    const ProgramResult beside = run_small(
        folder, "beside",
        joined(stage, {{"precompute_ref_log_probs", "false"}, {"ref_model", (folder / "base").string()}}), {"--json"});
    ASSERT_EQ(beside.exit_code, 0) << beside.err;
    EXPECT_EQ(logged(folder / "beside", "loss"), logged(folder / "off", "loss"));
    const auto weights = [](const ProgramResult& result) {
      return json::parse(result.out).at("ranks").at(0).at("peak_memory_bytes").at("weights").get<double>();
    };
    EXPECT_LT(weights(off), 0.6 * weights(beside));
    for (const char* name : {"table", "off", "beside"}) fs::remove_all(folder / name);
  }
}

TEST(Preference, WholeModulesOfAnAdapterHaveNoReferenceUnderThem) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "1"}}).exit_code, 0);
  const Keys lora = {{"model_name_or_path", (folder / "base").string()},
                     {"train_from_scratch", ""},
                     {"finetuning_type", "lora"},
                     {"max_steps", "1"}};
  ASSERT_EQ(run_small(folder, "whole", joined(lora, {{"additional_target", "norm"}})).exit_code, 0);
  const Keys pairs = joined(pair_keys(lora), {{"adapter_name_or_path", (folder / "whole").string()},
                                              {"precompute_ref_log_probs", "false"},
                                              {"max_samples", "8"}});
  const ProgramResult refused = run_small(folder, "refused", pairs);
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("whole/adapter_config.json: modules_to_save: role 'reference'"),
                                 HasSubstr("give it a model of its own or this one's start (ref_model)")));
  const ProgramResult beside = run_small(folder, "beside", joined(pairs, {{"ref_model", (folder / "base").string()}}));
  EXPECT_EQ(beside.exit_code, 0) << beside.err;
  const ProgramResult start =
      run_small(folder, "start", joined(pairs, {{"ref_model", "start"}, {"logging_steps", "1"}}));
  EXPECT_EQ(start.exit_code, 0) << start.err;
  EXPECT_NEAR(logged(folder / "start", "loss").at(0), std::log(2.0), 1e-7);
}

/// A run that goes on with an adapter, on the base that this test has made.
Keys continuing(const TestFolder& folder, const Keys& stage, const Keys& more = {}) {
  return joined(joined(stage, {{"model_name_or_path", (folder / "base").string()},
                               {"train_from_scratch", ""},
                               {"finetuning_type", "lora"},
                               {"adapter_name_or_path", (folder / "first").string()},
                               {"learning_rate", "1.0e-2"},
                               {"logging_steps", "1"},
                               {"precompute_ref_log_probs", ""},
                               {"eval_strategy", "\"no\""},
                               {"eval_dataset", ""}}),
                more);
}

void make_first_adapter(const TestFolder& folder) {
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "4"}}).exit_code, 0);
  const Keys lora = {{"model_name_or_path", (folder / "base").string()},
                     {"train_from_scratch", ""},
                     {"finetuning_type", "lora"},
                     {"learning_rate", "1.0e-2"},
                     {"max_steps", "4"}};
  ASSERT_EQ(run_small(folder, "first", lora).exit_code, 0);
}

// TRL 1.16: DPOTrainer and KTOTrainer keep a frozen copy of an adapter that is trained on (tests/golden/preference has
// their numbers). Losses of a policy that is its own reference: log 2, and KTO's 1/2.
TEST(Preference, TheReferenceOfAnAdapterThatGoesOnIsSaidAndMayBeItsStart) {
  const TestFolder folder;
  make_first_adapter(folder);
  for (const auto& [stage, first_loss] : {std::pair(pair_keys(), std::log(2.0)), std::pair(label_keys(), 0.5)}) {
    SCOPED_TRACE(stage.at("stage"));
    const ProgramResult base = run_small(folder, "base_only", continuing(folder, stage));
    ASSERT_EQ(base.exit_code, 0) << base.err;
    EXPECT_THAT(base.err,
                AllOf(HasSubstr("adapter_name_or_path: its training goes on, and the reference is the base model "
                                "without it"),
                      HasSubstr("ref_model: start")));
    EXPECT_GT(std::abs(logged(folder / "base_only", "loss").at(0) - first_loss), 1e-4);

    const Keys from_start = continuing(folder, stage, {{"ref_model", "start"}});
    const ProgramResult start = run_small(folder, "start", from_start, {"--json"});
    ASSERT_EQ(start.exit_code, 0) << start.err;
    EXPECT_THAT(start.err, Not(HasSubstr("the reference is the base model")));
    EXPECT_NEAR(logged(folder / "start", "loss").at(0), first_loss, 1e-7);
    EXPECT_GT(std::abs(logged(folder / "start", "loss").back() - first_loss), 1e-5) << "nothing was learnt";

    const ProgramResult table = run_small(folder, "table", joined(from_start, {{"precompute_ref_log_probs", "true"}}));
    ASSERT_EQ(table.exit_code, 0) << table.err;
    EXPECT_EQ(logged(folder / "table", "loss"), logged(folder / "start", "loss"));

    for (const char* strategy : {"zero3", "ddp"}) {
      const ProgramResult ranks =
          run_small(folder, "ranks",
                    joined(from_start, {{"nproc", "2"}, {"strategy", strategy}, {"per_device_train_batch_size", "2"}}));
      ASSERT_EQ(ranks.exit_code, 0) << ranks.err;
      EXPECT_NEAR(logged(folder / "ranks", "loss").at(0), first_loss, 1e-6) << strategy;
      fs::remove_all(folder / "ranks");
    }
    for (const char* name : {"base_only", "start", "table"}) fs::remove_all(folder / name);
  }
}

TEST(Preference, TheStartIsThatOfTheRunNotOfTheCheckpoint) {
  const TestFolder folder;
  make_first_adapter(folder);
  const Keys saving =
      continuing(folder, pair_keys(), {{"ref_model", "start"}, {"save_strategy", "steps"}, {"save_steps", "3"}});
  ASSERT_EQ(run_small(folder, "whole", saving).exit_code, 0);
  const Keys resuming = joined(saving, {{"resume_from_checkpoint", (folder / "whole/checkpoint-3").string()}});
  for (const Keys& more : {Keys{}, Keys{{"precompute_ref_log_probs", "true"}}}) {
    const ProgramResult resumed = run_small(folder, "resumed", joined(resuming, more));
    ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_EQ(logged(folder / "resumed", "loss"), logged(folder / "whole", "loss"));
    EXPECT_EQ(bytes_of(folder / "resumed/adapter_model.safetensors"),
              bytes_of(folder / "whole/adapter_model.safetensors"));
    fs::remove_all(folder / "resumed");
  }
  // What the folder of the start holds now is another adapter.
  fs::copy(folder / "whole/adapter_model.safetensors", folder / "first/adapter_model.safetensors",
           fs::copy_options::overwrite_existing);
  const ProgramResult other = run_small(folder, "resumed", resuming);
  EXPECT_EQ(other.exit_code, 2) << other.err;
  EXPECT_THAT(other.err, HasSubstr("and the start is kept as a reference: restore it"));
  const ProgramResult computed =
      run_small(folder, "computed", joined(resuming, {{"precompute_ref_log_probs", "true"}}));
  EXPECT_EQ(computed.exit_code, 0) << computed.err;
  EXPECT_THAT(computed.err, HasSubstr("but what is computed with the initial model is computed with this one"));
}

TEST(Preference, CheckTellsWhatTheReferenceIsAndWhatItTakes) {
  const TestFolder folder;
  make_first_adapter(folder);
  const auto check = [&](const Keys& more) {
    const fs::path config =
        write_text(folder / "check.yaml", small_config(folder / "checked", continuing(folder, pair_keys(), more)));
    const ProgramResult result = run_ftrun({"check", "--config", config.string(), "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return std::pair(json::parse(result.out), result.err);
  };
  const auto [off, off_log] = check({});
  EXPECT_EQ(off.at("models").at(1).at("with"), "its adapter off");
  EXPECT_EQ(off.at("models").at(1).at("parameters"), 0);
  EXPECT_THAT(off_log, HasSubstr("the reference is the base model without it"));
  const auto [start, start_log] = check({{"ref_model", "start"}});
  EXPECT_EQ(start.at("models").at(1).at("with"), "the values of its start");
  const int64_t copied = start.at("models").at(1).at("parameters");
  EXPECT_EQ(copied, start.at("models").at(0).at("trained"));
  EXPECT_EQ(start.at("parameters"), off.at("parameters"));
  const int64_t more = start.at("bytes").at("weights").get<int64_t>() - off.at("bytes").at("weights").get<int64_t>();
  EXPECT_GE(more, 4 * copied);
  EXPECT_LT(more, 4 * copied + 64 * 1024);
  EXPECT_THAT(start_log, Not(HasSubstr("the reference is the base model")));
}

// Without an adapter that goes on, the start is what the reference is anyway.
TEST(Preference, TheStartIsTheInitialModelElsewhere) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "4"}}).exit_code, 0);
  const Keys on = {{"model_name_or_path", (folder / "base").string()},
                   {"train_from_scratch", ""},
                   {"precompute_ref_log_probs", "false"},
                   {"max_steps", "4"},
                   {"logging_steps", "1"}};
  for (const Keys& tuner : {Keys{}, Keys{{"finetuning_type", "lora"}}, Keys{{"finetuning_type", "freeze"}}}) {
    const Keys stage = joined(pair_keys(on), tuner);
    ASSERT_EQ(run_small(folder, "plain", stage).exit_code, 0);
    const ProgramResult start = run_small(folder, "start", joined(stage, {{"ref_model", "start"}}));
    ASSERT_EQ(start.exit_code, 0) << start.err;
    EXPECT_EQ(logged(folder / "start", "loss"), logged(folder / "plain", "loss"));
    for (const char* name : {"plain", "start"}) fs::remove_all(folder / name);
  }
  const ProgramResult itself = run_small(
      folder, "itself", joined(pair_keys(on), {{"ref_model", "start"}, {"do_train", "false"}, {"max_steps", ""}}));
  EXPECT_EQ(itself.exit_code, 2) << itself.err;
  EXPECT_THAT(itself.err, HasSubstr("the model would be its own reference"));
}

TEST(RewardModel, ANewAdapterKeepsTheHeadOfTheFormerOne) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "base", {{"max_steps", "1"}}).exit_code, 0);
  const Keys lora = joined(pair_keys({{"stage", "rm"},
                                      {"model_name_or_path", (folder / "base").string()},
                                      {"train_from_scratch", ""},
                                      {"finetuning_type", "lora"},
                                      {"max_steps", "2"}}),
                           {{"precompute_ref_log_probs", ""}});
  ASSERT_EQ(run_small(folder, "first", lora).exit_code, 0);
  const Keys on = joined(lora, {{"adapter_name_or_path", (folder / "first").string()},
                                {"learning_rate", "0"},
                                {"seed", "8"},
                                {"max_steps", "1"}});
  for (const char* anew : {"true", "false"}) {
    const ProgramResult result = run_small(folder, "on", joined(on, {{"create_new_adapter", anew}}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(bytes_of(folder / "on/value_head.safetensors"), bytes_of(folder / "first/value_head.safetensors"));
    fs::remove_all(folder / "on");
  }
}

TEST(RewardModel, ScoresAreMeasuredSavedAndReadAgain) {
  const TestFolder folder;
  const Keys rewards =
      joined(pair_keys({{"stage", "rm"}, {"num_train_epochs", "3"}}), {{"precompute_ref_log_probs", ""}});
  const ProgramResult result = run_small(folder, "run", rewards);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* name : {"accuracy", "margin", "mean_reward", "min_reward", "max_reward"}) {
    EXPECT_EQ(logged(folder / "run", name).size(), 24U) << name;
    EXPECT_EQ(logged(folder / "run", std::string("eval_") + name).size(), 3U) << name;
  }
  EXPECT_GT(logged(folder / "run", "margin").back(), logged(folder / "run", "margin").front());
  EXPECT_TRUE(fs::exists(folder / "run/value_head.safetensors"));
  // What was saved scores as it did: a second run's first evaluation, with a learning rate that moves nothing.
  const Keys again = joined(rewards, {{"model_name_or_path", (folder / "run").string()},
                                      {"train_from_scratch", ""},
                                      {"learning_rate", "1.0e-12"},
                                      {"num_train_epochs", "1"}});
  const ProgramResult read = run_small(folder, "again", again);
  ASSERT_EQ(read.exit_code, 0) << read.err;
  EXPECT_NEAR(logged(folder / "again", "eval_margin").back(), logged(folder / "run", "eval_margin").back(), 1e-4);
  const Keys ranks = joined(rewards, {{"strategy", "zero2"}, {"nproc", "2"}, {"per_device_train_batch_size", "2"}});
  ASSERT_EQ(run_small(folder, "many", ranks).exit_code, 0);
  const auto expected = logged(folder / "run", "loss");
  const auto found = logged(folder / "many", "loss");
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 2e-5) << i;
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

TEST(Pretraining, PerplexityFallsAndNoTokenIsLost) {
  const TestFolder folder;
  const ProgramResult result =
      run_small(folder, "run", text_keys({{"num_train_epochs", "4"}, {"learning_rate", "3.0e-3"}}), {"--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto perplexity = logged(folder / "run", "eval_perplexity");
  ASSERT_EQ(perplexity.size(), 4U);
  EXPECT_LT(perplexity.back(), 0.5 * perplexity.front());
  const Keys two = {{"strategy", "zero2"}, {"nproc", "2"}, {"per_device_train_batch_size", "2"}};
  ASSERT_EQ(run_small(folder, "one", text_keys()).exit_code, 0);
  ASSERT_EQ(run_small(folder, "many", text_keys(two)).exit_code, 0);
  const auto expected = logged(folder / "one", "loss");
  const auto found = logged(folder / "many", "loss");
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5 * expected[i]) << i;
}

// Texts have no turns: nothing is said about a template, and what is given for one is named.
TEST(Pretraining, TemplatesMeanNothing) {
  const TestFolder folder;
  const Keys one_step = {{"max_steps", "1"}, {"eval_strategy", ""}, {"eval_dataset", ""}};
  const ProgramResult silent = run_small(folder, "silent", text_keys(one_step));
  ASSERT_EQ(silent.exit_code, 0) << silent.err;
  EXPECT_THAT(silent.err, Not(HasSubstr("template")));
  EXPECT_EQ(read_json(folder / "silent/tokenizer_config.json"),
            read_json(FTRUN_SOURCE_DIR "/configs/demo/model/tokenizer_config.json"));
  const ProgramResult given =
      run_small(folder, "given", text_keys(joined(one_step, {{"template", "chatml"}, {"enable_thinking", "false"}})));
  ASSERT_EQ(given.exit_code, 0) << given.err;
  EXPECT_THAT(given.err, AllOf(HasSubstr("template: has no effect: plain text has no turns"),
                               HasSubstr("enable_thinking: has no effect: plain text has no turns")));
  EXPECT_EQ(bytes_of(folder / "given/tokenizer_config.json"), bytes_of(folder / "silent/tokenizer_config.json"));
  EXPECT_EQ(logged(folder / "given", "loss"), logged(folder / "silent", "loss"));
  const ProgramResult ending = run_small(folder, "ending", text_keys(joined(one_step, {{"template", "llama3"}})));
  EXPECT_EQ(ending.exit_code, 2) << "the demo's tokenizer lacks the token that ends a text there";
  EXPECT_THAT(ending.err, AllOf(HasSubstr("template: 'llama3' ends"), Not(HasSubstr("template: has no effect"))));
}

// Positions run through a row, however short the texts in it are.
TEST(Pretraining, RowsLongerThanTheModelsPositionsAreNamed) {
  const TestFolder folder;
  const Keys one_step = {{"max_steps", "1"}, {"eval_strategy", ""}, {"eval_dataset", ""}, {"cutoff_len", "300"}};
  const ProgramResult packed = run_small(folder, "packed", text_keys(one_step));
  ASSERT_EQ(packed.exit_code, 0) << packed.err;
  EXPECT_THAT(packed.err, HasSubstr("(up to 300 tokens) than the 256 positions"));
  const ProgramResult single = run_small(folder, "single", text_keys(joined(one_step, {{"packing", "false"}})));
  ASSERT_EQ(single.exit_code, 0) << single.err;
  EXPECT_THAT(single.err, Not(HasSubstr("positions the model was made for")));
}

}  // namespace
}  // namespace ftrun::test
