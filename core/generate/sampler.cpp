// Penalty, temperature, top-k, top-p, draw: in this order, probabilities in double precision.
#include "core/generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/error.h"

namespace ftrun {
namespace {

/// Logits of `seen` ids before they were changed.
std::vector<float> penalise_repetition(std::span<float> logits, std::span<const int32_t> seen, double penalty) {
  std::vector<float> before;
  before.reserve(seen.size());
  const auto factor = static_cast<float>(penalty);
  for (const int32_t id : seen) {
    float& logit = logits[static_cast<size_t>(id)];
    before.push_back(logit);
    logit = logit < 0 ? logit * factor : logit / factor;
  }
  return before;
}

size_t argmax(std::span<const float> logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// The k-th largest value: one pass with a heap of k, since few of the later values get in.
float kth_largest(std::span<const float> logits, size_t k) {
  std::vector<float> heap(logits.begin(), logits.begin() + static_cast<std::ptrdiff_t>(k));
  std::ranges::make_heap(heap, std::greater<>());
  for (const float logit : logits.subspan(k)) {
    if (logit <= heap.front()) continue;
    std::ranges::pop_heap(heap, std::greater<>());
    heap.back() = logit;
    std::ranges::push_heap(heap, std::greater<>());
  }
  return heap.front();
}

/// Not yet normalised: the largest has 1.
std::vector<Candidate> top_k_candidates(std::span<const float> logits, const SamplingArguments& arguments) {
  const auto top_k = static_cast<size_t>(arguments.top_k);
  const float least = top_k > 0 && top_k < logits.size() ? kth_largest(logits, top_k) : -INFINITY;
  const double largest = logits[argmax(logits)];
  std::vector<Candidate> kept;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] < least) continue;
    const double scaled = (static_cast<double>(logits[id]) - largest) / arguments.temperature;
    kept.push_back({static_cast<int32_t>(id), std::exp(scaled)});
  }
  return kept;
}

double mass_of(std::span<const Candidate> all) {
  double mass = 0;
  for (const Candidate& candidate : all) mass += candidate.probability;
  return mass;
}

/// Cuts to the shortest descending head whose mass reaches top_p. Only as much is sorted as the head may need. Equal
/// ones: the lowest id first, which transformers' sort leaves open.
void keep_top_p(std::vector<Candidate>& all, double top_p) {
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
  };
  const double enough = top_p * mass_of(all);
  double mass = 0;
  size_t head = 0;
  for (size_t sorted = 0; mass < enough && head < all.size();) {
    const size_t next = std::min(all.size(), std::max<size_t>(64, sorted * 8));
    std::partial_sort(all.begin() + static_cast<std::ptrdiff_t>(sorted),
                      all.begin() + static_cast<std::ptrdiff_t>(next), all.end(), before);
    sorted = next;
    while (head < sorted && mass < enough) mass += all[head++].probability;
  }
  all.resize(std::max<size_t>(head, 1));
}

int32_t draw(std::span<const Candidate> from, double uniform) {
  double left = uniform;
  for (const Candidate& candidate : from) {
    left -= candidate.probability;
    if (left < 0) return candidate.id;
  }
  // Rounding left a rest: the last one that can be drawn.
  for (size_t i = from.size(); i-- > 0;) {
    if (from[i].probability > 0) return from[i].id;
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

std::vector<Candidate> candidates(std::span<const float> logits_V, const SamplingArguments& arguments) {
  std::vector<Candidate> kept = top_k_candidates(logits_V, arguments);
  if (arguments.top_p < 1) keep_top_p(kept, arguments.top_p);
  const double mass = mass_of(kept);
  for (Candidate& candidate : kept) candidate.probability /= mass;
  return kept;
}

SampledToken choose_token(std::span<float> logits_V, std::span<const int32_t> seen, const SamplingArguments& arguments,
                          double uniform) {
  std::vector<float> before;
  if (arguments.repetition_penalty != 1) before = penalise_repetition(logits_V, seen, arguments.repetition_penalty);
  const size_t largest = argmax(logits_V);
  if (!std::isfinite(logits_V[largest])) return {-1, logits_V[largest]};
  const int32_t id =
      arguments.do_sample ? draw(candidates(logits_V, arguments), uniform) : static_cast<int32_t>(largest);
  const auto penalised = std::ranges::find(seen.first(before.size()), id);
  const bool changed = penalised != seen.begin() + static_cast<std::ptrdiff_t>(before.size());
  return {id, changed ? before[static_cast<size_t>(penalised - seen.begin())] : logits_V[static_cast<size_t>(id)]};
}

}  // namespace ftrun
