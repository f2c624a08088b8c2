// The loss of one answer that is good or bad, and its gradient, from its summed log-ratio to the reference model.
// Source: KTO, Ethayarajh et al. 2024, equation 7; TRL 1.16 KTOTrainer (loss_type "kto").
#pragma once

namespace ftrun::preference {

struct LabelLossOptions {
  double beta = 0.1;
  double desirable_weight = 1;
  double undesirable_weight = 1;
};

struct LabelLoss {
  double loss = 0;
  double gradient = 0;  ///< by the answer's summed log-probability
  double reward = 0;
};

/// desirable: w (1 - s(b (r - z))), undesirable: w (1 - s(b (z - r))), r the log-ratio, z the divergence from the
/// reference model (not differentiated).
LabelLoss label_loss(const LabelLossOptions& options, double log_ratio, double divergence, bool desirable);

}  // namespace ftrun::preference
