// Warnings about runs that cannot be worth anything: from the ledger's counts and an update's numbers.
#include "core/train/futile_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>

#include "core/config/document.h"
#include "ftrun/cpp/plugin.hpp"

namespace ftrun {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

PreparedData prepared(int64_t read, int64_t kept) {
  PreparedData data;
  data.ledger.files = {"rows.jsonl"};
  data.ledger.rows_read = read;
  data.ledger.rows_kept = kept;
  data.ledger.cutoff_len = 32;
  return data;
}

void fill(RowCategory& category, int64_t count) {
  for (int64_t line = 1; line <= count; ++line) category.add({0, line, 0, ""});
}

DataSpec spec() {
  DataSpec spec;
  spec.origins["cutoff_len"] = "run.yaml:6";
  spec.origins["dataset"] = "run.yaml:4";
  return spec;
}

TEST(FutileData, CutsOfMostRowsAreNamedWithCountsAndLines) {
  PreparedData data = prepared(10, 10);
  fill(data.ledger.lost_prompt_tail, 5);
  fill(data.ledger.lost_eos, 5);
  EXPECT_THAT(futile_data(data, spec()), IsEmpty()) << "half is not most";
  data.ledger.lost_prompt_tail.add({0, 9, 0, ""});
  data.ledger.lost_eos.add({0, 9, 0, ""});
  EXPECT_THAT(futile_data(data, spec()),
              ElementsAre(AllOf(HasSubstr("run.yaml:6: cutoff_len: 6 of 10 rows lost the end of a prompt"),
                                HasSubstr("rows.jsonl:1, rows.jsonl:2, rows.jsonl:3 and 3 more")),
                          HasSubstr("run.yaml:6: cutoff_len: 6 of 10 rows lost the end of an answer (EOS)")));
  data.ledger.rows_read = 13;
  fill(data.ledger.bad, 2);
  EXPECT_THAT(futile_data(data, spec()), testing::SizeIs(2)) << "of the rows that fit: 6 of 11";
  fill(data.ledger.prompt_exceeds_cutoff, 1);
  data.ledger.rows_read = 15;
  EXPECT_THAT(futile_data(data, spec()), IsEmpty()) << "6 of 12";
}

TEST(FutileData, MostRowsDroppedNamesWhatDropsThem) {
  PreparedData data = prepared(10, 4);
  fill(data.ledger.without_supervision, 6);
  EXPECT_THAT(futile_data(data, spec()),
              ElementsAre("run.yaml:4: dataset: 6 of 10 rows are dropped: 0 do not fit the format, the prompt of "
                          "0 exceeds cutoff_len 32, 6 have no token to learn from"));
  fill(data.ledger.truncated, 6);
  EXPECT_THAT(futile_data(data, spec()), ElementsAre(HasSubstr("run.yaml:6: cutoff_len: 6 of 10 rows")));
  fill(data.ledger.marked_unlearnt, 6);
  EXPECT_THAT(futile_data(data, spec()), ElementsAre(AllOf(HasSubstr("run.yaml:4: dataset: 6 of 10 rows"),
                                                           HasSubstr("6 mark every answer as not to be learnt"))));
  PreparedData half = prepared(10, 5);
  fill(half.ledger.bad, 5);
  EXPECT_THAT(futile_data(half, spec()), IsEmpty());
}

TEST(FutileData, EveryEmptyAnswerCounts) {
  PreparedData data = prepared(100, 100);
  fill(data.ledger.empty_prompts, 90);
  EXPECT_THAT(futile_data(data, spec()), IsEmpty()) << "a line of the ledger";
  data.ledger.empty_answers.add({0, 17, 0, ""});
  EXPECT_THAT(futile_data(data, spec()),
              ElementsAre("run.yaml:4: dataset: the answer of 1 of 100 rows is empty, which teaches the model to say "
                          "nothing: rows.jsonl:17"));
}

/// With a paradigm that has two numbers and a word of its own.
ResolvedConfig resolved(const std::string& text) {
  static const ftrun_option options[] = {sdk::option("beta", FTRUN_OPTION_FLOAT, "0.1", "A number.", FTRUN_OPTION_FLAT),
                                         sdk::option("gamma", FTRUN_OPTION_FLOAT, "0.5", "Another.", FTRUN_OPTION_FLAT),
                                         sdk::option("word", FTRUN_OPTION_STRING, "a", "A word.", FTRUN_OPTION_FLAT)};
  const ftrun_option_table raw = {{sizeof(raw), FTRUN_OPTION_TABLE_TAG}, 3, sizeof(ftrun_option), options};
  static const std::vector<OptionSpec> specs = read_option_table(&raw, "plugin 'test'");
  const PluginOptionTable table = {"paradigm", "test", &specs, nullptr};
  ConfigSources sources;
  sources.document = parse_config_text(text, "run.yaml");
  return resolve(sources, std::span(&table, 1));
}

TEST(FutileUpdate, OnlyExactlyNothingAndOnlyEarly) {
  const ResolvedConfig config = resolved("finetuning_type: full\n");
  EXPECT_THAT(futile_update(1, 0, 0, config), HasSubstr("step 1: grad_norm is exactly 0 (loss 0)"));
  EXPECT_THAT(futile_update(2, 0.5, 0, config), HasSubstr("step 2: grad_norm is exactly 0 (loss 0.5)"));
  EXPECT_EQ(futile_update(2, 0, 1e-300, config), "");
  EXPECT_EQ(futile_update(3, 0, 0, config), "") << "a learnt margin has no gradient either";
}

TEST(FutileUpdate, NamesTheKeysThatDecideWithTheirPlaces) {
  EXPECT_EQ(gradient_keys(resolved("finetuning_type: full\ndataset: a\n")),
            "finetuning_type (run.yaml:1), dataset (run.yaml:2), cutoff_len");
  EXPECT_EQ(
      gradient_keys(resolved("lora_alpha: 0.5\nword: b\nbeta: 0\ncutoff_len: 8\n")),
      "beta (run.yaml:3), finetuning_type, lora_target, lora_alpha (run.yaml:1), lora_dropout, dataset, cutoff_len "
      "(run.yaml:4)");
  EXPECT_EQ(gradient_keys(resolved("finetuning_type: freeze\nfreeze_trainable_layers: 1\n")),
            "finetuning_type (run.yaml:1), freeze_trainable_layers (run.yaml:2), freeze_trainable_modules, "
            "freeze_extra_modules, dataset, cutoff_len");
  EXPECT_THAT(futile_update(1, 0, 0, resolved("beta: 0\n")),
              AllOf(HasSubstr("said by beta (run.yaml:1), finetuning_type"), HasSubstr("whatever learning_rate is")));
}

}  // namespace
}  // namespace ftrun
