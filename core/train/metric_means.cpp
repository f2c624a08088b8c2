// Weighted sums by name.
#include "core/train/metric_means.h"

#include <nlohmann/json.hpp>

namespace ftrun {

void MetricMeans::add(const std::map<std::string, double>& values, double weight) {
  for (const auto& [name, value] : values) {
    Sum& sum = sums_[name];
    sum.weighted += value * weight;
    sum.weight += weight;
  }
}

std::map<std::string, double> MetricMeans::take() {
  std::map<std::string, double> means;
  for (const auto& [name, sum] : sums_) {
    if (sum.weight > 0) means[name] = sum.weighted / sum.weight;
  }
  sums_.clear();
  return means;
}

nlohmann::json MetricMeans::to_json() const {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, sum] : sums_) json[name] = {sum.weighted, sum.weight};
  return json;
}

MetricMeans MetricMeans::from_json(const nlohmann::json& json) {
  MetricMeans means;
  for (const auto& [name, sum] : json.items()) means.sums_[name] = {sum.at(0).get<double>(), sum.at(1).get<double>()};
  return means;
}

}  // namespace ftrun
