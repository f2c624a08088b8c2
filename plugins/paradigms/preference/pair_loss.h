// The losses of one pair of answers, and their gradients, from summed log-probabilities.
// Leaves out: how log-probabilities are computed (sequence_logps.h).
//
// Sources, with r = log-ratio to the reference model, summed over an answer, D = r_chosen - r_rejected, b = beta:
//   sigmoid  -(1 - e) log s(bD) - e log s(-bD)                  DPO, Rafailov et al. 2023; e: conservative DPO
//   hinge    max(0, 1 - bD)                                     SLiC, Zhao et al. 2023
//   ipo      (D' - 1 / (2b))^2, D' of ratios per token          IPO, Azar et al. 2023
//   robust   (-(1 - e) log s(bD) + e log s(-bD)) / (1 - 2e)     robust DPO, Chowdhury et al. 2024
//   orpo     -c - b log s(log odds(c) - log odds(r))            ORPO, Hong et al. 2024; c, r per token, no reference
//   simpo    -log s(b (c - r) - gamma)                          SimPO, Meng et al. 2024; c, r per token, no reference
// Each plus ftx times the chosen answer's negative log-likelihood per token. Implementations matched: TRL 1.16
// DPOTrainer (sigmoid, hinge, ipo, robust), ORPOTrainer.odds_ratio_loss, CPOTrainer.cpo_loss (simpo); smoothed sigmoid,
// the likelihood terms of orpo (the answer only, TRL's takes the prompt too) and of ftx as in LLaMA-Factory 0.9.5.
#pragma once

#include <cstdint>
#include <string_view>

namespace ftrun::preference {

enum class PairLossType : uint8_t { kSigmoid, kHinge, kIpo, kRobust, kOrpo, kSimpo };

/// By the names above, which are all that there are.
PairLossType parse_pair_loss(std::string_view name);
bool uses_reference(PairLossType type) noexcept;
/// Whether rewards and logged log-probabilities are per token.
bool averages_tokens(PairLossType type) noexcept;

struct PairLossOptions {
  PairLossType type = PairLossType::kSigmoid;
  double beta = 0.1;
  double label_smoothing = 0;
  double simpo_gamma = 0.5;
  double ftx = 0;
};

/// One answer: its log-probability under the policy and under the reference model, summed over its tokens.
struct AnswerLogp {
  double policy = 0;
  double reference = 0;
  int64_t tokens = 0;
};

struct PairLoss {
  double loss = 0;
  double chosen_gradient = 0;    ///< of the loss by the chosen answer's summed log-probability
  double rejected_gradient = 0;  ///< likewise
  double chosen_reward = 0;
  double rejected_reward = 0;
  double log_odds = 0;  ///< orpo: of the chosen over the rejected answer
};

PairLoss pair_loss(const PairLossOptions& options, const AnswerLogp& chosen, const AnswerLogp& rejected);

/// log(1 / (1 + exp(-x))), without overflow.
double log_sigmoid(double x) noexcept;
double sigmoid(double x) noexcept;

}  // namespace ftrun::preference
