// The data ledger: what was kept, dropped, truncated or lost its end token, with files and lines.
// Leaves out: printing; the caller chooses where to_text() or to_json() goes.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/rendering_notes.h"
#include "core/data/row_kind.h"

namespace ftrun {

/// Where a row came from and, for bad rows, why it does not fit.
struct RowMark {
  int32_t file = 0;     ///< index into DataLedger::files
  int64_t line = 0;     ///< 1-based line of the row's first character
  int64_t element = 0;  ///< of RawRow
  std::string reason;
};

/// All rows of one kind; `marks` keeps the first kMarkLimit, `count` all.
struct RowCategory {
  static constexpr size_t kMarkLimit = 100;
  int64_t count = 0;
  std::vector<RowMark> marks;
  void add(RowMark mark);
};

struct DatasetTotals {
  std::string name;    ///< as in `dataset:`
  std::string format;  ///< alpaca, sharegpt, openai
  int64_t rows_read = 0;
  int64_t rows_kept = 0;
};

struct SplitTotals {
  int64_t documents = 0;          ///< source rows
  int64_t rows = 0;               ///< after packing
  int64_t tokens = 0;             ///< of all rows
  int64_t supervised_tokens = 0;  ///< targets, counted after the shift by one
  int64_t longest_row = 0;        ///< tokens
  int64_t desirable = 0;          ///< labelled rows: how many answers are good ones
};

/// In how many rows the template did what RenderingNotes names.
struct RenderingCounts {
  int64_t history_thoughts_left_out = 0;
  int64_t thoughts_preserved = 0;
  int64_t thoughts_left_out = 0;
  int64_t thoughts_without_form = 0;
  int64_t empty_thoughts_trained = 0;
  int64_t text_left_out = 0;
  int64_t begins_otherwise = 0;
  int64_t answers_not_learnt = 0;
  void add(const RenderingNotes& notes);
};

/// A column that rows have and that nothing reads.
struct UnreadColumn {
  std::string dataset;  ///< as DatasetTotals::name
  std::string column;
  std::string might_mean;  ///< key of `columns` that it might be meant as, or ""
  bool is_metadata = false;
  int64_t rows = 0;  ///< rows that fit their format and say something in it
};

/// The line that warns of a column that is no metadata.
std::string unread_column_warning(const UnreadColumn& column);

struct DataLedger {
  std::vector<std::string> files;
  std::vector<DatasetTotals> datasets;
  int64_t rows_read = 0;
  int64_t rows_kept = 0;
  RowKind kind = RowKind::kSupervised;
  RowCategory bad;                    ///< do not fit the format; dropped
  RowCategory prompt_exceeds_cutoff;  ///< preference rows whose prompt alone is longer than cutoff_len; dropped
  RowCategory marked_unlearnt;        ///< the row marks every answer that could be learnt as not to be; dropped
  RowCategory without_supervision;    ///< no target is left after masking and truncation otherwise; dropped
  RowCategory truncated;              ///< cut to fit cutoff_len; kept
  RowCategory lost_eos;               ///< a trained response lost its end tokens to the cut; kept
  RowCategory lost_prompt_tail;       ///< a prompt lost its tail, and with it the assistant header; kept
  RowCategory lost_turns;             ///< whole turns did not fit; kept
  RowCategory empty_answers;          ///< an answer to learn is empty or blank; kept
  RowCategory empty_prompts;          ///< the last message asked is empty or blank; kept
  RowCategory odd_arguments;          ///< as call_without_object finds; kept
  RowCategory media_in_text;          ///< as medium_in_text finds, in rows without a column of media; kept
  RenderingCounts rendering;          ///< of kept rows
  SplitTotals train, eval;
  int32_t cutoff_len = 0;
  bool packing = false;
  bool neat_packing = false;
  std::vector<UnreadColumn> unread_columns;  ///< in the order in which they were met, at most kColumnLimit
  std::vector<int32_t> json_as_text;         ///< indices of text files that look like JSON and are read line by line
  std::vector<std::string> notices;          ///< one line each: cache hit, cache rebuilt
  static constexpr size_t kColumnLimit = 1000;

  /// Compact report for people, lines end in "\n", no colours. Categories without rows are left out.
  std::string to_text(size_t marks_per_category = 5) const;
  nlohmann::json to_json() const;
  /// What a person should know before training, one line each: columns that nothing reads, JSON read as text, text that
  /// is left out, calls and placeholders that are learnt as they stand.
  std::vector<std::string> warnings() const;
  /// Inverse of to_json(). Throws nlohmann::json::exception when `json` is not one.
  static DataLedger from_json(const nlohmann::json& json);

 private:
  std::string first_of(const RowCategory& category) const;
};

}  // namespace ftrun
