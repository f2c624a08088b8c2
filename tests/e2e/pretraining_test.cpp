// Runs of pt as a user starts them: perplexity, templates, long rows.
// Leaves out: numbers against TRL (tests/paradigms), data formats (tests/data).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/preference_keys.h"
#include "tests/e2e/program.h"
#include "tests/e2e/training_state.h"

namespace ftrun::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

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
