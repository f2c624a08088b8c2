// The encoded evaluation split's records know where their rows stand.
#include "core/inference/held_out_rows.h"

#include "core/base/error.h"
#include "core/data/template_detection.h"
#include "core/parallel/run_parallel.h"

namespace ftrun {
namespace {

void require_single_answers(const RunSetup& run) {
  const Plugin* paradigm = run.plugins->paradigm.plugin;
  if (paradigm == nullptr) return;
  const std::string format = paradigm->data_format();
  if (format.empty() || format == row_kind_name(RowKind::kSupervised)) return;
  throw invalid_argument(
      "{}: stage '{}' holds out {} rows, and 'predict' answers prompts with single answers: name those in eval_dataset "
      "and remove val_size",
      run.data.place_of("val_size"), paradigm->id(), format);
}

/// A stage's own key of that name, where it has one.
bool is_switched_on(const RunSetup& run, std::string_view key) {
  const ftrun_options* options = run.plugins->paradigm.options;
  const OptionValue* value = options == nullptr ? nullptr : options->own->find(key);
  return value != nullptr && value->is_set && value->as_bool;
}

}  // namespace

bool holds_out_rows(const ResolvedConfig& config) {
  return config.get_float("val_size") > 0 && config.is_set("dataset") && !config.is_set("eval_dataset");
}

HeldOutRows::HeldOutRows(const RunSetup& run) {
  require_single_answers(run);
  DataSpec spec = run.data;
  spec.train_on_prompt = is_switched_on(run, "train_on_prompt");
  spec.mask_history = is_switched_on(run, "mask_history");
  const auto given = run.config().find_string("template");
  spec.template_name = given.value_or("");
  if (!given) spec.template_name = training_template_of(spec, run.tokenizer);
  const PreparedData prepared = prepare_data(spec, run.tokenizer, run_parallel);
  for (const DocumentRecord& record : prepared.eval->document_records()) {
    places_.emplace(prepared.eval->files()[static_cast<size_t>(record.file)], record.byte_offset);
  }
}

}  // namespace ftrun
