// Continued pretraining: token cross-entropy on plain text, texts laid end to end with the end-of-sequence token
// between them and cut into rows of cutoff_len tokens.
// Leaves out: how texts become rows (core/data). Differs from LLaMA-Factory's PretrainDatasetProcessor where that loses
// tokens: texts are laid end to end over the whole set instead of per 1,000 rows, so that one row is short instead of
// what is left being dropped every time, and a beginning-of-sequence token is added instead of overwriting a token.
#include "batching/row_data.h"
#include "batching/token_loss.h"
#include "ftrun/cpp/paradigm.hpp"

namespace ftrun::pretraining {
namespace {

using sdk::Tensor;

const ftrun_option kOptions[] = {
    sdk::option("packing", FTRUN_OPTION_BOOL, "true",
                "Lay texts end to end and cut them into rows of cutoff_len tokens; false: a row for each, cut there.",
                FTRUN_OPTION_FLAT),
    sdk::option("add_bos", FTRUN_OPTION_BOOL, "",
                "Texts begin with the tokenizer's beginning-of-sequence token; unset: as its add_bos_token says.",
                FTRUN_OPTION_FLAT),
};
const ftrun_option_table kOptionTable = sdk::option_table(kOptions);

class Pretraining : public sdk::Paradigm {
 public:
  static constexpr ftrun_str kDataFormat = sdk::literal("plain");

  Pretraining(const ftrun_host* table, const ftrun_options* values)
      : Paradigm(table), options_(table, values), data_(table, options_), tokens_(table) {
    batching::refuse_generation(options_);
  }

  void declare(const ftrun_declaration& declaration) { tokens_.declare(declaration); }

  void begin(ftrun_context* ctx, ftrun_paradigm_plan& out) {
    ftrun_data_flags flags = options_.get_bool("packing") ? FTRUN_DATA_PACKING : 0;
    if (options_.is_set("add_bos")) flags |= options_.get_bool("add_bos") ? FTRUN_DATA_ADD_BOS : FTRUN_DATA_NO_BOS;
    data_.open(ctx, sdk::view(kDataFormat), flags);
    data_.fill_plan(out);
  }

  void next_update(ftrun_context*, const ftrun_update_request& request, ftrun_update& out) {
    tokens_.next_update(data_, request, out);
  }

  Tensor loss(ftrun_context* ctx, const ftrun_update& update, int32_t micro_batch, const double* denominators) {
    return tokens_.loss(ctx, update, micro_batch, denominators);
  }

  void release_update(ftrun_update& update) noexcept { batching::TokenLoss::release_update(update); }

 private:
  sdk::Options options_;
  batching::RowData data_;
  batching::TokenLoss tokens_;
};

}  // namespace
}  // namespace ftrun::pretraining

FTRUN_PLUGIN(FTRUN_KIND_PARADIGM, "pt", "0.1.0", "Pretraining on plain text", &ftrun::pretraining::kOptionTable,
             &ftrun::sdk::paradigm_table<ftrun::pretraining::Pretraining>);
