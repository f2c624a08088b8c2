// Batches bound the memory; results are entered in row order, whatever order the threads finish in.
#include "core/data/row_pipeline.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/data/row_remarks.h"
#include "core/data/unread_columns.h"

namespace ftrun {
namespace {

constexpr size_t kBatchRows = 1024;
constexpr size_t kBatchBytes = 8 << 20;

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

// A rejected or undesirable answer may well be empty.
bool learns_empty_answer(const AlignedRow& row, RowKind kind) {
  const auto is_empty = [](const Message& message) {
    return message.is_answer() && message.is_trained && message.calls.empty() && is_blank(message.content) &&
           is_blank(message.thought.value_or(""));
  };
  if (row.responses.empty() || (kind == RowKind::kLabelled && !row.desirable)) return false;
  if (is_empty(row.responses.front())) return true;
  return kind == RowKind::kSupervised && std::ranges::any_of(row.prompt, is_empty);
}

bool asks_nothing(const AlignedRow& row, RowKind kind) {
  return kind != RowKind::kPlain && !row.prompt.empty() && row.prompt.back().role == MessageRole::kUser &&
         is_blank(row.prompt.back().content);
}

}  // namespace

struct RowPipeline::Outcome {
  EncodedItem item;
  bool has_empty_answer = false;
  bool has_empty_prompt = false;
  std::string odd_arguments, medium_in_text;  ///< as row_remarks.h says
  std::string fault;                          ///< why the row is bad, or ""
  std::vector<std::string> unread_columns;
};

/// How the rows of one source are read.
struct RowPipeline::Reading {
  std::unique_ptr<RowConverter> converter;
  UnreadColumns columns;
  UnreadColumnTally tally;

  Reading(const DataSource& source, RowKind kind, std::vector<UnreadColumn>& counted)
      : converter(find_row_format(source.format).bind(source.columns, source.tags, kind)),
        columns(source, kind),
        tally(columns, source.name, counted) {}
};

RowPipeline::RowPipeline(SpoolFile& spool, DataLedger& ledger, const ParallelFor& parallel_for, RowEncoder encoder,
                         std::optional<int64_t> max_samples)
    : spool_(spool),
      ledger_(ledger),
      parallel_for_(parallel_for),
      encoder_(std::move(encoder)),
      max_samples_(max_samples) {}

void RowPipeline::add(const DataSource& source) {
  Reading reading(source, ledger_.kind, ledger_.unread_columns);
  ledger_.datasets.push_back({source.name, source.format, 0, 0});
  int64_t left = max_samples_.value_or(INT64_MAX);
  for (const auto& path : source.files) {
    const MappedFile file(path);
    ledger_.files.push_back(path.string());
    if (is_json_in_text_file(file)) ledger_.json_as_text.push_back(static_cast<int32_t>(ledger_.files.size()) - 1);
    RowReader reader(file);
    std::vector<RawRow> batch;
    size_t bytes = 0;
    for (auto row = reader.next(); row && left > 0; row = reader.next()) {
      --left;
      bytes += row->text.size();
      batch.push_back(*row);
      if (batch.size() < kBatchRows && bytes < kBatchBytes) continue;
      add_batch(file, batch, reading);
      batch.clear();
      bytes = 0;
    }
    add_batch(file, batch, reading);
  }
  if (ledger_.datasets.back().rows_read == 0)
    throw invalid_argument("{}:1: dataset '{}' has no rows", source.files.front().string(), source.name);
}

void RowPipeline::add_batch(const MappedFile& file, const std::vector<RawRow>& rows, Reading& reading) {
  std::vector<Outcome> outcomes(rows.size());
  parallel_for_(static_cast<int64_t>(rows.size()), [&](int64_t index) {
    const auto i = static_cast<size_t>(index);
    try {
      const nlohmann::ordered_json row = parse_row(file, rows[i]);
      outcomes[i].unread_columns = reading.columns.of_row(row);
      const AlignedRow aligned = reading.converter->convert(row);
      outcomes[i].item = encoder_(aligned);
      outcomes[i].has_empty_answer = learns_empty_answer(aligned, ledger_.kind);
      outcomes[i].has_empty_prompt = asks_nothing(aligned, ledger_.kind);
      outcomes[i].odd_arguments = call_without_object(aligned, ledger_.kind);
      outcomes[i].medium_in_text = medium_in_text(aligned, ledger_.kind);
    } catch (const RowError& reason) {
      outcomes[i].fault = reason.what();
    } catch (const nlohmann::json::exception& reason) {
      outcomes[i].fault = reason.what();
    }
  });
  for (size_t i = 0; i < rows.size(); ++i) {
    if (outcomes[i].fault.empty()) reading.tally.add(outcomes[i].unread_columns);
    enter(rows[i], outcomes[i]);
  }
}

void RowPipeline::enter(const RawRow& row, Outcome& outcome) {
  const auto file = static_cast<int32_t>(ledger_.files.size() - 1);
  ++ledger_.rows_read;
  ++ledger_.datasets.back().rows_read;
  const RowMark mark = {file, row.line, row.element, std::move(outcome.fault)};
  if (!mark.reason.empty()) return ledger_.bad.add(mark);
  const EncodedItem& item = outcome.item;
  if (item.prompt_exceeds_cutoff) return ledger_.prompt_exceeds_cutoff.add(mark);
  const auto any = [&](bool EncodedExample::*flag) {
    return std::ranges::any_of(item.documents, [flag](const EncodedExample& document) { return document.*flag; });
  };
  if (any(&EncodedExample::truncated)) ledger_.truncated.add(mark);
  if (any(&EncodedExample::lost_eos)) ledger_.lost_eos.add(mark);
  if (any(&EncodedExample::lost_prompt_tail)) ledger_.lost_prompt_tail.add(mark);
  if (any(&EncodedExample::lost_turns)) ledger_.lost_turns.add(mark);
  const bool learns_nothing = std::ranges::any_of(
      item.documents, [](const EncodedExample& document) { return count_targets(document.labels) == 0; });
  if (learns_nothing) {
    return (any(&EncodedExample::marked_unlearnt) ? ledger_.marked_unlearnt : ledger_.without_supervision).add(mark);
  }
  if (!item.documents.empty()) ledger_.rendering.add(item.documents.front().notes);
  if (outcome.has_empty_answer) ledger_.empty_answers.add(mark);
  if (outcome.has_empty_prompt) ledger_.empty_prompts.add(mark);
  const auto remark = [&](RowCategory& category, std::string& reason) {
    if (!reason.empty()) category.add({mark.file, mark.line, mark.element, std::move(reason)});
  };
  remark(ledger_.odd_arguments, outcome.odd_arguments);
  remark(ledger_.media_in_text, outcome.medium_in_text);
  ++ledger_.rows_kept;
  ++ledger_.datasets.back().rows_kept;
  keep(row, item);
}

void RowPipeline::keep(const RawRow& row, const EncodedItem& item) {
  for (const EncodedExample& example : item.documents) {
    SpooledDocument document;
    document.record = {row.line,
                       row.element,
                       row.byte_offset,
                       static_cast<int64_t>(row.text.size()),
                       static_cast<int32_t>(ledger_.files.size() - 1),
                       static_cast<int32_t>(ledger_.datasets.size() - 1),
                       static_cast<int32_t>(example.ids.size()),
                       static_cast<int32_t>(count_targets(example.labels)),
                       item.annotation};
    document.spool_begin = spool_.append(example.ids);
    spool_.append(example.labels);
    documents_.push_back(document);
  }
}

}  // namespace ftrun
