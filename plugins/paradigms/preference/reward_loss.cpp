// A logistic loss on the difference of scores.
#include "reward_loss.h"

#include "pair_loss.h"

namespace ftrun::preference {

RewardLoss reward_loss(double chosen, double rejected, double margin, double centring) {
  const double difference = chosen - rejected - margin;
  const double sum = chosen + rejected;
  const double slope = -sigmoid(-difference);
  const double pull = 2 * centring * sum;
  return {-log_sigmoid(difference) + centring * sum * sum, slope + pull, -slope + pull};
}

}  // namespace ftrun::preference
