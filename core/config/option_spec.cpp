// Reading and checking option tables.
#include "core/config/option_spec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "core/base/error.h"
#include "core/config/option_value.h"

namespace ftrun {
namespace {

constexpr uint64_t kMaxOptions = 4096;
constexpr uint64_t kMaxTextBytes = 4096;
constexpr ftrun_option_flags kKnownFlags = FTRUN_OPTION_FLAT | FTRUN_OPTION_UNSET | FTRUN_OPTION_OF_HOST |
                                           FTRUN_OPTION_RANGE | FTRUN_OPTION_ABOVE_MIN | FTRUN_OPTION_BELOW_MAX |
                                           FTRUN_OPTION_MAY_BE_PATH;

std::string copy_text(ftrun_str text, std::string_view place) {
  if (text.size > kMaxTextBytes || (text.size > 0 && text.data == nullptr)) {
    throw invalid_argument("{}: a string of {} bytes{}", place, text.size, text.data == nullptr ? " at NULL" : "");
  }
  return text.size == 0 ? std::string() : std::string(text.data, text.size);
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> items;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    const size_t first = text.find_first_not_of(' ', begin);
    const size_t last = text.find_last_not_of(' ', comma - 1);
    if (first < comma && last >= first) items.push_back(text.substr(first, last - first + 1));
    begin = comma + 1;
  }
  return items;
}

bool is_key(std::string_view key, bool dotted) {
  const auto legal = [dotted](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || (dotted && c == '.');
  };
  return !key.empty() && key.front() >= 'a' && key.front() <= 'z' && std::ranges::all_of(key, legal);
}

std::string number_text(const OptionSpec& spec, double value) {
  return spec.type == FTRUN_OPTION_FLOAT ? fmt::format("{:g}", value) : fmt::format("{:.0f}", value);
}

std::string range_text(const OptionSpec& spec) {
  std::string text;
  if (std::isfinite(spec.min)) {
    text += fmt::format(" {} {}", (spec.flags & FTRUN_OPTION_ABOVE_MIN) != 0 ? ">" : ">=", number_text(spec, spec.min));
  }
  if (std::isfinite(spec.max)) {
    text += fmt::format("{} {} {}", text.empty() ? "" : " and",
                        (spec.flags & FTRUN_OPTION_BELOW_MAX) != 0 ? "<" : "<=", number_text(spec, spec.max));
  }
  return text;
}

OptionSpec read_option(const ftrun_option& option, std::string_view place) {
  OptionSpec spec;
  spec.key = copy_text(option.key, place);
  spec.aliases = split_list(copy_text(option.aliases, place));
  spec.type = option.type;
  spec.flags = option.flags;
  spec.default_text = copy_text(option.default_value, place);
  spec.min = option.min;
  spec.max = option.max;
  spec.choices = split_list(copy_text(option.choices, place));
  spec.doc = copy_text(option.doc, place);
  return spec;
}

void check_option(const OptionSpec& spec, std::string_view place, bool dotted_keys) {
  for (const std::string& name : spec.aliases) {
    if (!is_key(name, false)) throw invalid_argument("{}: alias '{}' is not [a-z][a-z0-9_]*", place, name);
  }
  if (!is_key(spec.key, dotted_keys)) throw invalid_argument("{}: key '{}' is not [a-z][a-z0-9_]*", place, spec.key);
  if (spec.type < FTRUN_OPTION_BOOL || spec.type > FTRUN_OPTION_BYTES) {
    throw invalid_argument("{}: unknown option type {}", place, spec.type);
  }
  if ((spec.flags & ~kKnownFlags) != 0) {
    throw invalid_argument("{}: unknown option flags {:#x}", place, spec.flags & ~kKnownFlags);
  }
  if (spec.doc.empty()) throw invalid_argument("{}: no doc line", place);
  if (!spec.choices.empty() && spec.type != FTRUN_OPTION_STRING && spec.type != FTRUN_OPTION_STRING_LIST) {
    throw invalid_argument("{}: choices of an option that is no string", place);
  }
  if ((spec.flags & FTRUN_OPTION_MAY_BE_PATH) != 0 && spec.type != FTRUN_OPTION_STRING &&
      spec.type != FTRUN_OPTION_STRING_LIST) {
    throw invalid_argument("{}: the flag MAY_BE_PATH of an option that is no string", place);
  }
  if (spec.has_range() && (std::isnan(spec.min) || std::isnan(spec.max) || spec.min > spec.max)) {
    throw invalid_argument("{}: an empty range from {} to {}", place, spec.min, spec.max);
  }
  try {
    default_value(spec);
  } catch (const Error& error) {
    throw invalid_argument("{}: its default does not fit: {}", place, error.what());
  }
}

}  // namespace

std::string OptionSpec::expectation() const {
  const std::string range = has_range() ? range_text(*this) : std::string();
  switch (type) {
    case FTRUN_OPTION_BOOL:
      return is_nullable ? "true, false or null" : "true or false";
    case FTRUN_OPTION_INT:
      return "an integer" + range;
    case FTRUN_OPTION_FLOAT:
      return "a number" + range;
    case FTRUN_OPTION_BYTES:
      return "bytes (an integer, or with KiB, MiB, GiB, KB, MB, GB)" + range;
    case FTRUN_OPTION_PATH:
      return "a path";
    case FTRUN_OPTION_STRING_LIST:
      return choices.empty() ? "a list" : fmt::format("a list of {}", fmt::join(choices, ", "));
    default:
      return choices.empty() ? "text" : fmt::format("one of {}", fmt::join(choices, ", "));
  }
}

std::vector<OptionSpec> read_option_table(const ftrun_option_table* table, std::string_view owner, bool dotted_keys) {
  std::vector<OptionSpec> specs;
  if (table == nullptr) return specs;
  const auto in_bounds = [](const ftrun_head& head, size_t least) {
    return head.struct_size >= least && head.struct_size <= FTRUN_STRUCT_SIZE_MAX && head.struct_size % 8 == 0;
  };
  if (table->head.tag != FTRUN_OPTION_TABLE_TAG || !in_bounds(table->head, sizeof(ftrun_option_table))) {
    throw invalid_argument("{}: its option table has tag {:#x} and size {}", owner, table->head.tag,
                           table->head.struct_size);
  }
  if (table->n_options > kMaxOptions || (table->n_options > 0 && table->options == nullptr) ||
      table->option_stride < sizeof(ftrun_option) || table->option_stride > FTRUN_STRUCT_SIZE_MAX ||
      table->option_stride % 8 != 0) {
    throw invalid_argument("{}: its option table claims {} options of {} bytes", owner, table->n_options,
                           table->option_stride);
  }
  std::set<std::string, std::less<>> names;
  for (uint64_t i = 0; i < table->n_options; ++i) {
    const auto* bytes = reinterpret_cast<const char*>(table->options) + i * table->option_stride;
    ftrun_option option;
    std::memcpy(&option, bytes, sizeof(option));
    std::string place = fmt::format("{}: option {}", owner, i);
    if (option.head.tag != FTRUN_OPTION_TAG || !in_bounds(option.head, sizeof(ftrun_option)) ||
        option.head.struct_size > table->option_stride) {
      throw invalid_argument("{} has tag {:#x} and size {}", place, option.head.tag, option.head.struct_size);
    }
    OptionSpec spec = read_option(option, place);
    place = fmt::format("{}: option '{}'", owner, spec.key);
    check_option(spec, place, dotted_keys);
    if (!names.insert(spec.key).second) throw invalid_argument("{} is declared twice", place);
    for (const std::string& alias : spec.aliases) {
      if (!names.insert(alias).second) throw invalid_argument("{}: alias '{}' is declared twice", place, alias);
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace ftrun
