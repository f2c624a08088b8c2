// Epochs against transformers' Trainer (tests/golden/epochs.py), and what is due after an update.
#include "core/train/step_position.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/json_text.h"

namespace ftrun {
namespace {

TEST(EpochsAfter, HaveTheBitsOfTheHuggingFaceTrainers) {
  const nlohmann::json golden = read_json_file(FTRUN_SOURCE_DIR "/tests/golden/epochs.json");
  ASSERT_GE(golden.size(), 10U);
  for (const auto& row : golden) {
    SCOPED_TRACE(row.dump());
    const int64_t accumulation = row.at("gradient_accumulation_steps");
    const int64_t rows_per_micro_batch =
        row.at("ranks").get<int64_t>() * row.at("per_device_train_batch_size").get<int64_t>();
    const int64_t rows_per_update = rows_per_micro_batch * accumulation;
    const int64_t rows = row.at("rows");
    const int64_t updates = (rows + rows_per_update - 1) / rows_per_update;
    TrainingArguments arguments;
    arguments.num_train_epochs = row.at("num_train_epochs");
    arguments.max_steps = row.at("max_steps");
    const int64_t steps = planned_updates(arguments, updates);
    ASSERT_EQ(steps, static_cast<int64_t>(row.at("epochs").size()));
    const RunLength length = run_length(rows, rows_per_micro_batch, accumulation, updates, steps);
    for (int64_t step = 1; step <= steps; ++step) {
      EXPECT_EQ(epochs_after(step, length), row.at("epochs")[static_cast<size_t>(step - 1)].get<double>()) << step;
    }
  }
}

TEST(EpochsAfter, UpdatesThatAreNoWindowsOfRowsWeighTheSame) {
  const RunLength length = run_length(10, 2, 2, 7, 14);  // 5 micro-batches would be 3 updates
  EXPECT_EQ(epochs_after(0, length), 0);
  EXPECT_EQ(epochs_after(7, length), 1);
  EXPECT_DOUBLE_EQ(epochs_after(8, length), 1 + 1.0 / 7);
}

Period every(int64_t steps) { return {Period::Unit::kSteps, steps, 0}; }
constexpr Period kEveryEpoch = {Period::Unit::kEpoch, 0, 0};
constexpr RunLength kRun = {3, 3, 1, 8};  // epochs end at 3, 6 and with the run

std::string steps_with(bool DueWork::*work, const TrainingArguments& arguments) {
  std::string steps;
  for (int64_t step = 0; step <= kRun.max_steps; ++step) {
    if (due_after(step, kRun, arguments).*work) steps += std::to_string(step) + " ";
  }
  return steps;
}

TEST(DueAfter, PeriodsOfStepsAndEpochs) {
  TrainingArguments arguments;
  arguments.logging = every(3);
  arguments.evaluation = every(3);
  arguments.saving = every(3);
  EXPECT_EQ(steps_with(&DueWork::log, arguments), "3 6 ");
  EXPECT_EQ(steps_with(&DueWork::evaluate, arguments), "3 6 ");
  EXPECT_EQ(steps_with(&DueWork::save, arguments), "3 6 8 ") << "the last update is saved too";
  arguments.logging_first_step = true;
  EXPECT_EQ(steps_with(&DueWork::log, arguments), "1 3 6 ");
  arguments.evaluation = kEveryEpoch;
  arguments.saving = kEveryEpoch;
  EXPECT_EQ(steps_with(&DueWork::evaluate, arguments), "3 6 8 ") << "the run ends the epoch that it is in";
  EXPECT_EQ(steps_with(&DueWork::save, arguments), "3 6 8 ");
  arguments.evaluation = {};
  arguments.saving = {};
  EXPECT_EQ(steps_with(&DueWork::evaluate, arguments), "");
  EXPECT_EQ(steps_with(&DueWork::save, arguments), "");
}

}  // namespace
}  // namespace ftrun
