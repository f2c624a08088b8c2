// Sums and counts travel together.
#include "metric_sums.h"

#include <algorithm>

#include "ftrun/collectives.h"

namespace ftrun::preference {

std::vector<std::optional<double>> MetricSums::means(const ftrun_host* host, ftrun_context* ctx) const {
  std::vector<double> all = sums_;
  all.insert(all.end(), counts_.begin(), counts_.end());
  sum_over_ranks(host, ctx, all);
  std::vector<std::optional<double>> result(sums_.size());
  for (size_t i = 0; i < result.size(); ++i) {
    const double count = all[sums_.size() + i];
    if (count > 0) result[i] = all[i] / count;
  }
  return result;
}

void report_metrics(const ftrun_host* host, ftrun_context* ctx, std::span<const std::string_view> names,
                    std::span<const std::optional<double>> means) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (means[i]) sdk::check(host->metric(ctx, sdk::str(names[i]), *means[i]));
  }
}

std::string joined_names(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text.append(text.empty() ? "" : ",").append(name);
  return text;
}

void sum_over_ranks(const ftrun_host* host, ftrun_context* ctx, std::span<double> values) {
  constexpr size_t kPiece = 1 << 16;
  for (size_t begin = 0; begin < values.size(); begin += kPiece) {
    const auto piece = values.subspan(begin, std::min(kPiece, values.size() - begin));
    sdk::check(host->collectives->sum_host(ctx, nullptr, piece.data(), static_cast<int32_t>(piece.size())));
  }
}

}  // namespace ftrun::preference
