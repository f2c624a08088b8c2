// Direct preference optimisation: a loss on pairs of answers, most of them relative to a reference model.
// Leaves out: the losses themselves, with their sources (preference/pair_loss.h), and where the reference comes from
// (preference/reference_logps.h). No dropout acts. TRL's logits/chosen and logits/rejected (means over the vocabulary
// of the answers' logits) are not logged: without holding logits they take another pass over the head's weight in every
// forward, to read what says little about the training.
#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "batching/micro_batch.h"
#include "batching/row_data.h"
#include "ftrun/cpp/paradigm.hpp"
#include "preference/metric_sums.h"
#include "preference/pair_loss.h"
#include "preference/reference_logps.h"
#include "preference/sequence_logps.h"

namespace ftrun::direct_preference {
namespace {

using batching::MicroBatch;
using preference::AnswerLogp;
using preference::PairLoss;
using preference::PairLossType;
using preference::SequenceLogps;
using sdk::check;
using sdk::Tensor;

const ftrun_option kOptions[] = {
    sdk::with_choices(sdk::option("pref_loss", FTRUN_OPTION_STRING, "sigmoid",
                                  "Loss on pairs: sigmoid (DPO), hinge, ipo, robust; orpo and simpo need no reference.",
                                  FTRUN_OPTION_FLAT),
                      "sigmoid,hinge,ipo,robust,orpo,simpo"),
    sdk::with_aliases(sdk::with_range(sdk::option("pref_beta", FTRUN_OPTION_FLOAT, "0.1",
                                                  "How closely the policy keeps to the reference; scales rewards.",
                                                  FTRUN_OPTION_FLAT),
                                      {0, 1e6, FTRUN_OPTION_ABOVE_MIN}),
                      "beta"),
    sdk::with_aliases(sdk::with_range(sdk::option("dpo_label_smoothing", FTRUN_OPTION_FLOAT, "0.0",
                                                  "Share of pairs taken to be the wrong way round (sigmoid, robust).",
                                                  FTRUN_OPTION_FLAT),
                                      {0, 0.5, FTRUN_OPTION_BELOW_MAX}),
                      "label_smoothing"),
    sdk::with_range(sdk::option("pref_ftx", FTRUN_OPTION_FLOAT, "0.0",
                                "Weight of the chosen answers' negative log-likelihood per token.", FTRUN_OPTION_FLAT),
                    {0, 1e6}),
    sdk::with_range(
        sdk::option("simpo_gamma", FTRUN_OPTION_FLOAT, "0.5", "Target margin of rewards (simpo).", FTRUN_OPTION_FLAT),
        {0, 1e6}),
    preference::kRefModelOption,
    preference::kPrecomputeOption,
};
const ftrun_option_table kOptionTable = sdk::option_table(kOptions);

enum Metric : size_t {
  kRewardsChosen,
  kRewardsRejected,
  kRewardsAccuracies,
  kRewardsMargins,
  kLogpsChosen,
  kLogpsRejected,
  kMetrics,
  kNllLoss = kMetrics,
  kLogOddsRatio,
  kLogOddsChosen,
  kOddsMetrics
};
/// As TRL names them; the last three are ORPOTrainer's.
constexpr std::array<std::string_view, kOddsMetrics> kMetricNames = {
    "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen",
    "logps/rejected", "nll_loss",         "log_odds_ratio",     "log_odds_chosen"};

struct PairBatch {
  std::vector<int64_t> rows;
  MicroBatch tokens;  ///< segments 2 i and 2 i + 1 are the chosen and the rejected answer of row i
};

struct Update {
  ftrun_split split = FTRUN_SPLIT_TRAIN;
  std::vector<PairBatch> batches;
  preference::MetricSums metrics{0};
};

class DirectPreference : public sdk::Paradigm {
 public:
  static constexpr ftrun_str kDataFormat = sdk::literal("pairwise");

  DirectPreference(const ftrun_host* table, const ftrun_options* values)
      : Paradigm(table), options_(table, values), data_(table, options_), reference_(table, options_, "dpo") {
    loss_.type = preference::parse_pair_loss(options_.get_string("pref_loss"));
    loss_.beta = options_.get_float("pref_beta");
    loss_.label_smoothing = options_.get_float("dpo_label_smoothing");
    loss_.simpo_gamma = options_.get_float("simpo_gamma");
    loss_.ftx = options_.get_float("pref_ftx");
    check_combinations();
    batching::refuse_dropout(options_);
    batching::refuse_generation(options_);
  }

  void declare(const ftrun_declaration& declaration) {
    auto role = sdk::make<ftrun_role_request>(FTRUN_ROLE_REQUEST_TAG);
    role.name = sdk::literal("policy");
    role.flags = FTRUN_ROLE_TRAINED;
    role.model_key = sdk::literal("model_name_or_path");
    check(declaration.add_role(&declaration, &role, &policy_));
    if (preference::uses_reference(loss_.type)) reference_.declare(declaration, 1);
    check(declaration.add_denominator(&declaration, sdk::literal("pairs"), &pairs_));
  }

  void begin(ftrun_context* ctx, ftrun_paradigm_plan& out) {
    if (preference::uses_reference(loss_.type)) reference_.announce(ctx);
    data_.open(ctx, sdk::view(kDataFormat), 0);
    data_.fill_plan(out);
    metric_names_ = preference::joined_names(metric_names());
    out.metrics = sdk::str(metric_names_);
  }

  void prepare(ftrun_context* ctx) {
    if (!preference::uses_reference(loss_.type)) return;
    reference_.prepare(ctx, policy_, data_,
                       [this](ftrun_split split, std::span<const int64_t> rows) { return collate(split, rows); });
  }

  void next_update(ftrun_context*, const ftrun_update_request& request, ftrun_update& out) {
    auto update = std::make_unique<Update>();
    update->split = request.split;
    out.n_micro_batches = data_.micro_batches(request);
    for (int32_t index = 0; index < out.n_micro_batches; ++index) {
      PairBatch& batch = update->batches.emplace_back();
      batch.rows = data_.micro_batch(request, index);
      batch.tokens = collate(request.split, batch.rows);
      out.denominators[pairs_] += static_cast<double>(batch.rows.size());
      out.num_input_tokens += batch.tokens.n_tokens();
    }
    out.state = update.release();
  }

  Tensor loss(ftrun_context* ctx, const ftrun_update& handed, int32_t micro_batch, const double* denominators) {
    Update& update = *static_cast<Update*>(handed.state);
    if (micro_batch == 0) update.metrics = preference::MetricSums(kOddsMetrics);
    const PairBatch& batch = update.batches[static_cast<size_t>(micro_batch)];
    // The reference first: its activations are gone when the policy's begin to be kept.
    const std::vector<double> reference = reference_sums(ctx, update.split, batch);
    const SequenceLogps policy = preference::sequence_logps(host(), ctx, policy_, batch.tokens);
    std::vector<float> gradient(batch.tokens.labels.size(), 0.0f);
    double total = 0;
    for (size_t i = 0; i < batch.rows.size(); ++i) {
      const AnswerLogp chosen = {policy.sums[2 * i], reference[2 * i], policy.tokens[2 * i]};
      const AnswerLogp rejected = {policy.sums[2 * i + 1], reference[2 * i + 1], policy.tokens[2 * i + 1]};
      const PairLoss pair = preference::pair_loss(loss_, chosen, rejected);
      total += pair.loss / denominators[pairs_];
      const auto segment = static_cast<int32_t>(2 * i);
      preference::spread_gradient(batch.tokens, segment, pair.chosen_gradient / denominators[pairs_], gradient);
      preference::spread_gradient(batch.tokens, segment + 1, pair.rejected_gradient / denominators[pairs_], gradient);
      measure(pair, chosen, rejected, update.metrics);
    }
    if (micro_batch + 1 == handed.n_micro_batches) report(ctx, update.metrics);
    return preference::host_loss(host(), ctx, policy.logp_T, total, std::move(gradient));
  }

  void release_update(ftrun_update& update) noexcept {
    delete static_cast<Update*>(update.state);
    update.state = nullptr;
  }

 private:
  void check_combinations() const {
    const std::string name = "pref_loss is '" + std::string(options_.get_string("pref_loss")) + "'";
    const bool smooths = loss_.type == PairLossType::kSigmoid || loss_.type == PairLossType::kRobust;
    if (loss_.label_smoothing > 0 && !smooths) {
      throw batching::refused_key(options_, "dpo_label_smoothing", "is for sigmoid and robust, and " + name);
    }
    if (loss_.type != PairLossType::kSimpo) batching::warn_of_idle_key(host(), options_, "simpo_gamma", name);
    if (preference::uses_reference(loss_.type)) return;
    for (const char* key : {"ref_model", "precompute_ref_log_probs"}) {
      if (options_.origin(key) != "default") {
        throw batching::refused_key(options_, key, "there is no reference model: " + name + ": remove it");
      }
    }
  }

  MicroBatch collate(ftrun_split split, std::span<const int64_t> rows) const {
    MicroBatch batch;
    for (const int64_t row : rows) batch.add(data_.row(split, row));
    return batch;
  }

  std::vector<double> reference_sums(ftrun_context* ctx, ftrun_split split, const PairBatch& batch) const {
    if (!preference::uses_reference(loss_.type)) return std::vector<double>(2 * batch.rows.size(), 0.0);
    if (!reference_.has_table()) return preference::sequence_logps(host(), ctx, reference_.role(), batch.tokens).sums;
    std::vector<double> sums;
    for (const int64_t row : batch.rows) {
      for (const double sum : reference_.sums(split, row)) sums.push_back(sum);
    }
    return sums;
  }

  void measure(const PairLoss& pair, const AnswerLogp& chosen, const AnswerLogp& rejected,
               preference::MetricSums& metrics) const {
    const bool averages = preference::averages_tokens(loss_.type);
    const auto logged = [averages](const AnswerLogp& answer) {
      return averages ? answer.policy / static_cast<double>(answer.tokens) : answer.policy;
    };
    metrics.add(kRewardsChosen, pair.chosen_reward);
    metrics.add(kRewardsRejected, pair.rejected_reward);
    metrics.add(kRewardsAccuracies, pair.chosen_reward > pair.rejected_reward ? 1 : 0);
    metrics.add(kRewardsMargins, pair.chosen_reward - pair.rejected_reward);
    metrics.add(kLogpsChosen, logged(chosen));
    metrics.add(kLogpsRejected, logged(rejected));
    if (loss_.type != PairLossType::kOrpo) return;
    metrics.add(kNllLoss, -logged(chosen));
    metrics.add(kLogOddsRatio, preference::log_sigmoid(pair.log_odds));
    metrics.add(kLogOddsChosen, pair.log_odds);
  }

  void report(ftrun_context* ctx, const preference::MetricSums& metrics) const {
    preference::report_metrics(host(), ctx, kMetricNames, metrics.means(host(), ctx));
  }

  std::span<const std::string_view> metric_names() const {
    return std::span(kMetricNames).first(loss_.type == PairLossType::kOrpo ? kOddsMetrics : kMetrics);
  }

  sdk::Options options_;
  batching::RowData data_;
  preference::ReferenceLogps reference_;
  preference::PairLossOptions loss_;
  std::string metric_names_;
  int32_t policy_ = 0;
  int32_t pairs_ = 0;
};

}  // namespace
}  // namespace ftrun::direct_preference

FTRUN_PLUGIN(FTRUN_KIND_PARADIGM, "dpo", "0.1.0", "Direct preference optimisation on pairs of answers",
             &ftrun::direct_preference::kOptionTable,
             &ftrun::sdk::paradigm_table<ftrun::direct_preference::DirectPreference>);
