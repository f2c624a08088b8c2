// Rules applied, values converted, nearest names found.
#include "sharding/foreign_keys.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ftrun/cpp/json_syntax.hpp"

namespace ftrun::sharding {
namespace {

const nlohmann::json kNull;

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

bool contains(std::string_view list, std::string_view wanted) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == wanted) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

nlohmann::json read_foreign_json(std::string_view text) {
  if (const auto fault = sdk::find_json_fault(text)) {
    const sdk::TextPosition at = sdk::position_in(text, fault->offset);
    const bool is_json = fault->kind == sdk::JsonFault::Kind::kRepeatedKey;
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, "line " + std::to_string(at.line) + ", column " +
                                                 std::to_string(at.column) + (is_json ? ": " : ": not valid JSON: ") +
                                                 fault->reason);
  }
  return nlohmann::json::parse(text);
}

std::string_view without_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.substr(0, kMark.size()) == kMark) return text.substr(kMark.size());
  const std::string_view encoding = sdk::other_encoding_of(text);
  if (encoding.empty()) return text;
  throw sdk::Error(FTRUN_INVALID_ARGUMENT, "the text is " + std::string(encoding) + ": save it as UTF-8");
}

std::string value_text(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (number == std::floor(number) && std::abs(number) < 1e15) return std::to_string(static_cast<int64_t>(number));
  }
  return value.dump();
}

std::string number_text(const nlohmann::json& value) {
  if (value.is_number()) return value_text(value);
  if (!value.is_string()) return {};
  const auto& written = value.get_ref<const std::string&>();
  const bool is_json = !written.empty() && (written[0] == '-' || (written[0] >= '0' && written[0] <= '9')) &&
                       !sdk::find_json_fault(written);
  return is_json ? value_text(nlohmann::json::parse(written)) : std::string();
}

std::string shown_text(const nlohmann::json& value) {
  const std::string shown = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return shown.size() <= 120 ? shown : shown.substr(0, 117) + "...";
}

bool is_unset(const nlohmann::json& value) {
  return value.is_null() || (value.is_string() && value.get_ref<const std::string&>() == "auto");
}

std::string nearest_rule(std::string_view key, std::span<const ForeignKeyRule> rules) {
  size_t best = std::max<size_t>(2, key.size() / 3) + 1;
  std::string_view found;
  for (const ForeignKeyRule& rule : rules) {
    const size_t distance = edit_distance(key, rule.key);
    if (distance < best) best = distance, found = rule.key;
  }
  return found.empty() ? std::string() : " (did you mean '" + std::string(found) + "'?)";
}

ForeignMap::ForeignMap(const nlohmann::json& map, std::string place) : map_(map), place_(std::move(place)) {
  if (map.is_object()) return;
  const std::string name = place_.empty() ? std::string("the file") : place_.substr(0, place_.size() - 1);
  throw sdk::Error(FTRUN_INVALID_ARGUMENT, name + ": expected a map of keys, got " + shown_text(map));
}

void ForeignMap::refuse(std::string_view key, const std::string& message) const {
  throw sdk::Error(FTRUN_INVALID_ARGUMENT, place_ + std::string(key) + ": " + message);
}

void ForeignMap::check(std::span<const ForeignKeyRule> rules, std::vector<std::string>& notes) const {
  for (const auto& [key, value] : map_.items()) {
    const auto rule = std::ranges::find(rules, key, &ForeignKeyRule::key);
    if (rule == rules.end()) refuse(key, "unknown key" + nearest_rule(key, rules));
    if (rule->kind == ForeignKeyRule::Kind::kMapped || is_unset(value)) continue;
    if (rule->kind == ForeignKeyRule::Kind::kIgnored) {
      notes.push_back(place_ + key);
    } else if (!contains(rule->accepted, value_text(value))) {
      refuse(key, value_text(value) + " is not supported" +
                      (rule->accepted.empty() ? std::string() : ", only " + std::string(rule->accepted)) + ": " +
                      std::string(rule->remedy));
    }
  }
}

const nlohmann::json& ForeignMap::get(std::string_view key) const {
  const auto found = map_.find(key);
  return found == map_.end() || is_unset(*found) ? kNull : *found;
}

bool ForeignMap::flag(std::string_view key, bool otherwise) const {
  const nlohmann::json& value = get(key);
  if (value.is_null()) return otherwise;
  if (value.is_boolean()) return value.get<bool>();
  const std::string written = value_text(value);
  if (written == "true" || written == "True") return true;
  if (written == "false" || written == "False") return false;
  refuse(key, "expected true or false, got " + shown_text(value));
}

std::string ForeignMap::number(std::string_view key) const {
  const nlohmann::json& value = get(key);
  if (value.is_null()) return {};
  std::string written = number_text(value);
  if (written.empty()) refuse(key, "expected a number or \"auto\", got " + shown_text(value));
  return written;
}

std::string ForeignMap::whole_number(std::string_view key) const {
  const nlohmann::json& value = get(key);
  if (value.is_null()) return {};
  std::string written = number_text(value);
  const bool digits = !written.empty() && std::ranges::all_of(written, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) {
    refuse(key, "expected a whole number from 0 to 10^15, or \"auto\", got " + shown_text(value));
  }
  return written;
}

std::string ForeignMap::text(std::string_view key) const {
  const nlohmann::json& value = get(key);
  return value.is_null() ? std::string() : value_text(value);
}

}  // namespace ftrun::sharding
