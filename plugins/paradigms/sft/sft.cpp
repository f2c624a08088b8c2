// Supervised fine-tuning: token cross-entropy on responses, divided by the number of targets of the whole update.
// Leaves out: preference losses and generation during training (other paradigms).
#include <string>

#include "batching/row_data.h"
#include "batching/token_loss.h"
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
  static constexpr ftrun_str kDataFormat = sdk::literal("supervised");

  SupervisedFineTuning(const ftrun_host* table, const ftrun_options* values)
      : Paradigm(table), options_(table, values), data_(table, options_), tokens_(table) {
    if (options_.get_bool("train_on_prompt") && options_.get_bool("mask_history")) {
      throw sdk::Error(
          FTRUN_INVALID_ARGUMENT,
          std::string(options_.origin("mask_history")) +
              ": mask_history and train_on_prompt exclude each other: one trains on less, the other on more");
    }
    if (!options_.get_bool("eval_exact_match")) {
      batching::warn_of_idle_key(host(), options_, "max_new_tokens", "eval_exact_match is not set");
    }
    if (options_.get_bool("neat_packing") && !options_.get_bool("packing")) {
      batching::warn_of_idle_key(host(), options_, "packing", "neat_packing packs in any case");
    }
  }

  void declare(const ftrun_declaration& declaration) { tokens_.declare(declaration); }

  void begin(ftrun_context* ctx, ftrun_paradigm_plan& out) {
    data_.open(ctx, sdk::view(kDataFormat), data_flags());
    data_.fill_plan(out);
    if (options_.get_bool("eval_exact_match") && out.eval_examples == 0) {
      throw batching::refused_key(options_, "eval_exact_match", "needs evaluation data: set eval_dataset or val_size");
    }
  }

  void next_update(ftrun_context*, const ftrun_update_request& request, ftrun_update& out) {
    tokens_.next_update(data_, request, out);
  }

  Tensor loss(ftrun_context* ctx, const ftrun_update& update, int32_t micro_batch, const double* denominators) {
    return tokens_.loss(ctx, update, micro_batch, denominators);
  }

  void release_update(ftrun_update& update) noexcept { batching::TokenLoss::release_update(update); }

  bool measures(ftrun_evaluation_phase phase) const {
    return phase != FTRUN_EVALUATION_PERIODIC && options_.get_bool("eval_exact_match");
  }

  void evaluate(ftrun_context* ctx, ftrun_evaluation_phase phase) {
    const double share = exact_match(host(), ctx, data_.get(), tokens_.role(), options_.get_int("max_new_tokens"));
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

  sdk::Options options_;
  batching::RowData data_;
  batching::TokenLoss tokens_;
};

}  // namespace
}  // namespace ftrun::supervised

FTRUN_PLUGIN(FTRUN_KIND_PARADIGM, "sft", "0.1.0", "Supervised fine-tuning on responses",
             &ftrun::supervised::kOptionTable, &ftrun::sdk::paradigm_table<ftrun::supervised::SupervisedFineTuning>);
