// One pass over log_history per curve.
#include "core/train/history_plots.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/train/loss_plot.h"

namespace ftrun {
namespace {

/// Of what the paradigm measured while training.
std::set<std::string> metric_names(const nlohmann::json& log_history) {
  static const std::set<std::string> kOwn = {"loss", "grad_norm", "learning_rate", "epoch", "step"};
  std::set<std::string> names;
  for (const auto& entry : log_history) {
    if (!entry.contains("loss")) continue;
    for (const auto& [name, value] : entry.items()) {
      if (!kOwn.contains(name)) names.insert(name);
    }
  }
  return names;
}

std::vector<PlotPoint> points_of(const nlohmann::json& log_history, const std::string& key) {
  std::vector<PlotPoint> points;
  for (const auto& entry : log_history) {
    if (entry.contains(key)) points.push_back({entry.at("step").get<double>(), entry.at(key).get<double>()});
  }
  return points;
}

}  // namespace

void write_history_plots(const std::filesystem::path& folder, const nlohmann::json& log_history) {
  write_loss_plot(folder / "training_loss.svg", points_of(log_history, "loss"), "loss",
                  "training loss of " + folder.string());
  const auto evaluations = points_of(log_history, "eval_loss");
  if (evaluations.size() > 1) {
    write_loss_plot(folder / "training_eval_loss.svg", evaluations, "eval_loss",
                    "evaluation loss of " + folder.string());
  }
  for (const std::string& name : metric_names(log_history)) {
    const auto points = points_of(log_history, name);
    if (points.size() < 2) continue;
    std::string file = "training_" + name + ".svg";
    std::ranges::replace(file, '/', '_');
    write_loss_plot(folder / file, points, name, name + " of " + folder.string());
  }
}

}  // namespace ftrun
