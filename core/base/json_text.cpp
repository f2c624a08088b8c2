// Wraps the library's parser: position of the error as line and column, duplicate keys refused.
#include "core/base/json_text.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"

namespace ftrun {
namespace {

struct Position {
  size_t line;
  size_t column;
};

Position position_of(std::string_view text, size_t offset, size_t first_line) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto lines = static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  const size_t line_start = before.rfind('\n');
  return {first_line + lines, line_start == std::string_view::npos ? before.size() + 1 : before.size() - line_start};
}

/// Offset of the n-th (from 0) `"key"` that is a key and not a value, or npos.
size_t offset_of_key(std::string_view text, std::string_view key, size_t n) {
  for (size_t begin = text.find('"'); begin != std::string_view::npos; begin = text.find('"', begin)) {
    size_t end = begin + 1;
    while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
    const size_t next = text.find_first_not_of(" \t\r\n", std::min(end + 1, text.size()));
    const bool is_key = next != std::string_view::npos && text[next] == ':';
    if (is_key && text.substr(begin + 1, end - begin - 1) == key && n-- == 0) return begin;
    begin = end + 1;
  }
  return std::string_view::npos;
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file, bool refuse_duplicate_keys,
                          size_t first_line) {
  using Json = nlohmann::json;
  std::vector<std::set<std::string>> keys;
  std::string duplicate;
  std::map<std::string, size_t> seen;  // how often each key was met, in all objects
  size_t occurrence = 0;               // of the duplicate
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const std::string& key = parsed.get_ref<const std::string&>();
      const size_t before = seen[key]++;
      if (!keys.back().insert(key).second && duplicate.empty()) {
        duplicate = key;
        occurrence = before;
      }
    }
    return true;
  };
  try {
    Json result = refuse_duplicate_keys ? Json::parse(text, watch) : Json::parse(text);
    if (!duplicate.empty()) {
      const size_t offset = offset_of_key(text, duplicate, occurrence);
      const std::string line = offset == std::string_view::npos
                                   ? std::string()  // the key is written with escapes
                                   : fmt::format(":{}", position_of(text, offset, first_line).line);
      throw invalid_argument("{}{}: not valid: key '{}' appears twice in one object", file.string(), line, duplicate);
    }
    return result;
  } catch (const Json::parse_error& error) {
    const Position at = position_of(text, error.byte > 0 ? error.byte - 1 : 0, first_line);
    std::string reason = error.what();
    const size_t detail = reason.rfind(": ");
    if (detail != std::string::npos) reason = reason.substr(detail + 2);
    throw invalid_argument("{}:{}:{}: not valid JSON: {}", file.string(), at.line, at.column, reason);
  } catch (const Json::exception& error) {
    throw invalid_argument("{}: not valid JSON: {}", file.string(), error.what());
  }
}

nlohmann::json read_json_file(const std::filesystem::path& path) { return parse_json(read_file(path), path); }

}  // namespace ftrun
