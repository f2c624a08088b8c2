// Warnings about runs that cannot be worth anything: from the ledger's counts and an update's numbers.
#include "core/train/futile_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(FutileUpdate, OnlyExactlyNothingAndOnlyEarly) {
  EXPECT_THAT(futile_update(1, 0, 0), HasSubstr("step 1: grad_norm is exactly 0 (loss 0)"));
  EXPECT_THAT(futile_update(2, 0.5, 0), HasSubstr("step 2: grad_norm is exactly 0 (loss 0.5)"));
  EXPECT_EQ(futile_update(2, 0, 1e-300), "");
  EXPECT_EQ(futile_update(3, 0, 0), "") << "a learnt margin has no gradient either";
}

}  // namespace
}  // namespace ftrun
