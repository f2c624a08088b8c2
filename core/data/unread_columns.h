// Columns of rows that nothing reads: which they are, what they might have been meant as, and those that hold another
// medium than text. Leaves out: keys inside messages (the formats read those) and counting (data_ledger.h).
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/data_ledger.h"
#include "core/data/data_source.h"

namespace ftrun {

/// Bound to the columns of one data set. Immutable; any thread may use it.
class UnreadColumns {
 public:
  UnreadColumns(const DataSource& source, RowKind kind);

  /// Names of the columns of `row` that say something (not null, "", [] or {}) and that nothing reads. A row that is no
  /// object has none. Throws RowError for a row with pictures, videos or sound, and for one with such a column, even an
  /// empty one, and a placeholder as "<image>" in its text: what it says about them cannot be learnt from text.
  std::vector<std::string> of_row(const nlohmann::ordered_json& row) const;

  /// The key of `columns` (dataset_info.json) that `column` might have been meant as, by a usual other name or by a
  /// likely typing error; "" when there is none.
  std::string might_mean(std::string_view column) const;

 private:
  std::set<std::string, std::less<>> read_;
  ColumnMap keys_;  ///< usual name of a column, or the key itself -> key that the format reads
};

/// Counts the unread columns of one data set in a list of them, which it borrows.
class UnreadColumnTally {
 public:
  UnreadColumnTally(const UnreadColumns& columns, std::string dataset, std::vector<UnreadColumn>& counted)
      : columns_(columns), dataset_(std::move(dataset)), counted_(counted) {}
  /// Of one row that fits its format.
  void add(const std::vector<std::string>& unread);

 private:
  const UnreadColumns& columns_;
  std::string dataset_;
  std::vector<UnreadColumn>& counted_;
  std::map<std::string, size_t, std::less<>> places_;
};

/// The first in `text` of the placeholders that stand for media ("<image>", "<video>", "<audio>"), or "".
std::string_view media_placeholder_in(std::string_view text);

/// Whether `column` only says where a row comes from: names (id, uuid, ...) and origins (source, url, license, ...).
bool is_metadata_column(std::string_view column);

}  // namespace ftrun
