// The groups as one table, and the keys that select plugins.
#include "core/config/host_options.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/config/host_option_tables.h"

namespace ftrun {
namespace {

/// Whose null is a value of its own; of every other key it means the default.
constexpr std::array<std::string_view, 1> kNullableKeys = {"enable_thinking"};

std::vector<OptionSpec> read_all() {
  struct Group {
    const char* name;
    std::span<const ftrun_option> options;
  };
  const std::array groups = {Group{"run", host_tables::run_options()},
                             Group{"model", host_tables::model_options()},
                             Group{"tuner", host_tables::tuner_options()},
                             Group{"data", host_tables::data_options()},
                             Group{"training", host_tables::optimizer_options()},
                             Group{"logging, evaluation and saving", host_tables::output_options()},
                             Group{"generation", host_tables::generation_options()},
                             Group{"export", host_tables::export_options()}};
  std::vector<OptionSpec> all;
  for (const Group& group : groups) {
    const ftrun_option_table table = {
        {sizeof(table), FTRUN_OPTION_TABLE_TAG}, group.options.size(), sizeof(ftrun_option), group.options.data()};
    for (OptionSpec& spec : read_option_table(&table, "host options", true)) {
      spec.group = group.name;
      spec.is_nullable = std::ranges::find(kNullableKeys, spec.key) != kNullableKeys.end();
      all.push_back(std::move(spec));
    }
  }
  return all;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kSelectors = {{{"stage", "paradigm"},
                                                                                      {"strategy", "strategy"},
                                                                                      {"device", "device"},
                                                                                      {"collectives", "collectives"},
                                                                                      {"network", "network"},
                                                                                      {"reward", "reward"}}};

}  // namespace

const std::vector<OptionSpec>& host_options() {
  static const std::vector<OptionSpec> kAll = read_all();
  return kAll;
}

const OptionSpec* find_host_option(std::string_view name) {
  for (const OptionSpec& spec : host_options()) {
    if (spec.has_name(name)) return &spec;
  }
  return nullptr;
}

std::string_view selector_key(std::string_view kind) {
  for (const auto& [key, selected] : kSelectors) {
    if (selected == kind) return key;
  }
  return {};
}

std::string_view kind_of_selector(std::string_view key) {
  for (const auto& [selector, kind] : kSelectors) {
    if (selector == key) return kind;
  }
  return {};
}

}  // namespace ftrun
