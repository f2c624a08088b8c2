// Does the written model answer as the base with its adapter beside it does? Logits (a classifier's scores) of both on
// a few texts. Leaves out: what is done about it (export_command.cpp).
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/export/export_setup.h"

namespace ftrun {

/// Logits f32 of every position of the sample texts, computed in f32; of a classifier its scores.
struct SampleLogits {
  int64_t positions = 0;
  int64_t vocabulary = 0;     ///< 1 for scores
  std::vector<float> values;  ///< [positions, vocabulary]
};

/// Of the base with the last adapter beside it and the others merged; of the base where there is none.
SampleLogits logits_before(const ExportSetup& setup);
/// Of the model that was written to `folder`.
SampleLogits logits_after(const ExportSetup& setup, const std::filesystem::path& folder);

struct LogitsDistance {
  double largest_difference = 0;
  double largest_logit = 0;
  double mean_square_difference = 0;
  double mean_square_logit = 0;
  int64_t positions = 0;
  int64_t same_first = 0;  ///< positions whose most likely token is the same

  /// Largest difference as a share of the largest logit.
  double relative() const noexcept { return largest_logit > 0 ? largest_difference / largest_logit : 0; }
  /// Root mean square of the differences as a share of that of the logits.
  double relative_rms() const noexcept {
    return mean_square_logit > 0 ? std::sqrt(mean_square_difference / mean_square_logit) : 0;
  }
  /// Rounding of weights spreads over all logits and reaches a few times its mean; what is wrong with one tensor does
  /// not.
  bool is_within(double tolerance) const noexcept {
    constexpr double kLargestPerMean = 5;
    return relative_rms() <= tolerance && relative() <= kLargestPerMean * tolerance;
  }
};
LogitsDistance distance_of(const SampleLogits& before, const SampleLogits& after);

}  // namespace ftrun
