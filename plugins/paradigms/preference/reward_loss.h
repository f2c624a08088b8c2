// The loss of a pair of scores, and its gradient.
// Source: InstructGPT, Ouyang et al. 2022, equation 1 (Bradley-Terry); margin: Llama 2, Touvron et al. 2023; centring:
// Eisenstein et al. 2023. Implementation matched: TRL 1.16 RewardTrainer.
#pragma once

namespace ftrun::preference {

struct RewardLoss {
  double loss = 0;
  double chosen_gradient = 0;    ///< of the loss by the chosen answer's score
  double rejected_gradient = 0;  ///< likewise
};

/// -log s(chosen - rejected - margin) + centring * (chosen + rejected)^2.
RewardLoss reward_loss(double chosen, double rejected, double margin, double centring);

}  // namespace ftrun::preference
