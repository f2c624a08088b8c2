// Penalty, temperature, top-k, top-p, draw: in this order, in double precision where sums are involved.
#include "core/generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/base/error.h"

namespace ftrun {
namespace {

double log_sum_exp(std::span<const float> logits) {
  const double maximum = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - maximum);
  return maximum + std::log(sum);
}

void penalise_repetition(std::span<float> logits, std::span<const int32_t> previous, double penalty) {
  std::vector<int32_t> seen(previous.begin(), previous.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (const int32_t id : seen) {
    const double value = logits[id];
    logits[id] = static_cast<float>(value < 0 ? value * penalty : value / penalty);
  }
}

int32_t greedy_token(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

struct Candidate {
  int32_t id;
  double probability;
};

// Candidates in descending probability, ties by ascending id: the k most probable, then the smallest head whose mass
// reaches top_p.
std::vector<Candidate> candidates(std::span<const float> logits, const SamplingArguments& arguments) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto before = [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; };
  size_t keep = order.size();
  if (arguments.top_k > 0) keep = std::min(keep, static_cast<size_t>(arguments.top_k));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep), order.end(), before);
  std::vector<Candidate> result(keep);
  double total = 0;
  for (size_t i = 0; i < keep; ++i) {
    const double scaled = (static_cast<double>(logits[order[i]]) - logits[order[0]]) / arguments.temperature;
    result[i] = {order[i], std::exp(scaled)};
    total += result[i].probability;
  }
  double mass = 0;
  size_t head = 0;
  while (head < keep && (head == 0 || mass < arguments.top_p)) mass += result[head++].probability / total;
  result.resize(head);
  return result;
}

int32_t draw(const std::vector<Candidate>& from, double uniform) {
  double total = 0;
  for (const Candidate& candidate : from) total += candidate.probability;
  double threshold = uniform * total;
  for (const Candidate& candidate : from) {
    threshold -= candidate.probability;
    if (threshold < 0) return candidate.id;
  }
  return from.back().id;
}

}  // namespace

void validate(const SamplingArguments& arguments) {
  if (!(arguments.temperature > 0))
    throw invalid_argument("temperature is {}: expected a number above 0", arguments.temperature);
  if (!(arguments.top_p > 0 && arguments.top_p <= 1))
    throw invalid_argument("top_p is {}: expected (0, 1]", arguments.top_p);
  if (arguments.top_k < 0) throw invalid_argument("top_k is {}: expected 0 (off) or more", arguments.top_k);
  if (!(arguments.repetition_penalty > 0)) {
    throw invalid_argument("repetition_penalty is {}: expected a number above 0", arguments.repetition_penalty);
  }
}

SampledToken choose_token(std::span<float> logits_V, std::span<const int32_t> previous,
                          const SamplingArguments& arguments, double uniform) {
  const double normaliser = log_sum_exp(logits_V);
  std::vector<float> unchanged;
  std::span<float> scores = logits_V;
  if (arguments.repetition_penalty != 1) {
    unchanged.assign(logits_V.begin(), logits_V.end());
    penalise_repetition(scores, previous, arguments.repetition_penalty);
  }
  const int32_t id = arguments.do_sample ? draw(candidates(scores, arguments), uniform) : greedy_token(scores);
  const double logit = unchanged.empty() ? logits_V[id] : unchanged[id];
  return {id, static_cast<float>(logit - normaliser)};
}

}  // namespace ftrun
