// Head calls: each brackets the head unit and never holds the logits of all tokens.
#include <algorithm>

#include "core/base/error.h"
#include "core/model/rank.h"
#include "core/ops/embedding.h"
#include "core/ops/layout.h"
#include "core/ops/linear_cross_entropy.h"
#include "core/ops/matmul.h"

namespace ftrun {
namespace {

void check_hidden(const Role& role, const Tensor& hidden, size_t labels, std::string_view call) {
  const int64_t width = role.model().info().hidden_size;
  if (!hidden || hidden.ndim() != 2 || hidden.dim(1) != width) {
    throw invalid_argument("{}: hidden states of role '{}' are [T, {}], got {}", call, role.name(), width,
                           hidden ? hidden.text() : "nothing");
  }
  if (static_cast<size_t>(hidden.dim(0)) != labels) {
    throw invalid_argument("{}: {} labels for {} tokens", call, labels, hidden.dim(0));
  }
}

}  // namespace

ftrun_phase Rank::head_phase(const WalkedRole& walked) const noexcept {
  return is_recorded(walked) ? FTRUN_PHASE_FORWARD : FTRUN_PHASE_INFER;
}

Tensor Rank::head_weight(const WalkedRole& walked) {
  return walked.parameter(walked.role->model().info().head_parameter);
}

Tensor Rank::head_cross_entropy_sum(int32_t index, const Tensor& hidden, std::span<const int32_t> labels,
                                    std::span<const float> weights, double scale) {
  Role& owner = *walked(index).role;
  check_hidden(owner, hidden, labels.size(), "head_cross_entropy_sum");
  if (!weights.empty() && weights.size() != labels.size()) {
    throw invalid_argument("head_cross_entropy_sum: {} weights for {} labels", weights.size(), labels.size());
  }
  UnitBracket bracket(context_, hooks_, owner, owner.model().head_unit(), head_phase(walked(index)), micro_batch_);
  Tensor loss;
  if (labels.empty()) {
    loss = ops::full(context_, FTRUN_F32, {1}, 0.0);
  } else {
    const auto tokens = static_cast<int64_t>(labels.size());
    const Tensor device_labels = from_host(context_, FTRUN_I32, {tokens}, labels.data());
    const Tensor device_weights = weights.empty() ? Tensor() : from_host(context_, FTRUN_F32, {tokens}, weights.data());
    loss = ops::cross_entropy_sum(context_, hidden, head_weight(walked(index)), device_labels, device_weights, scale);
  }
  bracket.close();
  return loss;
}

Rank::LogProbabilities Rank::head_logprobs(int32_t index, const Tensor& hidden, std::span<const int32_t> labels,
                                           double temperature, bool with_entropy) {
  Role& owner = *walked(index).role;
  check_hidden(owner, hidden, labels.size(), "head_logprobs");
  if (!(temperature > 0)) throw invalid_argument("head_logprobs: temperature {}", temperature);
  UnitBracket bracket(context_, hooks_, owner, owner.model().head_unit(), head_phase(walked(index)), micro_batch_);
  LogProbabilities result;
  if (labels.empty()) {
    result.logp = empty(context_, FTRUN_F32, {0});
    if (with_entropy) result.entropy = empty(context_, FTRUN_F32, {0});
  } else {
    const Tensor device_labels = from_host(context_, FTRUN_I32, {static_cast<int64_t>(labels.size())}, labels.data());
    auto found = ops::logprobs(context_, hidden, head_weight(walked(index)), device_labels, temperature, with_entropy);
    result = {std::move(found.logp), std::move(found.entropy)};
  }
  bracket.close();
  return result;
}

Tensor Rank::head_scalar(int32_t index, std::string_view name, const Tensor& hidden) {
  Role& owner = *walked(index).role;
  check_hidden(owner, hidden, static_cast<size_t>(hidden ? hidden.dim(0) : 0), "head_scalar");
  const auto& heads = owner.model().scalar_heads();
  const auto head = std::ranges::find(heads, name, &ScalarHead::name);
  if (head == heads.end()) {
    throw invalid_argument("head_scalar: role '{}' has no scalar head '{}'", walked(index).name, name);
  }
  UnitBracket bracket(context_, hooks_, owner, owner.model().head_unit(), head_phase(walked(index)), micro_batch_);
  const auto in_f32 = [&](int32_t id) { return ops::cast(context_, walked(index).parameter(id), FTRUN_F32); };
  Tensor values = empty(context_, FTRUN_F32, {0});
  if (hidden.dim(0) > 0) {
    const Tensor values_T1 = ops::linear(context_, ops::cast(context_, hidden, FTRUN_F32), in_f32(head->weight),
                                         head->bias < 0 ? Tensor() : in_f32(head->bias));
    values = ops::reshape(context_, values_T1, {hidden.dim(0)});
  }
  bracket.close();
  return values;
}

Tensor Rank::head_logits(int32_t index, const Tensor& hidden, std::span<const int64_t> rows) {
  Role& owner = *walked(index).role;
  check_hidden(owner, hidden, static_cast<size_t>(hidden ? hidden.dim(0) : 0), "head_logits");
  std::vector<int32_t> chosen;
  for (const int64_t row : rows) {
    if (row < 0 || row >= hidden.dim(0)) throw invalid_argument("head_logits: row {} of {}", row, hidden.dim(0));
    chosen.push_back(static_cast<int32_t>(row));
  }
  const NoGradGuard off(context_);
  UnitBracket bracket(context_, hooks_, owner, owner.model().head_unit(), FTRUN_PHASE_INFER, micro_batch_);
  const auto count = static_cast<int64_t>(chosen.size());
  Tensor logits = empty(context_, FTRUN_F32, {count, owner.model().info().vocab_size});
  if (count > 0) {
    const Tensor ids = from_host(context_, FTRUN_I32, {count}, chosen.data());
    const Tensor picked = ops::embedding(context_, hidden, ids);
    ops::matmul_into(context_, picked, head_weight(walked(index)), logits, false, true, false);
  }
  bracket.close();
  return logits;
}

}  // namespace ftrun
