// Reward modelling: a scalar head on the last token of an answer scores chosen answers above rejected ones.
// Leaves out: the loss itself, with its sources (preference/reward_loss.h). No dropout acts; LLaMA-Factory's
// value head has 0.1 before it.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "batching/micro_batch.h"
#include "batching/row_data.h"
#include "ftrun/cpp/paradigm.hpp"
#include "preference/metric_sums.h"
#include "preference/reward_loss.h"
#include "preference/sequence_logps.h"

namespace ftrun::reward_modelling {
namespace {

using batching::MicroBatch;
using sdk::check;
using sdk::Tensor;

constexpr ftrun_str kHead = sdk::literal("score");

const ftrun_option kOptions[] = {
    sdk::with_range(
        sdk::option("center_rewards_coefficient", FTRUN_OPTION_FLOAT, "0.0",
                    "Weight of the squared sum of a pair's scores, which centres them at 0.", FTRUN_OPTION_FLAT),
        {0, 1e6}),
};
const ftrun_option_table kOptionTable = sdk::option_table(kOptions);

enum Metric : size_t { kAccuracy, kMargin, kMeanReward, kSummedMetrics };
/// As TRL names them; those behind the summed ones are extremes of an update, in evaluation of a batch over all ranks,
/// of which the host reports means, as TRL does: unlike the others they follow the batch size.
constexpr std::array<std::string_view, kSummedMetrics + 2> kMetricNames = {"accuracy", "margin", "mean_reward",
                                                                           "min_reward", "max_reward"};

struct Extremes {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

struct PairBatch {
  std::vector<double> margins;  ///< by pair
  MicroBatch tokens;            ///< segments 2 i and 2 i + 1 are the chosen and the rejected answer of pair i
};

struct Update {
  std::vector<PairBatch> batches;
  preference::MetricSums metrics{0};
  Extremes rewards;
};

class RewardModelling : public sdk::Paradigm {
 public:
  static constexpr ftrun_str kDataFormat = sdk::literal("pairwise");

  RewardModelling(const ftrun_host* table, const ftrun_options* values)
      : Paradigm(table),
        options_(table, values),
        data_(table, options_),
        centring_(options_.get_float("center_rewards_coefficient")),
        metric_names_(preference::joined_names(kMetricNames)) {
    batching::refuse_dropout(options_);
    batching::refuse_generation(options_);
  }

  void declare(const ftrun_declaration& declaration) {
    auto role = sdk::make<ftrun_role_request>(FTRUN_ROLE_REQUEST_TAG);
    role.name = sdk::literal("policy");
    role.flags = FTRUN_ROLE_TRAINED;
    role.model_key = sdk::literal("model_name_or_path");
    role.scalar_heads = kHead;
    check(declaration.add_role(&declaration, &role, &policy_));
    check(declaration.add_denominator(&declaration, sdk::literal("pairs"), &pairs_));
  }

  void begin(ftrun_context* ctx, ftrun_paradigm_plan& out) {
    data_.open(ctx, sdk::view(kDataFormat), 0);
    data_.fill_plan(out);
    out.metrics = sdk::str(metric_names_);
  }

  void next_update(ftrun_context*, const ftrun_update_request& request, ftrun_update& out) {
    auto update = std::make_unique<Update>();
    out.n_micro_batches = data_.micro_batches(request);
    for (int32_t index = 0; index < out.n_micro_batches; ++index) {
      PairBatch& batch = update->batches.emplace_back();
      for (const int64_t index_of_row : data_.micro_batch(request, index)) {
        const ftrun_row row = data_.row(request.split, index_of_row);
        batch.margins.push_back(row.margin);
        batch.tokens.add(row);
      }
      out.denominators[pairs_] += static_cast<double>(batch.margins.size());
      out.num_input_tokens += batch.tokens.n_tokens();
    }
    out.state = update.release();
  }

  Tensor loss(ftrun_context* ctx, const ftrun_update& handed, int32_t micro_batch, const double* denominators) {
    Update& update = *static_cast<Update*>(handed.state);
    if (micro_batch == 0) {
      update.metrics = preference::MetricSums(kSummedMetrics);
      update.rewards = {};
    }
    const PairBatch& batch = update.batches[static_cast<size_t>(micro_batch)];
    const Tensor scores_T = scores(ctx, batch.tokens);
    const std::vector<float> values = sdk::TensorCalls(host(), ctx).read<float>(scores_T);
    std::vector<float> gradient(values.size(), 0.0f);
    double total = 0;
    for (size_t pair = 0; pair < batch.margins.size(); ++pair) {
      const size_t chosen = last_token(batch.tokens, 2 * pair);
      const size_t rejected = last_token(batch.tokens, 2 * pair + 1);
      const auto chosen_score = static_cast<double>(values[chosen]);
      const auto rejected_score = static_cast<double>(values[rejected]);
      const auto found = preference::reward_loss(chosen_score, rejected_score, batch.margins[pair], centring_);
      total += found.loss / denominators[pairs_];
      gradient[chosen] = static_cast<float>(found.chosen_gradient / denominators[pairs_]);
      gradient[rejected] = static_cast<float>(found.rejected_gradient / denominators[pairs_]);
      measure(chosen_score, rejected_score, update);
    }
    if (micro_batch + 1 == handed.n_micro_batches) report(ctx, update);
    return preference::host_loss(host(), ctx, scores_T, total, std::move(gradient));
  }

  void release_update(ftrun_update& update) noexcept {
    delete static_cast<Update*>(update.state);
    update.state = nullptr;
  }

 private:
  Tensor scores(ftrun_context* ctx, const MicroBatch& tokens) const {
    const ftrun_batch view = tokens.view();
    ftrun_tensor* handle = nullptr;
    check(host()->context->forward(ctx, policy_, &view, &handle));
    const Tensor hidden_TD(host(), handle);
    check(host()->context->head_scalar(ctx, policy_, kHead, hidden_TD.get(), &handle));
    return {host(), handle};
  }

  static size_t last_token(const MicroBatch& tokens, size_t segment) {
    return static_cast<size_t>(tokens.segment_offsets[segment + 1]) - 1;
  }

  static void measure(double chosen, double rejected, Update& update) {
    update.metrics.add(kAccuracy, chosen > rejected ? 1 : 0);
    update.metrics.add(kMargin, chosen - rejected);
    for (const double reward : {chosen, rejected}) {
      update.metrics.add(kMeanReward, reward);
      update.rewards.add(reward);
    }
  }

  /// The extremes of all ranks: each adds its own at its place and zeros elsewhere.
  Extremes extremes_of_ranks(ftrun_context* ctx, const Extremes& mine) const {
    int32_t rank = 0;
    int32_t world = 1;
    check(host()->context->rank(ctx, &rank, &world));
    std::vector<double> all(static_cast<size_t>(3 * world), 0.0);
    if (mine.low <= mine.high) {
      const auto at = static_cast<size_t>(3 * rank);
      all[at] = 1;
      all[at + 1] = mine.low;
      all[at + 2] = mine.high;
    }
    preference::sum_over_ranks(host(), ctx, all);
    Extremes found;
    for (size_t i = 0; i < all.size(); i += 3) {
      if (all[i] == 0) continue;
      found.add(all[i + 1]);
      found.add(all[i + 2]);
    }
    return found;
  }

  void report(ftrun_context* ctx, const Update& update) const {
    std::vector<std::optional<double>> means = update.metrics.means(host(), ctx);
    const Extremes rewards = extremes_of_ranks(ctx, update.rewards);
    const bool any = rewards.low <= rewards.high;
    means.push_back(any ? std::optional(rewards.low) : std::nullopt);
    means.push_back(any ? std::optional(rewards.high) : std::nullopt);
    preference::report_metrics(host(), ctx, kMetricNames, means);
  }

  sdk::Options options_;
  batching::RowData data_;
  double centring_;
  std::string metric_names_;
  int32_t policy_ = 0;
  int32_t pairs_ = 0;
};

}  // namespace
}  // namespace ftrun::reward_modelling

FTRUN_PLUGIN(FTRUN_KIND_PARADIGM, "rm", "0.1.0", "Reward modelling on pairs of answers",
             &ftrun::reward_modelling::kOptionTable,
             &ftrun::sdk::paradigm_table<ftrun::reward_modelling::RewardModelling>);
