// Straight from the sources: rows of every kind, with or without an answer.
#include "core/inference/predict_rows.h"

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/logging.h"
#include "core/data/data_source.h"
#include "core/data/row_reader.h"
#include "core/data/unread_columns.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kListedRows = 10;

/// Collects rows of all sources; what does not fit is kept for one message.
class Reader {
 public:
  Reader(const DataSpec& spec, const ConversationEncoder& prompts, const HeldOutRows* held_out)
      : spec_(spec), prompts_(prompts), held_out_(held_out) {}

  void add(const DataSource& source) {
    const auto converter = find_row_format(source.format).bind(source.columns, source.tags, RowKind::kPrompt);
    const UnreadColumns columns(source, RowKind::kPrompt);
    UnreadColumnTally tally(columns, source.name, unread_columns_);
    int64_t left = spec_.max_samples.value_or(INT64_MAX);
    for (const auto& path : source.files) {
      const MappedFile file(path);
      RowReader reader(file);
      for (auto row = reader.next(); row && left > 0; row = reader.next(), --left) {
        if (held_out_ != nullptr && !held_out_->contains(path.string(), row->byte_offset)) continue;
        const std::string place = row_place(path.string(), row->line, row->element);
        try {
          const Json parsed = parse_row(file, *row);
          const std::vector<std::string> its_columns = columns.of_row(parsed);
          rows_.push_back(convert(*converter, parsed, place));
          tally.add(its_columns);
        } catch (const RowError& reason) {
          ++bad_;
          if (listed_.size() < kListedRows) listed_.push_back(fmt::format("\n  {}: {}", place, reason.what()));
        }
      }
    }
  }

  std::vector<PredictRow> take(std::string_view place) {
    if (bad_ > spec_.max_bad_rows) {
      throw invalid_argument("{}: {} of {} rows do not fit their data format (max_bad_rows: {}):{}{}", place, bad_,
                             bad_ + static_cast<int64_t>(rows_.size()), spec_.max_bad_rows, fmt::join(listed_, ""),
                             bad_ > static_cast<int64_t>(listed_.size()) ? "\n  ..." : "");
    }
    if (bad_ > 0) log_warning("{} rows do not fit their data format and are left out:{}", bad_, fmt::join(listed_, ""));
    for (const UnreadColumn& column : unread_columns_) {
      if (!column.is_metadata) log_warning("{}", unread_column_warning(column));
    }
    if (rows_.empty()) throw invalid_argument("{}: there are no rows to answer", place);
    return std::move(rows_);
  }

 private:
  PredictRow convert(const RowConverter& converter, const Json& row, const std::string& place) const {
    AlignedRow aligned = converter.convert(row);
    PredictRow result;
    result.prompt_ids = prompts_.ask(aligned.prompt, aligned.system, aligned.tools);
    if (result.prompt_ids.empty()) throw RowError("the prompt is empty");
    if (!aligned.responses.empty()) {
      std::string label = answer_text(aligned.responses.front());
      if (!label.empty()) result.label = std::move(label);
    }
    result.place = place;
    return result;
  }

  const DataSpec& spec_;
  const ConversationEncoder& prompts_;
  const HeldOutRows* held_out_;
  std::vector<PredictRow> rows_;
  std::vector<std::string> listed_;
  std::vector<UnreadColumn> unread_columns_;
  int64_t bad_ = 0;
};

}  // namespace

std::vector<PredictRow> read_predict_rows(const DataSpec& spec, const ConversationEncoder& prompts,
                                          const HeldOutRows* held_out) {
  const bool evaluates = !spec.eval_datasets.empty();
  const char* key = evaluates ? "eval_dataset" : "dataset";
  const std::vector<std::string>& values = evaluates ? spec.eval_datasets : spec.datasets;
  if (values.empty()) {
    throw invalid_argument(
        "eval_dataset: it is not set, nor is dataset: name the rows to answer, a name of "
        "dataset_info.json or a file");
  }
  Reader reader(spec, prompts, held_out);
  for (const std::string& value : values) {
    reader.add(resolve_data_source(value, spec.dataset_dir, spec.place_of(key), RowKind::kPrompt));
  }
  return reader.take(spec.place_of(key));
}

}  // namespace ftrun
