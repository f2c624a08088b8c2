// All on UTF-8; only white space and case need code points.
#include "core/jinja/text_edit.h"

#include <algorithm>

#include "core/jinja/budget.h"
#include "core/jinja/unicode_text.h"

namespace ftrun::jinja {
namespace {

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

std::vector<std::string> utf8_all(const std::vector<std::u32string>& parts) {
  std::vector<std::string> result;
  for (const auto& part : parts) result.push_back(to_utf8(part));
  return result;
}

}  // namespace

std::string stripped(std::string_view text, Side side, const std::optional<std::string>& characters) {
  const std::u32string points = code_points(text);
  const std::u32string set = characters ? code_points(*characters) : std::u32string();
  const auto goes = [&](char32_t c) { return characters ? set.find(c) != set.npos : is_space(c); };
  size_t begin = 0, end = points.size();
  while (side != Side::kRight && begin < end && goes(points[begin])) ++begin;
  while (side != Side::kLeft && begin < end && goes(points[end - 1])) --end;
  return to_utf8(std::u32string_view(points).substr(begin, end - begin));
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to, int64_t count) {
  std::string result;
  size_t at = 0;
  if (from.empty()) {  // between all characters
    for (const char32_t point : code_points(text)) {
      if (count != 0) result += to;
      if (count > 0) --count;
      result += to_utf8(point);
      check_text_size(result.size());
    }
    return count != 0 ? result + std::string(to) : result;
  }
  for (size_t found = 0; count != 0 && (found = text.find(from, at)) != text.npos; at = found + from.size()) {
    result += text.substr(at, found - at);
    result += to;
    check_text_size(result.size());
    if (count > 0) --count;
  }
  return result + std::string(text.substr(at));
}

std::vector<std::string> split_at_space(std::string_view text, int64_t most, bool from_right) {
  std::u32string points = code_points(text);
  if (from_right) std::ranges::reverse(points);
  std::vector<std::u32string> parts;
  size_t at = 0;
  while (true) {
    while (at < points.size() && is_space(points[at])) ++at;
    if (at == points.size()) break;
    size_t end = at;
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      end = points.size();
    } else {
      while (end < points.size() && !is_space(points[end])) ++end;
    }
    parts.push_back(points.substr(at, end - at));
    at = end;
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most + 1) break;
  }
  if (from_right) {
    for (auto& part : parts) std::ranges::reverse(part);
    std::ranges::reverse(parts);
  }
  return utf8_all(parts);
}

std::vector<std::string> split_at(std::string_view text, std::string_view separator, int64_t most, bool from_right) {
  std::vector<std::string> parts;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t found = from_right ? text.rfind(separator) : text.find(separator);
    if (found == text.npos) break;
    parts.emplace_back(from_right ? text.substr(found + separator.size()) : text.substr(0, found));
    text = from_right ? text.substr(0, found) : text.substr(found + separator.size());
  }
  parts.emplace_back(text);
  if (from_right) std::ranges::reverse(parts);
  return parts;
}

std::vector<std::string> split_lines(std::string_view text, bool keep_ends) {
  const std::u32string points = code_points(text);
  std::vector<std::u32string> lines;
  for (size_t at = 0; at < points.size();) {
    size_t end = at;
    while (end < points.size() && !is_line_end(points[end])) ++end;
    size_t next = std::min(end + 1, points.size());
    if (next < points.size() && points[end] == U'\r' && points[next] == U'\n') ++next;
    lines.push_back(points.substr(at, (keep_ends ? next : end) - at));
    at = next;
  }
  return utf8_all(lines);
}

std::string capitalized(std::string_view text) {
  const std::u32string points = code_points(text);
  if (points.empty()) return {};
  return to_utf8(title_of(points[0])) + to_utf8(lower(points).substr(lower(points.substr(0, 1)).size()));
}

}  // namespace ftrun::jinja
