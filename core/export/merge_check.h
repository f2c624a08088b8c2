// Does the written model answer as the base with its adapter beside it does? Logits of both on a few texts.
// Leaves out: what is done about it (export_command.cpp).
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/export/export_setup.h"

namespace ftrun {

/// Logits f32 of every position of the sample texts, computed in f32.
struct SampleLogits {
  int64_t positions = 0;
  int64_t vocabulary = 0;
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
  int64_t not_finite = 0;  ///< logits, of either, that are infinite or no number; the measures above leave them out

  /// Largest difference as a share of the largest logit; infinite where all logits are 0 and some differ.
  double relative() const noexcept { return share(largest_difference, largest_logit); }
  /// Root mean square of the differences as a share of that of the logits; likewise.
  double relative_rms() const noexcept {
    return share(std::sqrt(mean_square_difference), std::sqrt(mean_square_logit));
  }
  /// Both measures are at most the tolerance, and every logit is a number.
  bool is_within(double tolerance) const noexcept {
    return not_finite == 0 && relative_rms() <= tolerance && relative() <= tolerance;
  }

 private:
  static double share(double part, double whole) noexcept {
    if (part == 0) return 0;
    return whole > 0 ? part / whole : HUGE_VAL;
  }
};
LogitsDistance distance_of(const SampleLogits& before, const SampleLogits& after);

}  // namespace ftrun
