// Where a dataset's rows come from: names in dataset_info.json or paths, resolved to files, format and columns.
// Leaves out: reading rows.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/row_format.h"

namespace ftrun {

struct DataSource {
  std::string name;  ///< as the user wrote it
  std::string format;
  ColumnMap columns;
  ColumnMap tags;
  std::vector<std::filesystem::path> files;  ///< .json or .jsonl, for plain text and prompts also .txt; in order
};

/// Resolves a value of `dataset:`. A value with a known file ending or a '/' is a path, relative to the working folder
/// or, failing that, to dataset_dir; its format is found from the first row. Anything else is a name in
/// dataset_dir/dataset_info.json. Throws INVALID_ARGUMENT / NOT_FOUND with file:line where there is one: unknown name
/// or key (with the nearest), rows of another kind than asked for, data on a hub, other file types (with advice).
/// `place` ("FILE:LINE: KEY" of the setting) opens messages that have no other place.
DataSource resolve_data_source(const std::string& value, const std::filesystem::path& dataset_dir,
                               std::string_view place = "dataset", RowKind kind = RowKind::kSupervised);

/// The files and folders that `value` of `dataset:` names, as far as that can be said without reading rows; empty when
/// it names nothing. Never throws for what the user wrote.
std::vector<std::filesystem::path> data_source_files(const std::string& value,
                                                     const std::filesystem::path& dataset_dir);

}  // namespace ftrun
