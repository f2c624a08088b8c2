// Counts of the data ledger; the rest is arithmetic.
#include "core/train/futile_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/data/row_reader.h"
#include "core/train/schedule.h"

namespace ftrun {
namespace {

constexpr size_t kListedRows = 3;
constexpr int64_t kEarlySteps = 2;  // adapters that start at zero pass gradients on from the first update too

bool is_most(int64_t part, int64_t whole) { return 2 * part > whole; }

std::string places_of(const RowCategory& category, const DataLedger& ledger) {
  std::string text;
  const size_t shown = std::min(kListedRows, category.marks.size());
  for (size_t i = 0; i < shown; ++i) {
    const RowMark& mark = category.marks[i];
    text += (i == 0 ? "" : ", ") + row_place(ledger.files[static_cast<size_t>(mark.file)], mark.line, mark.element);
  }
  const int64_t more = category.count - static_cast<int64_t>(shown);
  return more > 0 ? fmt::format("{} and {} more", text, more) : text;
}

void add_cuts(const DataLedger& ledger, const DataSpec& spec, std::vector<std::string>& lines) {
  const int64_t rows = ledger.rows_read - ledger.bad.count - ledger.prompt_exceeds_cutoff.count;
  const auto add = [&](const RowCategory& category, const char* loss) {
    if (!is_most(category.count, rows)) return;
    lines.push_back(fmt::format("{}: {} of {} rows {}: raise it, or shorten the rows ({})", spec.place_of("cutoff_len"),
                                category.count, rows, loss, places_of(category, ledger)));
  };
  add(ledger.lost_prompt_tail,
      "lost the end of a prompt and with it the header of the answer, so that what is learnt is not what will be "
      "asked");
  add(ledger.lost_eos, ledger.kind == RowKind::kPlain
                           ? "lost the end of their text (EOS); packing keeps it"
                           : "lost the end of an answer (EOS), so that the model does not learn to stop");
}

void add_drops(const DataLedger& ledger, const DataSpec& spec, std::vector<std::string>& lines) {
  const int64_t dropped = ledger.rows_read - ledger.rows_kept;
  if (!is_most(dropped, ledger.rows_read)) return;
  const bool is_cut =
      ledger.prompt_exceeds_cutoff.count + ledger.truncated.count > ledger.bad.count + ledger.marked_unlearnt.count;
  const std::string marked = ledger.marked_unlearnt.count == 0
                                 ? std::string()
                                 : fmt::format("{} mark every answer as not to be learnt (loss, weight or train), ",
                                               ledger.marked_unlearnt.count);
  lines.push_back(fmt::format(
      "{}: {} of {} rows are dropped: {} do not fit the format, the prompt of {} exceeds cutoff_len {}, {}{} have no "
      "token to learn from",
      spec.place_of(is_cut ? "cutoff_len" : "dataset"), dropped, ledger.rows_read, ledger.bad.count,
      ledger.prompt_exceeds_cutoff.count, ledger.cutoff_len, marked, ledger.without_supervision.count));
}

}  // namespace

std::vector<std::string> futile_data(const PreparedData& prepared, const DataSpec& spec) {
  const DataLedger& ledger = prepared.ledger;
  std::vector<std::string> lines;
  add_cuts(ledger, spec, lines);
  add_drops(ledger, spec, lines);
  if (ledger.empty_answers.count > 0) {
    lines.push_back(fmt::format("{}: the answer of {} of {} rows is empty, which teaches the model to say nothing: {}",
                                spec.place_of("dataset"), ledger.empty_answers.count, ledger.rows_kept,
                                places_of(ledger.empty_answers, ledger)));
  }
  if (prepared.train && prepared.eval && !spec.eval_datasets.empty() &&
      prepared.train->size() == prepared.eval->size() &&
      prepared.train->content_hash() == prepared.eval->content_hash()) {
    lines.push_back(
        fmt::format("{}: its {} rows are those that are trained on, so that the evaluation says nothing of other texts",
                    spec.place_of("eval_dataset"), prepared.eval->size()));
  }
  return lines;
}

std::vector<std::string> futile_schedule(const ResolvedConfig& config, const TrainingArguments& arguments,
                                         int64_t max_steps) {
  const auto place = [&](const char* key) { return fmt::format("{}: {}", config.origin(key), key); };
  if (arguments.learning_rate == 0) return {place("learning_rate") + ": is 0: no update changes a weight"};
  const int64_t warmup = warmup_updates(arguments.warmup_steps, arguments.warmup_ratio, max_steps);
  if (arguments.lr_scheduler_type == "constant" || warmup < max_steps || warmup == 0) return {};
  const double highest = arguments.learning_rate * static_cast<double>(max_steps - 1) / static_cast<double>(warmup);
  return {fmt::format("{}: {} of warm-up in a run of {}: the learning rate {}",
                      place(arguments.warmup_steps > 0 ? "warmup_steps" : "warmup_ratio"),
                      warmup == 1 ? "1 update" : fmt::format("{} updates", warmup), max_steps,
                      highest > 0 ? fmt::format("rises to {:.3g} and never is the {:.3g} of learning_rate", highest,
                                                arguments.learning_rate)
                                  : std::string("stays 0, and no update changes a weight"))};
}

std::string gradient_keys(const ResolvedConfig& config) {
  std::string text;
  const auto add = [&](std::string_view key, const std::string* origin) {
    text +=
        fmt::format("{}{}{}", text.empty() ? "" : ", ", key, origin == nullptr ? "" : fmt::format(" ({})", *origin));
  };
  const auto add_host = [&](std::initializer_list<const char*> keys) {
    for (const char* key : keys) add(key, config.is_given(key) ? &config.origin(key) : nullptr);
  };
  // What weighs the loss is the paradigm's to know: its numbers, where somebody chose them.
  for (size_t i = 0; i < config.plugin_count(); ++i) {
    const ResolvedConfig::PluginPart& part = config.plugin(i);
    if (part.kind != "paradigm") continue;
    for (const auto& [key, value] : part.values.entries()) {
      if (value.type == FTRUN_OPTION_FLOAT && part.values.is_given(key)) add(key, &value.origin);
    }
  }
  const std::string& tuner = config.get_string("finetuning_type");
  add_host({"finetuning_type"});
  if (tuner == "freeze") add_host({"freeze_trainable_layers", "freeze_trainable_modules", "freeze_extra_modules"});
  if (tuner == "lora") add_host({"lora_target", "lora_alpha", "lora_dropout"});
  add_host({"dataset", "cutoff_len"});
  return text;
}

std::string futile_update(int64_t step, double loss, double grad_norm, const ResolvedConfig& config) {
  if (step > kEarlySteps || grad_norm != 0) return {};
  return fmt::format(
      "step {}: grad_norm is exactly 0 (loss {}): nothing is learnt, whatever learning_rate is: what is trained, and "
      "from what, is said by {}; `ftrun data` shows which tokens are learnt",
      step, loss, gradient_keys(config));
}

}  // namespace ftrun
