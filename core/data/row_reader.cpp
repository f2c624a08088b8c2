// A structural scan: strings and brackets only, so that the extent and line of each row are known before it is parsed.
#include "core/data/row_reader.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/data/conversation.h"

namespace ftrun {
namespace {

constexpr int kMaxDepth = 256;  // library code recurses over a parsed row when it copies or writes it

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// Offset behind the string that opens at `begin`, or npos.
size_t string_end(std::string_view text, size_t begin) {
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

int64_t newlines(std::string_view text) { return std::count(text.begin(), text.end(), '\n'); }

int64_t column_of(std::string_view text, size_t offset) {
  const size_t before = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  return static_cast<int64_t>(before == std::string_view::npos ? offset + 1 : offset - before);
}

struct Shape {
  int depth = 0;      ///< deepest nesting
  size_t colons = 0;  ///< outside strings: one for each key, duplicates counted
};

Shape shape_of(std::string_view text) {
  Shape shape;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      i = string_end(text, i);
      if (i == std::string_view::npos) break;
      --i;
    } else if (text[i] == '{' || text[i] == '[') {
      shape.depth = std::max(shape.depth, ++depth);
    } else if (text[i] == '}' || text[i] == ']') {
      --depth;
    } else if (text[i] == ':') {
      ++shape.colons;
    }
  }
  return shape;
}

size_t count_keys(const nlohmann::ordered_json& value) {
  size_t keys = value.is_object() ? value.size() : 0;
  if (value.is_structured()) {
    for (const auto& item : value) keys += count_keys(item);
  }
  return keys;
}

// The first key that an object has twice. Called once it is known that there is one: the library keeps the last value
// without a word, and watching every key would slow down every row.
std::string find_duplicate_key(std::string_view text) {
  std::vector<std::set<std::string>> open;
  std::string duplicate;
  [[maybe_unused]] const auto parsed_again =
      nlohmann::ordered_json::parse(text, [&](int, auto event, nlohmann::ordered_json& parsed) {
        using Event = nlohmann::ordered_json::parse_event_t;
        if (event == Event::object_start) open.emplace_back();
        if (event == Event::object_end) open.pop_back();
        if (event == Event::key && duplicate.empty() && !open.back().insert(parsed.get<std::string>()).second) {
          duplicate = parsed.get<std::string>();
        }
        return true;
      });
  return duplicate;
}

bool is_text_file(const MappedFile& file) { return file.path().extension() == ".txt"; }

std::string reason_of(const nlohmann::json::exception& error) {
  const std::string message = error.what();
  const size_t detail = message.find(": ");
  return detail == std::string::npos ? message : message.substr(detail + 2);
}

}  // namespace

RowReader::RowReader(const MappedFile& file) : file_(file), text_(file.text()), is_text_(is_text_file(file)) {
  if (text_.starts_with("\xEF\xBB\xBF")) offset_ = 3;
  if (is_text_) return;
  skip_space();
  is_array_ = offset_ < text_.size() && text_[offset_] == '[';
}

void RowReader::skip_space() {
  for (; offset_ < text_.size() && is_space(text_[offset_]); ++offset_) line_ += text_[offset_] == '\n' ? 1 : 0;
}

void RowReader::fail(size_t offset, std::string_view reason) const {
  const int64_t line = 1 + newlines(text_.substr(0, offset));
  throw invalid_argument("{}:{}:{}: not valid JSON: {}", file_.path().string(), line, column_of(text_, offset), reason);
}

RawRow RowReader::take(size_t end) {
  const RawRow row{text_.substr(offset_, end - offset_), line_, static_cast<int64_t>(offset_)};
  line_ += newlines(row.text);
  offset_ = end;
  return row;
}

std::optional<RawRow> RowReader::next() {
  if (is_text_) return next_text_line();
  return is_array_ ? next_element() : next_line();
}

// What a line begins and ends with belongs to the text, but for the line's end.
std::optional<RawRow> RowReader::next_text_line() {
  while (offset_ < text_.size()) {
    const size_t line_end = std::min(text_.find('\n', offset_), text_.size());
    size_t end = line_end;
    if (end > offset_ && text_[end - 1] == '\r') --end;
    const RawRow row{text_.substr(offset_, end - offset_), line_, static_cast<int64_t>(offset_)};
    offset_ = std::min(line_end + 1, text_.size());
    ++line_;
    if (!std::all_of(row.text.begin(), row.text.end(), is_space)) return row;
  }
  return std::nullopt;
}

std::optional<RawRow> RowReader::next_line() {
  skip_space();
  if (offset_ >= text_.size()) return std::nullopt;
  size_t end = std::min(text_.find('\n', offset_), text_.size());
  while (is_space(text_[end - 1])) --end;
  return take(end);
}

size_t RowReader::element_end(size_t begin) const {
  int64_t depth = 0;
  for (size_t i = begin; i < text_.size(); ++i) {
    const char c = text_[i];
    if (c == '"') {
      i = string_end(text_, i);
      if (i == std::string_view::npos) break;
      if (depth == 0) return i;
      --i;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return i;
      if (--depth == 0) return i + 1;
    } else if (depth == 0 && (c == ',' || is_space(c))) {
      return i;
    }
  }
  fail(text_.size(), fmt::format("the file ends inside the row that begins at line {}", line_));
}

std::optional<RawRow> RowReader::next_element() {
  if (ended_) return std::nullopt;
  if (!begun_) ++offset_;  // the array's '['
  skip_space();
  if (offset_ >= text_.size()) fail(offset_, "the array of rows is not closed with ']'");
  const bool closes = text_[offset_] == ']';
  if (closes) {
    ended_ = true;
    ++offset_;
    skip_space();
    if (offset_ < text_.size()) fail(offset_, "there is more after the end of the array of rows");
    return std::nullopt;
  }
  if (begun_) {
    if (text_[offset_] != ',') fail(offset_, "expected ',' or ']' after a row");
    ++offset_;
    skip_space();
  }
  begun_ = true;
  const size_t end = offset_ < text_.size() ? element_end(offset_) : offset_;
  if (end == offset_) fail(offset_, "expected a row");
  return take(end);
}

bool is_json_in_text_file(const MappedFile& file) {
  if (!is_text_file(file)) return false;
  std::string_view text = file.text();
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto skip_space = [&] {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  };
  skip_space();
  if (text.starts_with('[')) {
    text.remove_prefix(1);
    skip_space();
  }
  if (!text.starts_with('{')) return false;
  text.remove_prefix(1);
  skip_space();
  return text.starts_with('"');
}

nlohmann::ordered_json parse_row(const MappedFile& file, const RawRow& row) {
  if (is_text_file(file)) return {{"text", std::string(row.text)}};
  const Shape shape = shape_of(row.text);
  if (shape.depth > kMaxDepth) throw RowError(fmt::format("is nested deeper than {} levels", kMaxDepth));
  try {
    nlohmann::ordered_json parsed = nlohmann::ordered_json::parse(row.text);
    if (count_keys(parsed) != shape.colons) {
      throw RowError(fmt::format("key '{}' appears twice in one object", find_duplicate_key(row.text)));
    }
    return parsed;
  } catch (const nlohmann::json::parse_error& error) {
    const size_t inside = std::min(error.byte > 0 ? error.byte - 1 : 0, row.text.size());
    const size_t offset = static_cast<size_t>(row.byte_offset) + inside;
    throw RowError(fmt::format("not valid JSON at line {}, column {}: {}",
                               row.line + newlines(row.text.substr(0, inside)), column_of(file.text(), offset),
                               reason_of(error)));
  } catch (const nlohmann::json::exception& error) {
    throw RowError(fmt::format("not valid JSON: {}", reason_of(error)));
  }
}

}  // namespace ftrun
