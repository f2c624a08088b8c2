// Means, over updates, of numbers that a paradigm measures once per update.
// Leaves out: reporting them (trainer.cpp).
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ftrun {

/// By name. A number that some updates do not report is averaged over those that do.
class MetricMeans {
 public:
  /// One update's numbers; they count in proportion to `weight`.
  void add(const std::map<std::string, double>& values, double weight);
  /// The means so far; forgets everything.
  std::map<std::string, double> take();

  nlohmann::json to_json() const;
  /// Inverse of to_json(). Throws nlohmann::json::exception when `json` is not one.
  static MetricMeans from_json(const nlohmann::json& json);

 private:
  struct Sum {
    double weighted = 0;
    double weight = 0;
  };
  std::map<std::string, Sum> sums_;
};

}  // namespace ftrun
