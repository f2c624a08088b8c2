// Log lines, log file, plot, state file: what a run leaves for people and programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/train/loss_plot.h"
#include "core/train/progress.h"
#include "core/train/trainer_state.h"
#include "core/train/training_log.h"

namespace ftrun {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(LogLine, LooksLikeTheHuggingFaceTrainers) {
  nlohmann::ordered_json entry;
  entry["loss"] = 1.23456;
  entry["grad_norm"] = 0.5;
  entry["learning_rate"] = 4.5e-05;
  entry["epoch"] = 1.0;
  EXPECT_EQ(format_log_line(entry), "{'loss': 1.2346, 'grad_norm': 0.5, 'learning_rate': 4.5e-05, 'epoch': 1.0}");
}

TEST(Banner, HasTheKnownLines) {
  const std::string text = format_banner({1234, 3, 4, 8, 2, 463, 1000000});
  EXPECT_THAT(text, HasSubstr("***** Running training *****"));
  EXPECT_THAT(text, HasSubstr("Num examples = 1,234"));
  EXPECT_THAT(text, HasSubstr("Total optimization steps = 463"));
  EXPECT_THAT(text, HasSubstr("Number of trainable parameters = 1,000,000"));
}

TEST(TrainerLogFile, ResumedRunDropsLaterLines) {
  const auto folder = std::filesystem::temp_directory_path() / "ftrun_train_log_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  TrainerLogFile first(folder, 0, 0);
  for (int step = 1; step <= 3; ++step) first.append({{"current_steps", step}});
  TrainerLogFile resumed(folder, 2, 1);
  EXPECT_EQ(read_file(folder / "trainer_log.jsonl"), "{\"current_steps\":1}\n{\"current_steps\":2}\n");
  resumed.append({{"current_steps", 2}, {"eval_loss", 1}});
  TrainerLogFile again(folder, 2, 1);
  EXPECT_EQ(read_file(folder / "trainer_log.jsonl"), "{\"current_steps\":1}\n{\"current_steps\":2}\n")
      << "an evaluation that the checkpoint does not know is made again";
  TrainerLogFile fresh(folder, 0, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "trainer_log.jsonl")) << "the file appears with its first line";
  std::filesystem::remove_all(folder);
}

TEST(TrainerState, RoundTripsBitForBit) {
  TrainerState state;
  state.global_step = 17;
  state.loss_total = 0.1 + 0.2;
  state.best_metric = 1.0 / 3.0;
  state.best_model_checkpoint = "output/checkpoint-10";
  state.data_fingerprint = std::numeric_limits<uint64_t>::max();
  state.log_history.push_back({{"loss", std::nextafter(1.0, 2.0)}});
  const TrainerState again = parse_trainer_state(to_json_text(state), "trainer_state.json");
  EXPECT_EQ(again.global_step, 17);
  EXPECT_EQ(again.loss_total, state.loss_total);
  EXPECT_EQ(again.best_metric, state.best_metric);
  EXPECT_EQ(again.data_fingerprint, state.data_fingerprint);
  EXPECT_EQ(again.log_history, state.log_history);
}

TEST(TrainerState, ForeignOrBrokenStatesAreRefused) {
  const auto message = [](const std::string& text) {
    try {
      parse_trainer_state(text, "s.json");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(message("{\"global_step\": 3}"), HasSubstr("not a trainer state of ftrun"));
  EXPECT_THAT(message("{\"stateful_callbacks\": {\"ftrun\": {}}}"), HasSubstr("key 'global_step'"));
  EXPECT_THAT(message("{"), HasSubstr("s.json:1"));
}

TEST(LossPlot, ShowsFinitePointsAndTicks) {
  const std::vector<PlotPoint> points = {{1, 4.0}, {2, std::nan("")}, {3, 2.0}, {4, 1.0}};
  const std::string svg = loss_plot_svg(points, "loss", "a < b");
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
  EXPECT_THAT(svg, HasSubstr("<polyline"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(loss_plot_svg({}, "loss", "empty"), HasSubstr("</svg>"));
}

TEST(Duration, HoursOnlyWhenNeeded) {
  EXPECT_EQ(format_duration(59.6), "01:00");
  EXPECT_EQ(format_duration(3723), "1:02:03");
}

}  // namespace
}  // namespace ftrun
