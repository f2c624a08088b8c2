// Kahneman-Tversky optimisation: a loss on single answers that are good or bad, relative to a reference model.
// Leaves out: the loss itself, with its source (preference/label_loss.h), and where the reference comes from
// (preference/reference_logps.h). The divergence z covers the whole update on all ranks; TRL estimates it per
// micro-batch and rank, so that it depends on how an update is divided.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "batching/micro_batch.h"
#include "batching/row_data.h"
#include "ftrun/cpp/paradigm.hpp"
#include "mismatched_rows.h"
#include "preference/label_loss.h"
#include "preference/metric_sums.h"
#include "preference/reference_logps.h"
#include "preference/sequence_logps.h"

namespace ftrun::labelled {
namespace {

using batching::MicroBatch;
using preference::LabelLoss;
using preference::SequenceLogps;
using sdk::check;
using sdk::Tensor;

const ftrun_option kOptions[] = {
    sdk::with_aliases(sdk::with_range(sdk::option("pref_beta", FTRUN_OPTION_FLOAT, "0.1",
                                                  "How closely the policy keeps to the reference; scales rewards.",
                                                  FTRUN_OPTION_FLAT),
                                      {0, 1e6, FTRUN_OPTION_ABOVE_MIN}),
                      "beta"),
    sdk::with_aliases(sdk::with_range(sdk::option("kto_chosen_weight", FTRUN_OPTION_FLOAT, "1.0",
                                                  "Weight of the losses of good answers.", FTRUN_OPTION_FLAT),
                                      {0, 1e6}),
                      "desirable_weight"),
    sdk::with_aliases(sdk::with_range(sdk::option("kto_rejected_weight", FTRUN_OPTION_FLOAT, "1.0",
                                                  "Weight of the losses of bad answers.", FTRUN_OPTION_FLAT),
                                      {0, 1e6}),
                      "undesirable_weight"),
    sdk::with_range(sdk::option("pref_ftx", FTRUN_OPTION_FLOAT, "0.0",
                                "Weight of the good answers' negative log-likelihood per token: their mean, times rows "
                                "per good row.",
                                FTRUN_OPTION_FLAT),
                    {0, 1e6}),
    preference::kRefModelOption,
    preference::kPrecomputeOption,
};
const ftrun_option_table kOptionTable = sdk::option_table(kOptions);

enum Metric : size_t { kRewardsChosen, kRewardsRejected, kLogpsChosen, kLogpsRejected, kSummedMetrics };
/// As TRL names them; those behind the summed ones are made from them.
constexpr std::array<std::string_view, kSummedMetrics + 2> kMetricNames = {
    "rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected", "rewards/margins", "kl"};

struct LabelledBatch {
  std::vector<int64_t> rows;
  std::vector<bool> desirable;
  MicroBatch tokens;      ///< segment i is row i
  MicroBatch mismatched;  ///< segment i is row i's prompt with the answer of another row
};

struct Update {
  ftrun_split split = FTRUN_SPLIT_TRAIN;
  std::vector<LabelledBatch> batches;
  double divergence = 0;  ///< z
  double desirable = 0;   ///< rows of all ranks
  preference::MetricSums metrics{0};
};

class KahnemanTversky : public sdk::Paradigm {
 public:
  static constexpr ftrun_str kDataFormat = sdk::literal("labelled");

  KahnemanTversky(const ftrun_host* table, const ftrun_options* values)
      : Paradigm(table), options_(table, values), data_(table, options_), reference_(table, options_, "kto") {
    loss_.beta = options_.get_float("pref_beta");
    loss_.desirable_weight = options_.get_float("kto_chosen_weight");
    loss_.undesirable_weight = options_.get_float("kto_rejected_weight");
    ftx_ = options_.get_float("pref_ftx");
    if (loss_.desirable_weight == 0 && loss_.undesirable_weight == 0) {
      const char* key = options_.origin("kto_chosen_weight") == "default" ? "kto_rejected_weight" : "kto_chosen_weight";
      throw batching::refused_key(options_, key,
                                  "kto_chosen_weight and kto_rejected_weight are both 0, so there is nothing to learn: "
                                  "give one of them a weight");
    }
    batching::refuse_dropout(options_);
    batching::refuse_generation(options_);
  }

  void declare(const ftrun_declaration& declaration) {
    auto role = sdk::make<ftrun_role_request>(FTRUN_ROLE_REQUEST_TAG);
    role.name = sdk::literal("policy");
    role.flags = FTRUN_ROLE_TRAINED;
    role.model_key = sdk::literal("model_name_or_path");
    role.infer_walks = 1;  // of mismatched rows
    check(declaration.add_role(&declaration, &role, &policy_));
    reference_.declare(declaration, 2);
    check(declaration.add_denominator(&declaration, sdk::literal("rows"), &rows_));
  }

  void begin(ftrun_context* ctx, ftrun_paradigm_plan& out) {
    reference_.announce(ctx);
    data_.open(ctx, sdk::view(kDataFormat), 0);
    data_.fill_plan(out);
    metric_names_ = preference::joined_names(kMetricNames);
    out.metrics = sdk::str(metric_names_);
    n_rows_ = {out.num_examples, out.eval_examples};
    for (const ftrun_split split : {FTRUN_SPLIT_TRAIN, FTRUN_SPLIT_EVAL}) {
      const auto at = static_cast<size_t>(split);
      mismatched_rows_[at] = mismatched_rows(data_, split, n_rows_[at]);
    }
    warn_of_one_sided_rows();
  }

  void prepare(ftrun_context* ctx) {
    reference_.prepare(ctx, policy_, data_, [this](ftrun_split split, std::span<const int64_t> rows) {
      MicroBatch batch;
      for (const int64_t row : rows) {
        batch.add(data_.row(split, row));
        add_mismatched(split, row, batch);
      }
      return batch;
    });
  }

  void next_update(ftrun_context* ctx, const ftrun_update_request& request, ftrun_update& out) {
    auto update = std::make_unique<Update>();
    update->split = request.split;
    out.n_micro_batches = data_.micro_batches(request);
    for (int32_t index = 0; index < out.n_micro_batches; ++index) {
      const LabelledBatch& batch = update->batches.emplace_back(collate(request, index));
      out.denominators[rows_] += static_cast<double>(batch.rows.size());
      out.num_input_tokens += batch.tokens.n_tokens();
    }
    measure_divergence(ctx, *update);
    out.state = update.release();
  }

  Tensor loss(ftrun_context* ctx, const ftrun_update& handed, int32_t micro_batch, const double* denominators) {
    Update& update = *static_cast<Update*>(handed.state);
    if (micro_batch == 0) update.metrics = preference::MetricSums(kSummedMetrics);
    const LabelledBatch& batch = update.batches[static_cast<size_t>(micro_batch)];
    const std::vector<double> reference = reference_sums(ctx, update.split, batch.rows, batch.tokens, 0);
    const SequenceLogps policy = preference::sequence_logps(host(), ctx, policy_, batch.tokens);
    std::vector<float> gradient(batch.tokens.labels.size(), 0.0f);
    double total = 0;
    for (size_t i = 0; i < batch.rows.size(); ++i) {
      LabelLoss row =
          preference::label_loss(loss_, policy.sums[i] - reference[i], update.divergence, batch.desirable[i]);
      row.loss /= denominators[rows_];
      row.gradient /= denominators[rows_];
      if (batch.desirable[i])
        add_likelihood(policy.sums[i], policy.tokens[i], denominators[rows_], update.desirable, row);
      total += row.loss;
      preference::spread_gradient(batch.tokens, static_cast<int32_t>(i), row.gradient, gradient);
      update.metrics.add(batch.desirable[i] ? kRewardsChosen : kRewardsRejected, row.reward);
      update.metrics.add(batch.desirable[i] ? kLogpsChosen : kLogpsRejected, policy.sums[i]);
    }
    if (micro_batch + 1 == handed.n_micro_batches) report(ctx, update);
    return preference::host_loss(host(), ctx, policy.logp_T, total, std::move(gradient));
  }

  void release_update(ftrun_update& update) noexcept {
    delete static_cast<Update*>(update.state);
    update.state = nullptr;
  }

 private:
  void warn_of_one_sided_rows() const {
    int64_t good = 0;
    for (int64_t row = 0; row < n_rows_[0]; ++row) good += data_.row(FTRUN_SPLIT_TRAIN, row).desirable != 0 ? 1 : 0;
    if (n_rows_[0] == 0 || (good > 0 && good < n_rows_[0])) return;
    const std::string line =
        std::string(options_.origin("dataset")) + ": dataset: all " + std::to_string(n_rows_[0]) + " answers are " +
        (good > 0 ? "good" : "bad") +
        " ones: the model learns from the difference between good and bad answers, and there is none";
    host()->log(host(), FTRUN_LOG_WARNING, sdk::str(line));
  }

  void add_mismatched(ftrun_split split, int64_t row, MicroBatch& batch) const {
    const int64_t other = mismatched_rows_[static_cast<size_t>(split)][static_cast<size_t>(row)];
    labelled::add_mismatched(data_, split, row, other, options_.get_int("cutoff_len"), batch);
  }

  LabelledBatch collate(const ftrun_update_request& request, int32_t index) const {
    LabelledBatch batch;
    batch.rows = data_.micro_batch(request, index);
    for (const int64_t row : batch.rows) {
      const ftrun_row read = data_.row(request.split, row);
      batch.desirable.push_back(read.desirable != 0);
      batch.tokens.add(read);
      add_mismatched(request.split, row, batch.mismatched);
    }
    return batch;
  }

  /// Sums of the rows' sequences under the reference: `which` is 0 for their own, 1 for the mismatched ones in
  /// `tokens`.
  std::vector<double> reference_sums(ftrun_context* ctx, ftrun_split split, std::span<const int64_t> rows,
                                     const MicroBatch& tokens, size_t which) const {
    if (!reference_.has_table()) return preference::sequence_logps(host(), ctx, reference_.role(), tokens).sums;
    std::vector<double> sums;
    for (const int64_t row : rows) sums.push_back(reference_.sums(split, row)[which]);
    return sums;
  }

  void measure_divergence(ftrun_context* ctx, Update& update) const {
    double totals[3] = {};  // log-ratios, rows, desirable rows
    for (const LabelledBatch& batch : update.batches) {
      const std::vector<double> reference = reference_sums(ctx, update.split, batch.rows, batch.mismatched, 1);
      const SequenceLogps policy = preference::sequence_logps(host(), ctx, policy_, batch.mismatched);
      for (size_t i = 0; i < batch.rows.size(); ++i) totals[0] += policy.sums[i] - reference[i];
      totals[1] += static_cast<double>(batch.rows.size());
      totals[2] += static_cast<double>(std::count(batch.desirable.begin(), batch.desirable.end(), true));
    }
    preference::sum_over_ranks(host(), ctx, totals);
    update.divergence = totals[1] > 0 ? std::max(0.0, totals[0] / totals[1]) : 0;
    update.desirable = totals[2];
  }

  /// Source: LLaMA-Factory 0.9.5 train/kto/trainer.py, get_batch_loss_metrics ("remember to rescale"), which counts
  /// rows per micro-batch; here `rows` and `desirable` are the update's on all ranks.
  void add_likelihood(double sum, int64_t tokens, double rows, double desirable, LabelLoss& row) const {
    const double weight = ftx_ * rows / (desirable * desirable * static_cast<double>(tokens));
    row.loss -= weight * sum;
    row.gradient -= weight;
  }

  void report(ftrun_context* ctx, const Update& update) const {
    std::vector<std::optional<double>> means = update.metrics.means(host(), ctx);
    const bool both = means[kRewardsChosen] && means[kRewardsRejected];
    means.push_back(both ? std::optional(*means[kRewardsChosen] - *means[kRewardsRejected]) : std::nullopt);
    means.emplace_back(update.divergence);
    preference::report_metrics(host(), ctx, kMetricNames, means);
  }

  sdk::Options options_;
  batching::RowData data_;
  preference::ReferenceLogps reference_;
  preference::LabelLossOptions loss_;
  double ftx_ = 0;
  std::string metric_names_;
  std::array<int64_t, 2> n_rows_ = {};
  std::array<std::vector<int64_t>, 2> mismatched_rows_;  ///< by split and row: the row whose answer it gets
  int32_t policy_ = 0;
  int32_t rows_ = 0;
};

}  // namespace
}  // namespace ftrun::labelled

FTRUN_PLUGIN(FTRUN_KIND_PARADIGM, "kto", "0.1.0", "Kahneman-Tversky optimisation on good and bad answers",
             &ftrun::labelled::kOptionTable, &ftrun::sdk::paradigm_table<ftrun::labelled::KahnemanTversky>);
