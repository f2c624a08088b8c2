// Supervised fine-tuning: token cross-entropy on responses, divided by the number of targets of the whole update.
// Leaves out: preference losses and generation during training (other paradigms).
// Source: transformers loss_utils.py (ForCausalLMLoss with num_items_in_batch) and trainer.py's token count over the
// accumulation window; here targets are counted after the shift.
#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <vector>

#include "collate.h"
#include "exact_match.h"
#include "ftrun/cpp/paradigm.hpp"

namespace ftrun::supervised {
namespace {

using sdk::check;
using sdk::Tensor;

const ftrun_option kOptions[] = {
    sdk::option("train_on_prompt", FTRUN_OPTION_BOOL, "false", "Prompts are targets of the loss too.",
                FTRUN_OPTION_FLAT),
    sdk::option("mask_history", FTRUN_OPTION_BOOL, "false", "Only the last turn's response is a target.",
                FTRUN_OPTION_FLAT),
    sdk::option("packing", FTRUN_OPTION_BOOL, "false", "Pack several documents into rows of cutoff_len tokens.",
                FTRUN_OPTION_FLAT),
    sdk::option("neat_packing", FTRUN_OPTION_BOOL, "false",
                "Pack, with attention that never crosses documents (implies packing).", FTRUN_OPTION_FLAT),
    sdk::option("eval_exact_match", FTRUN_OPTION_BOOL, "false",
                "After training, answer the evaluation prompts greedily and report the share of exact answers.",
                FTRUN_OPTION_FLAT),
};
const ftrun_option_table kOptionTable = sdk::option_table(kOptions);

class SupervisedFineTuning : public sdk::Paradigm {
 public:
  SupervisedFineTuning(const ftrun_host* table, const ftrun_options* values)
      : Paradigm(table), options_(table, values) {
    if (options_.get_bool("train_on_prompt") && options_.get_bool("mask_history")) {
      throw sdk::Error(
          FTRUN_INVALID_ARGUMENT,
          std::string(options_.origin("mask_history")) +
              ": mask_history and train_on_prompt exclude each other: one trains on less, the other on more");
    }
    if (!options_.get_bool("eval_exact_match")) warn_of("max_new_tokens", "eval_exact_match is not set");
    if (options_.get_bool("neat_packing") && !options_.get_bool("packing")) {
      warn_of("packing", "neat_packing packs in any case");
    }
  }

  void declare(const ftrun_declaration& declaration) {
    auto role = sdk::make<ftrun_role_request>(FTRUN_ROLE_REQUEST_TAG);
    role.name = sdk::literal("policy");
    role.flags = FTRUN_ROLE_TRAINED;
    role.model_key = sdk::literal("model_name_or_path");
    check(declaration.add_role(&declaration, &role, &role_));
    check(declaration.add_denominator(&declaration, sdk::literal("tokens"), &tokens_));
  }

  void begin(ftrun_context* ctx, ftrun_paradigm_plan& out) {
    auto spec = sdk::make<ftrun_data_spec>(FTRUN_DATA_SPEC_TAG);
    spec.format = sdk::literal("supervised");
    spec.flags = data_flags();
    check(host()->data->open(ctx, &spec, &data_));
    const ftrun_data_info train = info(FTRUN_SPLIT_TRAIN);
    const ftrun_data_info eval = info(FTRUN_SPLIT_EVAL);
    if (options_.get_bool("eval_exact_match") && eval.n_rows == 0) {
      throw sdk::Error(FTRUN_INVALID_ARGUMENT,
                       std::string(options_.origin("eval_exact_match")) +
                           ": eval_exact_match needs evaluation data: set eval_dataset or val_size");
    }
    out.num_examples = train.n_rows;
    out.updates_per_epoch = train.updates_per_epoch;
    out.eval_examples = eval.n_rows;
    out.eval_updates = eval.updates_per_epoch;
    out.max_micro_batch_tokens = longest_rows_tokens(train.n_rows, options_.get_int("per_device_train_batch_size"));
  }

  void next_update(ftrun_context*, const ftrun_update_request& request, ftrun_update& out) {
    auto batches = std::make_unique<std::vector<MicroBatch>>();
    int32_t n_micro_batches = 0;
    check(host()->data->micro_batches(data_, request.split, request.epoch, request.update, &n_micro_batches));
    for (int32_t index = 0; index < n_micro_batches; ++index) {
      const MicroBatch& batch = batches->emplace_back(collate(request, index));
      out.denominators[tokens_] += static_cast<double>(batch.n_targets);
      out.num_input_tokens += static_cast<int64_t>(batch.input_ids.size());
    }
    out.n_micro_batches = n_micro_batches;
    out.state = batches.release();
  }

  Tensor loss(ftrun_context* ctx, const ftrun_update& update, int32_t micro_batch, const double* denominators) {
    const MicroBatch& batch = (*static_cast<std::vector<MicroBatch>*>(update.state))[micro_batch];
    const ftrun_batch view = batch.view();
    ftrun_tensor* handle = nullptr;
    check(host()->context->forward(ctx, role_, &view, &handle));
    const Tensor hidden_TD(host(), handle);
    check(host()->context->head_cross_entropy_sum(ctx, role_, hidden_TD.get(), batch.labels.data(), nullptr,
                                                  1.0 / denominators[tokens_], &handle));
    return {host(), handle};
  }

  void release_update(ftrun_update& update) noexcept {
    delete static_cast<std::vector<MicroBatch>*>(update.state);
    update.state = nullptr;
  }

  bool measures(ftrun_evaluation_phase phase) const {
    return phase != FTRUN_EVALUATION_PERIODIC && options_.get_bool("eval_exact_match");
  }

  void evaluate(ftrun_context* ctx, ftrun_evaluation_phase phase) {
    const double share = exact_match(host(), ctx, data_, role_, options_.get_int("max_new_tokens"));
    const std::string_view name = phase == FTRUN_EVALUATION_INITIAL ? "eval_initial_exact_match" : "eval_exact_match";
    check(host()->metric(ctx, sdk::str(name), share));
  }

 private:
  ftrun_data_flags data_flags() const {
    ftrun_data_flags flags = 0;
    if (options_.get_bool("train_on_prompt")) flags |= FTRUN_DATA_TRAIN_ON_PROMPT;
    if (options_.get_bool("mask_history")) flags |= FTRUN_DATA_MASK_HISTORY;
    if (options_.get_bool("packing")) flags |= FTRUN_DATA_PACKING;
    if (options_.get_bool("neat_packing")) flags |= FTRUN_DATA_PACKING | FTRUN_DATA_NEAT_PACKING;
    return flags;
  }

  ftrun_data_info info(ftrun_split split) const {
    auto result = sdk::make<ftrun_data_info>(FTRUN_DATA_INFO_TAG);
    check(host()->data->info(data_, split, &result));
    return result;
  }

  /// Tokens of the `count` longest rows together: what the longest micro-batch of any order has at most.
  int64_t longest_rows_tokens(int64_t n_rows, int64_t count) const {
    std::vector<int64_t> lengths(static_cast<size_t>(n_rows));
    for (int64_t index = 0; index < n_rows; ++index) {
      auto row = sdk::make<ftrun_row>(FTRUN_ROW_TAG);
      check(host()->data->row(data_, FTRUN_SPLIT_TRAIN, index, &row));
      lengths[static_cast<size_t>(index)] = row.length;
    }
    const auto longest = lengths.begin() + std::min(count, n_rows);
    std::partial_sort(lengths.begin(), longest, lengths.end(), std::greater<>());
    return std::accumulate(lengths.begin(), longest, int64_t{0});
  }

  MicroBatch collate(const ftrun_update_request& request, int32_t index) const {
    std::vector<int64_t> rows(static_cast<size_t>(
        std::max(options_.get_int("per_device_train_batch_size"), options_.get_int("per_device_eval_batch_size"))));
    int32_t count = 0;
    check(host()->data->micro_batch(data_, request.split, request.epoch, request.update, index, rows.data(),
                                    static_cast<int32_t>(rows.size()), &count));
    MicroBatch batch;
    for (int32_t i = 0; i < count; ++i) {
      if (rows[i] < 0) continue;
      auto row = sdk::make<ftrun_row>(FTRUN_ROW_TAG);
      check(host()->data->row(data_, request.split, rows[i], &row));
      batch.add(row);
    }
    return batch;
  }

  void warn_of(std::string_view key, std::string_view reason) const {
    const std::string origin(options_.origin(key));
    if (origin == "default") return;
    const std::string line = origin + ": " + std::string(key) + ": has no effect: " + std::string(reason);
    host()->log(host(), FTRUN_LOG_WARNING, sdk::str(line));
  }

  sdk::Options options_;
  ftrun_data* data_ = nullptr;
  int32_t role_ = 0;
  int32_t tokens_ = 0;
};

}  // namespace
}  // namespace ftrun::supervised

FTRUN_PLUGIN(FTRUN_KIND_PARADIGM, "sft", "0.1.0", "Supervised fine-tuning on responses",
             &ftrun::supervised::kOptionTable, &ftrun::sdk::paradigm_table<ftrun::supervised::SupervisedFineTuning>);
