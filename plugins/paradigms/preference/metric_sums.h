// Means of an update over all its items on all ranks, for the log.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ftrun/cpp/plugin.hpp"

namespace ftrun::preference {

/// Sums of this rank, by position in the list of names.
class MetricSums {
 public:
  explicit MetricSums(size_t count) : sums_(count, 0.0), counts_(count, 0.0) {}

  void add(size_t metric, double value) {
    sums_[metric] += value;
    counts_[metric] += 1;
  }
  /// Means over all ranks; nothing where no rank added anything. Collective.
  std::vector<std::optional<double>> means(const ftrun_host* host, ftrun_context* ctx) const;

 private:
  std::vector<double> sums_;
  std::vector<double> counts_;
};

/// Gives the means that there are to the host's log.
void report_metrics(const ftrun_host* host, ftrun_context* ctx, std::span<const std::string_view> names,
                    std::span<const std::optional<double>> means);

/// The names as ftrun_paradigm_plan.metrics wants them.
std::string joined_names(std::span<const std::string_view> names);

/// Sums host numbers over ranks, in pieces. Collective.
void sum_over_ranks(const ftrun_host* host, ftrun_context* ctx, std::span<double> values);

}  // namespace ftrun::preference
