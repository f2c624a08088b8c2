// Each loss as a function of one difference, then the chain rule to the two sums.
#include "pair_loss.h"

#include <algorithm>
#include <cmath>

namespace ftrun::preference {
namespace {

/// A loss of x and its derivative.
struct Scalar {
  double value = 0;
  double slope = 0;
};

Scalar smoothed_sigmoid(double x, double smoothing) {
  return {-(1 - smoothing) * log_sigmoid(x) - smoothing * log_sigmoid(-x),
          -(1 - smoothing) * sigmoid(-x) + smoothing * sigmoid(x)};
}

Scalar hinge(double x) { return {std::max(0.0, 1 - x), x < 1 ? -1.0 : 0.0}; }

Scalar robust(double x, double smoothing) {
  const double scale = 1 / (1 - 2 * smoothing);
  return {scale * (-(1 - smoothing) * log_sigmoid(x) + smoothing * log_sigmoid(-x)),
          scale * (-(1 - smoothing) * sigmoid(-x) - smoothing * sigmoid(x))};
}

double mean(double sum, const AnswerLogp& answer) { return sum / static_cast<double>(answer.tokens); }

/// Log of the odds p / (1 - p) of a probability given by its log, and its derivative by that log.
Scalar log_odds(double logp) {
  // A probability that rounds to 1 has no odds; this far from it they are still finite.
  const double bounded = std::min(logp, -1e-12);
  const double complement = -std::expm1(bounded);
  return {bounded - std::log(complement), 1 / complement};
}

/// Loss, gradients by c and r (per token) and the logged odds.
void add_odds_ratio(const PairLossOptions& options, double c, double r, PairLoss& out) {
  const Scalar chosen = log_odds(c);
  const Scalar rejected = log_odds(r);
  out.log_odds = chosen.value - rejected.value;
  const double slope = -options.beta * sigmoid(-out.log_odds);
  out.loss = -c - options.beta * log_sigmoid(out.log_odds);
  out.chosen_gradient = -1 + slope * chosen.slope;
  out.rejected_gradient = -slope * rejected.slope;
}

Scalar of_difference(const PairLossOptions& options, double difference) {
  const double x = options.beta * difference;
  switch (options.type) {
    case PairLossType::kHinge:
      return hinge(x);
    case PairLossType::kRobust:
      return robust(x, options.label_smoothing);
    case PairLossType::kSimpo:
      return smoothed_sigmoid(x - options.simpo_gamma, 0);
    case PairLossType::kIpo: {
      const double distance = difference - 1 / (2 * options.beta);
      return {distance * distance, 2 * distance / options.beta};  // slope by x
    }
    default:
      return smoothed_sigmoid(x, options.label_smoothing);
  }
}

}  // namespace

double log_sigmoid(double x) noexcept { return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x))); }

double sigmoid(double x) noexcept {
  const double small = std::exp(-std::abs(x));
  return x >= 0 ? 1 / (1 + small) : small / (1 + small);
}

PairLossType parse_pair_loss(std::string_view name) {
  if (name == "hinge") return PairLossType::kHinge;
  if (name == "ipo") return PairLossType::kIpo;
  if (name == "robust") return PairLossType::kRobust;
  if (name == "orpo") return PairLossType::kOrpo;
  if (name == "simpo") return PairLossType::kSimpo;
  return PairLossType::kSigmoid;
}

bool uses_reference(PairLossType type) noexcept { return type != PairLossType::kOrpo && type != PairLossType::kSimpo; }

bool averages_tokens(PairLossType type) noexcept { return !uses_reference(type); }

PairLoss pair_loss(const PairLossOptions& options, const AnswerLogp& chosen, const AnswerLogp& rejected) {
  PairLoss result;
  const bool averages = averages_tokens(options.type);
  const double c = averages ? mean(chosen.policy, chosen) : chosen.policy - chosen.reference;
  const double r = averages ? mean(rejected.policy, rejected) : rejected.policy - rejected.reference;
  result.chosen_reward = options.beta * c;
  result.rejected_reward = options.beta * r;
  const bool per_token = averages || options.type == PairLossType::kIpo;
  if (options.type == PairLossType::kOrpo) {
    add_odds_ratio(options, c, r, result);
  } else {
    const bool divides = options.type == PairLossType::kIpo;
    const double difference = divides ? mean(c, chosen) - mean(r, rejected) : c - r;
    const Scalar found = of_difference(options, difference);
    result.loss = found.value;
    result.chosen_gradient = options.beta * found.slope;
    result.rejected_gradient = -options.beta * found.slope;
  }
  if (per_token) {
    result.chosen_gradient = mean(result.chosen_gradient, chosen);
    result.rejected_gradient = mean(result.rejected_gradient, rejected);
  }
  result.loss -= options.ftx * mean(chosen.policy, chosen);
  result.chosen_gradient -= mean(options.ftx, chosen);
  return result;
}

}  // namespace ftrun::preference
