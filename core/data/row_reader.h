// Rows of a JSON array, of JSON lines or of a text file, one after another, each with its place in the file.
// Leaves out: what is inside a row (row_format.h).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/files.h"

namespace ftrun {

struct RawRow {
  std::string_view text;    ///< into the mapped file
  int64_t line = 0;         ///< 1-based, of the first character
  int64_t byte_offset = 0;  ///< of the first character
  int64_t element = 0;      ///< 1-based in an array, where its line holds other rows too; else 0: the line tells it
};

/// "FILE:LINE", or "FILE:LINE (row ELEMENT)" of an array whose line holds several rows.
std::string row_place(std::string_view file, int64_t line, int64_t element);

/// Walks a mapped file without building anything of it in memory. In a .txt file every line that is not blank is a row;
/// in others the first character decides: '[' is an array of rows over any number of lines, everything else is one row
/// per line. Not thread-safe; `file` must outlive the reader.
class RowReader {
 public:
  /// Throws INVALID_ARGUMENT "FILE:1: ..." for a file in UTF-16 or UTF-32.
  explicit RowReader(const MappedFile& file);
  /// The next row, or nullopt at the end. Throws INVALID_ARGUMENT "FILE:LINE:COLUMN: not valid JSON: ..." where the
  /// array's own structure is broken; what is inside a row is not looked at.
  std::optional<RawRow> next();

 private:
  std::optional<RawRow> next_line();
  std::optional<RawRow> next_text_line();
  std::optional<RawRow> next_element();
  void skip_space();
  size_t element_end(size_t begin) const;
  bool more_follows_on_line() const;
  RawRow take(size_t end);
  [[noreturn]] void fail(size_t offset, std::string_view reason) const;

  const MappedFile& file_;
  std::string_view text_;
  size_t offset_ = 0;
  int64_t line_ = 1;
  int64_t elements_ = 0;       // rows of the array so far
  int64_t last_row_line_ = 0;  // where the row before ended
  bool is_array_ = false;
  bool is_text_ = false;
  bool begun_ = false;
  bool ended_ = false;
};

/// Whether a .txt file begins as JSON does: its lines are rows all the same.
bool is_json_in_text_file(const MappedFile& file);

/// Parses a row; a line of a .txt file becomes {"text": line}. Throws RowError with line and column inside the file, or
/// naming a key that one object has twice; also for text that is not UTF-8. [any-thread]
nlohmann::ordered_json parse_row(const MappedFile& file, const RawRow& row);

}  // namespace ftrun
