// Schedules against numbers printed by transformers' get_scheduler (tests/golden/schedules.py).
#include "core/train/schedule.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json_text.h"

namespace ftrun {
namespace {

TEST(Schedule, EqualsTransformers) {
  const nlohmann::json golden = read_json_file(FTRUN_SOURCE_DIR "/tests/golden/schedules.json");
  ASSERT_GE(golden.size(), 10U);
  for (const auto& row : golden) {
    ScheduleArguments arguments;
    arguments.learning_rate = row.at("learning_rate");
    arguments.total_steps = row.at("total_steps");
    arguments.warmup_steps = row.at("warmup_steps");
    arguments.min_lr = row.value("min_lr", 0.0);
    const Schedule schedule = make_schedule(row.at("name").get<std::string>(), arguments);
    int64_t step = 0;
    for (const double expected : row.at("rates")) {
      EXPECT_NEAR(schedule(step), expected, 1e-12) << row.at("name") << " step " << step;
      ++step;
    }
    EXPECT_EQ(step, arguments.total_steps);
  }
}

TEST(Schedule, WarmupIsStepsOrRatio) {
  EXPECT_EQ(warmup_updates(7, 0.5, 100), 7);
  EXPECT_EQ(warmup_updates(0, 0.05, 101), 6);
  EXPECT_EQ(warmup_updates(0.1, 0, 100), 10);
  EXPECT_EQ(warmup_updates(0, 0, 100), 0);
}

TEST(Schedule, UnknownNameSuggestsTheNearest) {
  try {
    make_schedule("cosin", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'cosine'"), std::string::npos) << error.what();
    EXPECT_EQ(exit_code_of(error.code()), 2);
  }
}

}  // namespace
}  // namespace ftrun
