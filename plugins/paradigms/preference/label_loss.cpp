// One sigmoid, looked at from either side.
#include "label_loss.h"

#include "pair_loss.h"

namespace ftrun::preference {

LabelLoss label_loss(const LabelLossOptions& options, double log_ratio, double divergence, bool desirable) {
  const double sign = desirable ? 1 : -1;
  const double weight = desirable ? options.desirable_weight : options.undesirable_weight;
  const double value = sigmoid(sign * options.beta * (log_ratio - divergence));
  const double complement = sigmoid(-sign * options.beta * (log_ratio - divergence));
  return {weight * complement, -weight * sign * options.beta * value * complement, options.beta * log_ratio};
}

}  // namespace ftrun::preference
