// Looks a filter up in the tables.
#include "core/jinja/filters.h"

#include <algorithm>
#include <array>
#include <set>

namespace ftrun::jinja {
namespace {

using TableGetter = const FilterTable& (*)();
constexpr std::array<TableGetter, 4> kTables = {text_filters, sequence_filters, selection_filters, value_filters};

}  // namespace

Filter find_filter(std::string_view name) {
  for (const TableGetter table : kTables)
    if (const auto found = table().find(name); found != table().end()) return found->second;
  return nullptr;
}

bool is_unsupported_filter(std::string_view name) {
  static const std::set<std::string_view> kNames = {
      "batch",     "e",        "escape",    "filesizeformat", "forceescape", "groupby",  "pprint",  "random", "slice",
      "striptags", "truncate", "urlencode", "urlize",         "wordcount",   "wordwrap", "xmlattr", "attr"};
  return kNames.contains(name);
}

std::vector<std::string> filter_names() {
  std::vector<std::string> names;
  for (const TableGetter table : kTables)
    for (const auto& [name, filter] : table()) names.emplace_back(name);
  std::ranges::sort(names);
  return names;
}

}  // namespace ftrun::jinja
