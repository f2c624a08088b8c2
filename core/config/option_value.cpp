// Conversion of raw values and access to resolved ones.
#include "core/config/option_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/base/path_text.h"

namespace ftrun {
namespace {

Error wrong(const OptionSpec& spec, const SettingValue& value, std::string_view hint = "") {
  return invalid_argument("{}: {}: expected {}, got {}{}", value.origin, spec.key, spec.expectation(),
                          value.description(), hint);
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Digits grouped as 1_000 are YAML 1.1; a lone or doubled underscore is a typo.
std::string without_grouping(const std::string& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
    if (text[i] == '_' && i > 0 && digit(i - 1) && digit(i + 1)) continue;
    result += text[i];
  }
  return result;
}

bool parse_bool(const OptionSpec& spec, const SettingValue& value) {
  static constexpr std::array kTrue = {"true", "yes", "on", "y", "t", "1"};
  static constexpr std::array kFalse = {"false", "no", "off", "n", "f", "0"};
  const std::string text = lower(value.scalar);
  if (std::ranges::find(kTrue, text) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, text) != kFalse.end()) return false;
  throw wrong(spec, value);
}

void check_range(const OptionSpec& spec, const SettingValue& value, double number) {
  if (!spec.has_range()) return;
  const bool low = (spec.flags & FTRUN_OPTION_ABOVE_MIN) != 0 ? number <= spec.min : number < spec.min;
  const bool high = (spec.flags & FTRUN_OPTION_BELOW_MAX) != 0 ? number >= spec.max : number > spec.max;
  if (low || high) throw wrong(spec, value);
}

int64_t parse_integer(const OptionSpec& spec, const SettingValue& value, std::string text) {
  text = without_grouping(text);
  const size_t sign = text.starts_with('+') ? 1 : 0;
  const size_t first_digit = text.starts_with('-') ? 1 : sign;
  const auto digit = [&](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
  if (!digit(first_digit)) throw wrong(spec, value);
  if (text[first_digit] == '0' && digit(first_digit + 1)) throw wrong(spec, value, " (leading zero)");
  int64_t result = 0;
  const auto [end, code] = std::from_chars(text.data() + sign, text.data() + text.size(), result);
  if (code == std::errc::result_out_of_range) throw wrong(spec, value, " (beyond 64 bits)");
  if (code != std::errc() || end != text.data() + text.size()) throw wrong(spec, value);
  return result;
}

double parse_float(const OptionSpec& spec, const SettingValue& value) {
  const std::string text = without_grouping(value.scalar);
  const size_t sign = text.starts_with('+') ? 1 : 0;
  double result = 0;
  const auto [end, code] = std::from_chars(text.data() + sign, text.data() + text.size(), result);
  if (code == std::errc::result_out_of_range) throw wrong(spec, value, " (beyond a 64-bit float)");
  if (code != std::errc() || end != text.data() + text.size() || !std::isfinite(result) ||
      (sign == 1 && text.starts_with("+-"))) {
    throw wrong(spec, value);
  }
  return result;
}

int64_t parse_bytes(const OptionSpec& spec, const SettingValue& value) {
  struct Suffix {
    const char* name;
    int64_t factor;
  };
  static constexpr std::array kSuffixes = {Suffix{"kib", 1LL << 10}, Suffix{"mib", 1LL << 20},
                                           Suffix{"gib", 1LL << 30}, Suffix{"kb", 1'000},
                                           Suffix{"mb", 1'000'000},  Suffix{"gb", 1'000'000'000}};
  const size_t digits = value.scalar.find_last_of("0123456789");
  std::string suffix = digits == std::string::npos ? "?" : lower(value.scalar.substr(digits + 1));
  std::erase(suffix, ' ');
  int64_t factor = 1;
  if (!suffix.empty()) {
    const auto found = std::ranges::find_if(kSuffixes, [&](const Suffix& known) { return suffix == known.name; });
    if (found == kSuffixes.end()) throw wrong(spec, value);
    factor = found->factor;
  }
  const int64_t number = parse_integer(spec, value, value.scalar.substr(0, digits + 1));
  if (number > std::numeric_limits<int64_t>::max() / factor || number < 0) throw wrong(spec, value);
  return number * factor;
}

void check_choice(const OptionSpec& spec, const SettingValue& value, const std::string& text) {
  if (spec.choices.empty() || std::ranges::find(spec.choices, text) != spec.choices.end()) return;
  throw wrong(spec, value, did_you_mean(text, spec.choices));
}

std::vector<std::string> parse_list(const OptionSpec& spec, const SettingValue& value) {
  std::vector<std::string> items;
  if (value.kind == SettingValue::Kind::kList) {
    for (const SettingValue& item : value.items) {
      if (item.kind != SettingValue::Kind::kScalar) throw wrong(spec, item);
      items.push_back(item.scalar);
    }
  } else {
    size_t begin = 0;
    while (begin <= value.scalar.size()) {
      const size_t comma = std::min(value.scalar.find(',', begin), value.scalar.size());
      std::string item = value.scalar.substr(begin, comma - begin);
      item.erase(0, item.find_first_not_of(" \t"));
      item.erase(item.find_last_not_of(" \t") + 1);
      if (!item.empty()) items.push_back(std::move(item));
      begin = comma + 1;
    }
  }
  for (const std::string& item : items) check_choice(spec, value, item);
  return items;
}

// Once the value is whole: what it may have been (null, true, a name) has been told by what was written.
void expand_paths(const OptionSpec& spec, OptionValue& value) {
  if (!spec.holds_paths()) return;
  const auto expand = [&](std::string& text) {
    // Of several lines it is the content of a file, given in its place.
    const bool is_path = spec.type == FTRUN_OPTION_PATH || text.find('\n') == std::string::npos;
    if (is_path) text = expand_path(text, value.origin + ": " + spec.key);
  };
  expand(value.text);
  for (std::string& item : value.items) expand(item);
}

void fill(const OptionSpec& spec, const SettingValue& value, OptionValue& result) {
  switch (spec.type) {
    case FTRUN_OPTION_BOOL:
      result.as_bool = parse_bool(spec, value);
      break;
    case FTRUN_OPTION_INT:
      result.as_int = parse_integer(spec, value, value.scalar);
      check_range(spec, value, static_cast<double>(result.as_int));
      break;
    case FTRUN_OPTION_BYTES:
      result.as_int = parse_bytes(spec, value);
      check_range(spec, value, static_cast<double>(result.as_int));
      break;
    case FTRUN_OPTION_FLOAT:
      result.as_float = parse_float(spec, value);
      check_range(spec, value, result.as_float);
      break;
    case FTRUN_OPTION_PATH:
      if (value.scalar.empty()) throw wrong(spec, value);
      break;
    default:
      check_choice(spec, value, value.scalar);
  }
}

std::string_view type_name(ftrun_option_type type) {
  static constexpr std::string_view kNames[] = {"a boolean", "an integer", "a number", "text",
                                                "a list",    "a path",     "bytes"};
  return type >= 0 && type < static_cast<int>(std::size(kNames)) ? kNames[type] : "unknown";
}

}  // namespace

OptionValue default_value(const OptionSpec& spec) {
  if (!spec.has_default()) {
    OptionValue value;
    value.type = spec.type;
    return value;
  }
  SettingValue text;
  text.kind = SettingValue::Kind::kScalar;
  text.scalar = spec.default_text;
  text.origin = "default";
  OptionValue value = convert_value(spec, text);
  value.source = ValueSource::kDefault;
  return value;
}

OptionValue convert_value(const OptionSpec& spec, const SettingValue& value) {
  if (value.kind == SettingValue::Kind::kNull && !spec.is_nullable) return default_value(spec);
  if (value.kind == SettingValue::Kind::kMap) throw wrong(spec, value);
  OptionValue result;
  result.type = spec.type;
  result.origin = value.origin;
  result.source = value.origin.starts_with("--") ? ValueSource::kCommandLine : ValueSource::kFile;
  if (value.kind == SettingValue::Kind::kNull) {
    result.is_null = true;
    return result;
  }
  result.is_set = true;
  if (spec.type == FTRUN_OPTION_STRING_LIST) {
    result.items = parse_list(spec, value);
    expand_paths(spec, result);
    return result;
  }
  if (value.kind != SettingValue::Kind::kScalar) throw wrong(spec, value);
  const bool is_text =
      spec.type == FTRUN_OPTION_STRING || spec.type == FTRUN_OPTION_PATH || spec.type == FTRUN_OPTION_BYTES;
  if (value.quoted && !is_text) throw wrong(spec, value, ": remove the quotes");
  result.text = value.scalar;
  fill(spec, value, result);
  expand_paths(spec, result);
  return result;
}

std::string value_text(const OptionValue& value) {
  if (value.is_null) return "null";
  if (!value.is_set) return "(unset)";
  if (value.type == FTRUN_OPTION_BOOL) return value.as_bool ? "true" : "false";
  if (value.type == FTRUN_OPTION_STRING_LIST) return fmt::format("{}", fmt::join(value.items, ","));
  return value.text;
}

const OptionValue* OptionValues::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

bool OptionValues::is_set(std::string_view key) const {
  const OptionValue* value = find(key);
  if (value == nullptr) throw internal_error("no option '{}' in this table", key);
  return value->is_set;
}

bool OptionValues::is_given(std::string_view key) const {
  const OptionValue* value = find(key);
  if (value == nullptr) throw internal_error("no option '{}' in this table", key);
  return value->source == ValueSource::kFile || value->source == ValueSource::kCommandLine;
}

const OptionValue& OptionValues::require(std::string_view key, ftrun_option_type type) const {
  const OptionValue* value = find(key);
  if (value == nullptr) throw internal_error("no option '{}' in this table", key);
  const auto storage = [](ftrun_option_type of) {
    if (of == FTRUN_OPTION_BYTES) return FTRUN_OPTION_INT;
    return of == FTRUN_OPTION_PATH ? FTRUN_OPTION_STRING : of;
  };
  if (storage(value->type) != storage(type)) {
    throw internal_error("option '{}' is {}, not {}", key, type_name(value->type), type_name(type));
  }
  if (!value->is_set) {
    throw invalid_argument("{} is not set: write '{}: VALUE' in the configuration or pass --{} VALUE", key, key, key);
  }
  return *value;
}

bool OptionValues::get_bool(std::string_view key) const { return require(key, FTRUN_OPTION_BOOL).as_bool; }
int64_t OptionValues::get_int(std::string_view key) const { return require(key, FTRUN_OPTION_INT).as_int; }
double OptionValues::get_float(std::string_view key) const { return require(key, FTRUN_OPTION_FLOAT).as_float; }
const std::string& OptionValues::get_string(std::string_view key) const {
  return require(key, FTRUN_OPTION_STRING).text;
}
const std::vector<std::string>& OptionValues::get_list(std::string_view key) const {
  static const std::vector<std::string> kEmpty;
  const OptionValue* value = find(key);
  if (value != nullptr && value->type == FTRUN_OPTION_STRING_LIST && !value->is_set) return kEmpty;
  return require(key, FTRUN_OPTION_STRING_LIST).items;
}
std::optional<bool> OptionValues::find_bool(std::string_view key) const {
  return is_set(key) ? std::optional(get_bool(key)) : std::nullopt;
}
std::optional<int64_t> OptionValues::find_int(std::string_view key) const {
  return is_set(key) ? std::optional(get_int(key)) : std::nullopt;
}
std::optional<double> OptionValues::find_float(std::string_view key) const {
  return is_set(key) ? std::optional(get_float(key)) : std::nullopt;
}
std::optional<std::string> OptionValues::find_string(std::string_view key) const {
  return is_set(key) ? std::optional(get_string(key)) : std::nullopt;
}
const std::string& OptionValues::origin(std::string_view key) const {
  const OptionValue* value = find(key);
  if (value == nullptr) throw internal_error("no option '{}' in this table", key);
  return value->origin;
}

void OptionValues::set(std::string key, OptionValue value) {
  values_.insert_or_assign(std::move(key), std::move(value));
}

}  // namespace ftrun
