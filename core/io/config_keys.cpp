// Lookups and messages of configuration keys.
#include "core/io/config_keys.h"

#include <algorithm>

namespace ftrun {

const nlohmann::json* ConfigKeys::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string ConfigKeys::where(const char* key) const {
  const std::string quoted = fmt::format("\"{}\"", key);
  for (size_t at = text_.find(quoted); at != std::string_view::npos; at = text_.find(quoted, at + 1)) {
    const size_t next = text_.find_first_not_of(" \t\r\n", at + quoted.size());
    if (next == std::string_view::npos || text_[next] != ':') continue;
    const auto lines = std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    return fmt::format("{}:{}: key '{}'", file_.string(), lines + 1, key);
  }
  return fmt::format("{}: key '{}'", file_.string(), key);
}

Error ConfigKeys::wrong(const char* key, std::string_view expected) const {
  const nlohmann::json* value = find(key);
  std::string got = value == nullptr ? "nothing" : value->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (got.size() > 80) got.replace(77, std::string::npos, "...");
  return invalid_argument("{}: expected {}, got {}", where(key), expected, got);
}

std::optional<int64_t> ConfigKeys::integer(const char* key, int64_t minimum) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  const bool fits = value->is_number_unsigned() ? value->get<uint64_t>() <= uint64_t{INT64_MAX} : true;
  if (!value->is_number_integer() || !fits || value->get<int64_t>() < minimum) {
    throw wrong(key, fmt::format("an integer >= {}", minimum));
  }
  return value->get<int64_t>();
}

int64_t ConfigKeys::required_integer(const char* key, int64_t minimum) const {
  if (const std::optional<int64_t> value = integer(key, minimum)) return *value;
  throw wrong(key, fmt::format("an integer >= {}", minimum));
}

std::optional<double> ConfigKeys::number(const char* key, double minimum) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_number() || !(value->get<double>() >= minimum))
    throw wrong(key, fmt::format("a number >= {}", minimum));
  return value->get<double>();
}

std::optional<bool> ConfigKeys::boolean(const char* key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_boolean()) throw wrong(key, "true or false");
  return value->get<bool>();
}

std::optional<std::string> ConfigKeys::string(const char* key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) throw wrong(key, "a string");
  return value->get<std::string>();
}

std::vector<std::string> ConfigKeys::strings(const char* key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  const bool fits = value->is_array() && std::all_of(value->begin(), value->end(),
                                                     [](const nlohmann::json& each) { return each.is_string(); });
  if (!fits) throw wrong(key, "a list of strings");
  return value->get<std::vector<std::string>>();
}

void ConfigKeys::require_in_vocabulary(const char* key, int64_t id, std::optional<int64_t> vocab_size) const {
  if (!vocab_size || id < *vocab_size) return;
  throw wrong(key, fmt::format("ids below the vocab_size of config.json, {}", *vocab_size));
}

std::vector<int64_t> ConfigKeys::token_ids(const char* key, std::optional<int64_t> vocab_size) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return {};
  const auto is_id = [](const nlohmann::json& each) {
    return each.is_number_unsigned() && each.get<uint64_t>() <= uint64_t{INT32_MAX};
  };
  if (!is_id(*value) && !(value->is_array() && std::all_of(value->begin(), value->end(), is_id))) {
    throw wrong(key, "a token id or a list of token ids");
  }
  const auto ids = value->is_array() ? value->get<std::vector<int64_t>>() : std::vector{value->get<int64_t>()};
  for (const int64_t id : ids) require_in_vocabulary(key, id, vocab_size);
  return ids;
}

std::optional<int64_t> ConfigKeys::token_id_or_none(const char* key, std::optional<int64_t> vocab_size) const {
  const std::optional<int64_t> id = integer(key, -1);
  if (!id || *id < 0) return {};
  require_in_vocabulary(key, *id, vocab_size);
  return id;
}

}  // namespace ftrun
