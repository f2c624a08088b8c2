// Line by line.
#include "sharding/flat_yaml.h"

#include <string>

#include "ftrun/cpp/json_syntax.hpp"
#include "ftrun/cpp/plugin.hpp"

namespace ftrun::sharding {
namespace {

/// One line without comment and surrounding blanks.
struct Line {
  size_t number = 0;
  size_t indent = 0;
  std::string_view text;
};

[[noreturn]] void refuse(const Line& line, const std::string& message) {
  throw sdk::Error(FTRUN_INVALID_ARGUMENT, "line " + std::to_string(line.number) + ": " + message);
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Cuts a comment off: a '#' at the start or after a blank, outside of quotes.
std::string_view without_comment(std::string_view text) {
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == quote) quote = 0;
    } else if (text[i] == '\'' || text[i] == '"') {
      quote = text[i];
    } else if (text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t')) {
      return text.substr(0, i);
    }
  }
  return text;
}

nlohmann::json scalar(const Line& line, std::string_view text) {
  if (text.front() == '\'' || text.front() == '"') {
    if (text.size() < 2 || text.back() != text.front()) refuse(line, "a quote is not closed");
    return std::string(text.substr(1, text.size() - 2));
  }
  if (text == "[]") return nlohmann::json::array();
  if (text == "null" || text == "~") return nullptr;
  if (text == "true" || text == "True") return true;
  if (text == "false" || text == "False") return false;
  if (text.find('\0') != std::string_view::npos) refuse(line, "a zero byte: is this a text in UTF-8?");
  const bool is_json = !sdk::find_json_fault(text);
  if (std::string_view("[{&*!|>%@`-").find(text.front()) != std::string_view::npos && !is_json) {
    refuse(line, "'" + std::string(text) + "': expected a plain value");
  }
  if (is_json) {
    nlohmann::json value = nlohmann::json::parse(text);
    if (value.is_number()) return value;
    refuse(line, "'" + std::string(text) + "': expected a plain value");
  }
  return std::string(text);
}

class Reader {
 public:
  void add(const Line& line) {
    const size_t colon = line.text.find(':');
    const bool has_value = colon != std::string_view::npos && colon + 1 < line.text.size();
    if (colon == std::string_view::npos || colon == 0 || (has_value && line.text[colon + 1] != ' ')) {
      refuse(line, "expected 'key: value', got '" + std::string(line.text) + "'");
    }
    if (line.indent == 0) section_.clear();
    if (line.indent > 0 && section_.empty()) refuse(line, "indented without a map above it");
    if (line.indent > 0 && indent_ != 0 && line.indent != indent_) refuse(line, "maps may be nested one level deep");
    if (line.indent > 0) indent_ = line.indent;
    nlohmann::json& map = line.indent == 0 ? root_ : root_[section_];
    if (map.is_null()) map = nlohmann::json::object();
    const std::string key(trimmed(line.text.substr(0, colon)));
    if (map.contains(key)) refuse(line, key + " is given twice");
    const std::string_view value = trimmed(line.text.substr(colon + 1));
    map[key] = value.empty() ? nlohmann::json() : scalar(line, value);
    if (line.indent == 0 && value.empty()) section_ = key, indent_ = 0;
  }
  nlohmann::json take() { return std::move(root_); }

 private:
  nlohmann::json root_ = nlohmann::json::object();
  std::string section_;  ///< key of the open map, "" where there is none
  size_t indent_ = 0;    ///< of its entries
};

}  // namespace

nlohmann::json read_flat_yaml(std::string_view text) {
  Reader reader;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view whole = without_comment(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view content = trimmed(whole);
    if (content.empty() || content == "---") continue;
    const Line line = {number, whole.find_first_not_of(' '), content};
    if (whole.find('\t') < whole.find_first_not_of(" \t")) refuse(line, "indented with a tab");
    reader.add(line);
  }
  return reader.take();
}

}  // namespace ftrun::sharding
