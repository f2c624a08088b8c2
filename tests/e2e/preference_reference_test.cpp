// What runs of dpo and kto are measured against: computed once, a base under an adapter, the start of one that goes on.
// Leaves out: numbers against TRL (tests/paradigms), data formats (tests/data).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace ftrun::test
