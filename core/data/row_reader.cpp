// A structural scan: strings and brackets only, so that the extent and line of each row are known before it is parsed.
#include "core/data/row_reader.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/utf8_text.h"
#include "core/data/conversation.h"
#include "ftrun/cpp/json_syntax.hpp"

namespace ftrun {
namespace {

constexpr size_t kMaxKeys = 5000;  // of one object: columns are named by people
constexpr std::string_view kNotWholeLine =
    "the row is not whole where its line ends: expected one row per line, or an array of rows in [ ]";

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

/// Keys of the object that has most of them, in a text without a fault.
size_t most_keys_of_an_object(std::string_view json) {
  std::vector<size_t> open = {0};  // of the lists and objects around
  size_t most = 0;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') {
      i = string_end(json, i) - 1;
    } else if (c == '{' || c == '[') {
      open.push_back(0);
    } else if (c == '}' || c == ']') {
      open.pop_back();
    } else if (c == ':') {
      most = std::max(most, ++open.back());
    }
  }
  return most;
}

int64_t newlines(std::string_view text) { return std::count(text.begin(), text.end(), '\n'); }

int64_t column_of(std::string_view text, size_t offset) {
  const size_t before = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  return static_cast<int64_t>(before == std::string_view::npos ? offset + 1 : offset - before);
}

/// A line of plain text as it stands.
std::string text_of_line(const RawRow& row) {
  const size_t zero = std::min(row.text.find('\0'), row.text.size());
  const size_t good = well_formed_prefix(row.text.substr(0, zero));
  if (good < zero) {
    throw RowError(fmt::format("not UTF-8: byte 0x{:02X} at column {}: save the file as UTF-8",
                               static_cast<unsigned char>(row.text[good]), good + 1));
  }
  if (zero < row.text.size()) {
    throw RowError(fmt::format("a zero byte at column {}: is this a text in UTF-8?", zero + 1));
  }
  return std::string(row.text);
}

bool is_text_file(const MappedFile& file) { return file.path().extension() == ".txt"; }

}  // namespace

std::string row_place(std::string_view file, int64_t line, int64_t element) {
  return element > 0 ? fmt::format("{}:{} (row {})", file, line, element) : fmt::format("{}:{}", file, line);
}

RowReader::RowReader(const MappedFile& file) : file_(file), text_(file.text()), is_text_(is_text_file(file)) {
  if (const std::string_view encoding = sdk::other_encoding_of(text_); !encoding.empty())
    throw invalid_argument("{}:1: the file is {}: save it as UTF-8", file.path().string(), encoding);
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
  const RawRow row{text_.substr(offset_, end - offset_), line_, static_cast<int64_t>(offset_), 0};
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
    const RawRow row{text_.substr(offset_, end - offset_), line_, static_cast<int64_t>(offset_), 0};
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

/// Whether the line of the row that was just taken holds the begin of another one.
bool RowReader::more_follows_on_line() const {
  size_t at = offset_;
  while (at < text_.size() && text_[at] != '\n' && (is_space(text_[at]) || text_[at] == ',')) ++at;
  return at < text_.size() && text_[at] != '\n' && text_[at] != ']';
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
  RawRow row = take(end);
  ++elements_;
  if (row.line == last_row_line_ || (row.line == line_ && more_follows_on_line())) row.element = elements_;
  last_row_line_ = line_;
  return row;
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
  if (is_text_file(file)) return {{"text", text_of_line(row)}};
  const auto fault = sdk::find_json_fault(row.text);
  if (!fault) {
    // The library looks through all keys of an object for each new one.
    if (row.text.size() > kMaxKeys && most_keys_of_an_object(row.text) > kMaxKeys) {
      throw RowError(fmt::format("an object with more than {} keys", kMaxKeys));
    }
    return nlohmann::ordered_json::parse(row.text);
  }
  if (fault->kind == sdk::JsonFault::Kind::kRepeatedKey) throw RowError(fault->reason);
  const size_t inside = std::min(fault->offset, row.text.size());
  const size_t offset = static_cast<size_t>(row.byte_offset) + inside;
  // A row inside an array has been seen to be whole.
  const bool goes_on = fault->kind == sdk::JsonFault::Kind::kEnd && offset < file.text().size();
  throw RowError(fmt::format("not valid JSON at line {}, column {}: {}",
                             row.line + newlines(row.text.substr(0, inside)), column_of(file.text(), offset),
                             goes_on ? kNotWholeLine : fault->reason));
}

}  // namespace ftrun
