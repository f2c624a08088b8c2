// The fused head in float64: loss sum and log-probabilities.
#include <cmath>

#include "core/ops/linear_cross_entropy.h"
#include "tests/ops/op_case.h"

namespace ftrun::test {
namespace {

std::vector<int32_t> labels_of(int64_t tokens, int64_t vocabulary) {
  std::vector<int32_t> labels;
  for (int64_t t = 0; t < tokens; ++t) labels.push_back(t % 4 == 2 ? -100 : static_cast<int32_t>(t * 5 % vocabulary));
  return labels;
}

std::vector<double> weights_of(int64_t tokens) {
  std::vector<double> weights;
  for (int64_t t = 0; t < tokens; ++t) weights.push_back(0.25 * static_cast<double>(t % 5));
  return weights;
}

/// log softmax(weight x[t] / temperature) of the labels, 0 where there is none.
Array log_probabilities(const Array& x, const Array& weight, const std::vector<int32_t>& labels, double temperature) {
  const int64_t features = x.last();
  const int64_t vocabulary = weight.shape[0];
  Array logp = zeros({x.shape[0]});
  for (int64_t t = 0; t < x.shape[0]; ++t) {
    const int32_t label = labels[static_cast<size_t>(t)];
    if (label < 0) continue;
    double sum = 0.0;
    double picked = 0.0;
    for (int64_t v = 0; v < vocabulary; ++v) {
      double logit = 0.0;
      for (int64_t i = 0; i < features; ++i) logit += x[t * features + i] * weight[v * features + i] / temperature;
      sum += std::exp(logit);
      if (v == label) picked = logit;
    }
    logp[t] = picked - std::log(sum);
  }
  return logp;
}

OpCase loss_case(int64_t tokens, int64_t vocabulary, int64_t features, bool weighted) {
  OpCase op;
  op.name = "cross_entropy_sum_t" + std::to_string(tokens) + (weighted ? "_weighted" : "");
  op.inputs = {{{tokens, features}, -2.0, 2.0}, {{vocabulary, features}, -1.0, 1.0}};
  const std::vector<int32_t> labels = labels_of(tokens, vocabulary);
  const std::vector<double> weights = weights_of(tokens);
  op.run = [=](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    const Tensor w = weighted ? engine.tensor({tokens}, weights) : Tensor();
    return ops::cross_entropy_sum(engine.ctx(), in[0], in[1], engine.ids(labels), w, 0.125);
  };
  op.reference = [=](const std::vector<Array>& in) {
    const Array logp = log_probabilities(in[0], in[1], labels, 1.0);
    Array loss = zeros({1});
    for (int64_t t = 0; t < tokens; ++t)
      loss[0] -= 0.125 * logp[t] * (weighted ? weights[static_cast<size_t>(t)] : 1.0);
    return loss;
  };
  op.sum_length = tokens * vocabulary * features;
  op.roundings = 3;
  return op;
}

OpCase logprobs_case(double temperature) {
  OpCase op;
  op.name = "logprobs_temperature_" + std::to_string(temperature);
  op.inputs = {{{6, 5}, -2.0, 2.0}, {{11, 5}, -1.0, 1.0}};
  const std::vector<int32_t> labels = labels_of(6, 11);
  op.run = [=](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::logprobs(engine.ctx(), in[0], in[1], engine.ids(labels), temperature, false).logp;
  };
  op.reference = [=](const std::vector<Array>& in) { return log_probabilities(in[0], in[1], labels, temperature); };
  op.sum_length = 6 * 11 * 5;
  op.roundings = 3;
  return op;
}

}  // namespace

std::vector<OpCase> head_cases() {
  return {loss_case(7, 11, 5, false), loss_case(7, 11, 5, true), loss_case(70, 6, 3, true),  // more rows than one chunk
          logprobs_case(1.0), logprobs_case(0.7)};
}

}  // namespace ftrun::test
