// Typed access to config.json: validation and messages.
#include "decoder/config_reader.h"

#include <algorithm>
#include <cmath>

#include "ftrun/cpp/json_syntax.hpp"

namespace ftrun::decoder {
namespace {

const nlohmann::json& empty_object() {
  static const nlohmann::json object = nlohmann::json::object();
  return object;
}

/// Line of the first `"key"` followed by a colon, or 0: the parser keeps no positions.
int64_t line_of_key(std::string_view text, std::string_view key) {
  const std::string quoted = '"' + std::string(key) + '"';
  for (size_t at = text.find(quoted); at != std::string_view::npos; at = text.find(quoted, at + 1)) {
    const size_t colon = text.find_first_not_of(" \t\r\n", at + quoted.size());
    if (colon != std::string_view::npos && text[colon] == ':') {
      return 1 + std::count(text.begin(), text.begin() + static_cast<int64_t>(at), '\n');
    }
  }
  return 0;
}

}  // namespace

const nlohmann::json* ConfigReader::find(std::string_view key) const {
  const auto it = config_.find(key);
  return it == config_.end() || it->is_null() ? nullptr : &*it;
}

bool ConfigReader::has(std::string_view key) const { return find(key) != nullptr; }

void ConfigReader::refuse(std::string_view key, std::string_view expected) const {
  std::string message = path_;
  // A key that is missing has the line of the object that lacks it.
  const bool is_missing = config_.find(key) == config_.end();
  const std::string_view object = std::string_view(prefix_).substr(0, prefix_.empty() ? 0 : prefix_.size() - 1);
  const std::string_view shown_key = is_missing ? object.substr(object.rfind('.') + 1) : key;
  if (const int64_t line = shown_key.empty() ? 0 : line_of_key(text_, shown_key); line > 0) {
    message += ':' + std::to_string(line);
  }
  message += ": key '" + prefix_ + std::string(key) + "': expected " + std::string(expected) + ", got ";
  const nlohmann::json* value = find(key);
  std::string shown =
      value == nullptr ? "nothing" : value->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (shown.size() > 120) shown = shown.substr(0, 117) + "...";
  throw sdk::Error(FTRUN_INVALID_ARGUMENT, message + shown);
}

int64_t ConfigReader::positive(std::string_view key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr || !value->is_number_integer() || *value < 1 || *value > INT32_MAX) {
    refuse(key, "an integer from 1 to 2147483647");
  }
  return value->get<int64_t>();
}

int64_t ConfigReader::positive_or(std::string_view key, int64_t absent) const {
  return has(key) ? positive(key) : absent;
}

double ConfigReader::positive_number(std::string_view key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr || !value->is_number()) refuse(key, "a number above 0");
  const auto number = value->get<double>();
  if (!(number > 0) || !std::isfinite(number)) refuse(key, "a number above 0");
  return number;
}

double ConfigReader::positive_number_or(std::string_view key, double absent) const {
  return has(key) ? positive_number(key) : absent;
}

bool ConfigReader::boolean_or(std::string_view key, bool absent) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return absent;
  if (!value->is_boolean()) refuse(key, "true or false");
  return value->get<bool>();
}

std::string ConfigReader::text_or(std::string_view key, std::string_view absent) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return std::string(absent);
  if (!value->is_string()) refuse(key, "a text");
  return value->get<std::string>();
}

ConfigReader ConfigReader::object(std::string_view key) const {
  const nlohmann::json* value = find(key);
  if (value != nullptr && !value->is_object()) refuse(key, "an object");
  const std::string prefix = prefix_ + std::string(key) + '.';
  return {value == nullptr ? empty_object() : *value, text_, path_, prefix};
}

nlohmann::json parse_config(std::string_view text, std::string_view path) {
  if (const auto fault = sdk::find_json_fault(text)) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, std::string(path) + ':' + fault->message(text));
  }
  nlohmann::json config = nlohmann::json::parse(text);
  if (config.is_object()) return config;
  throw sdk::Error(FTRUN_INVALID_ARGUMENT, std::string(path) + ": expected a JSON object at the top");
}

}  // namespace ftrun::decoder
