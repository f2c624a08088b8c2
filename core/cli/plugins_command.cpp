// `ftrun plugins`: list (by notes, nothing is loaded), info (one plugin's options), check (a file's).
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/cli/command.h"
#include "core/cli/help.h"
#include "core/cli/plugin_check.h"
#include "core/config/host_options.h"
#include "core/plugin/open_plugins.h"

namespace ftrun {
namespace {

using nlohmann::json;

int list_plugins(const Registry& registry, bool as_json) {
  if (as_json) {
    json plugins = json::array();
    for (const PluginListing& listing : registry.listings()) {
      plugins.push_back({{"kind", listing.note.kind},
                         {"id", listing.note.id},
                         {"version", listing.note.version},
                         {"abi", fmt::format("{}.{}", listing.note.abi_major, listing.note.target_minor)},
                         {"file", listing.file.string()},
                         {"problem", listing.problem}});
    }
    json rejected = json::array();
    for (const RejectedFile& file : registry.rejected())
      rejected.push_back({{"file", file.file.string()}, {"problem", file.problem}});
    fmt::print("{}\n", json{{"plugins", plugins}, {"rejected", rejected}}.dump());
    return 0;
  }
  if (registry.listings().empty()) fmt::print("no plugin on the search path\n");
  for (const PluginListing& listing : registry.listings()) {
    fmt::print("{:<12} {:<16} {:<8} {}\n", listing.note.kind, listing.note.id, listing.note.version,
               listing.file.string());
    if (!listing.problem.empty()) fmt::print("{:<12} cannot be used: {}\n", "", listing.problem);
  }
  for (const RejectedFile& file : registry.rejected()) fmt::print("{:<12} {}\n", "no plugin", file.problem);
  return 0;
}

// "kind/id", or an id that only one kind has.
const Plugin& find_plugin(Registry& registry, const std::string& name) {
  if (const size_t slash = name.find('/'); slash != std::string::npos) {
    return registry.load(name.substr(0, slash), name.substr(slash + 1));
  }
  std::vector<std::string> kinds;
  std::vector<std::string> known;
  for (const PluginListing& listing : registry.listings()) {
    known.push_back(listing.note.id);
    const bool is_new = std::ranges::find(kinds, listing.note.kind) == kinds.end();
    if (listing.note.id == name && is_new) kinds.push_back(listing.note.kind);
  }
  if (kinds.empty()) {
    throw not_found("unknown plugin '{}'{}; known: {}", name, did_you_mean(name, known),
                    known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", ")));
  }
  if (kinds.size() > 1) {
    throw invalid_argument("several plugins are called '{}': write KIND/{} with one of the kinds {}", name, name,
                           fmt::join(kinds, ", "));
  }
  return registry.load(kinds.front(), name);
}

json describe_options(const Plugin& plugin) {
  json options = json::array();
  for (const OptionSpec& spec : plugin.options()) {
    options.push_back({{"key", spec.key},
                       {"aliases", spec.aliases},
                       {"expected", spec.expectation()},
                       {"default", spec.has_default() ? json(spec.default_text) : json()},
                       {"in_map", !spec.is_flat()},
                       {"changes_host_key", spec.is_of_host()},
                       {"doc", spec.doc}});
  }
  return options;
}

int plugin_info(const Plugin& plugin, bool as_json) {
  const PluginNote& note = plugin.note();
  const std::string abi = fmt::format("{}.{}", note.abi_major, note.target_minor);
  if (as_json) {
    json info = {{"kind", plugin.kind()},
                 {"id", plugin.id()},
                 {"version", plugin.version()},
                 {"doc", plugin.doc()},
                 {"abi", abi},
                 {"file", plugin.file().string()},
                 {"options", describe_options(plugin)},
                 {"absent_functions", plugin.absent_slots()}};
    if (plugin.kind() == FTRUN_KIND_NETWORK) info["architectures"] = plugin.architectures();
    fmt::print("{}\n", info.dump());
    return 0;
  }
  fmt::print("{} '{}' {}: {}\n  file      {}\n  ABI       {}\n", plugin.kind(), plugin.id(), plugin.version(),
             plugin.doc(), plugin.file().string(), abi);
  if (plugin.kind() == FTRUN_KIND_NETWORK) fmt::print("  networks  {}\n", fmt::join(plugin.architectures(), ", "));
  if (!plugin.absent_slots().empty()) fmt::print("  without   {}\n", fmt::join(plugin.absent_slots(), ", "));
  const std::string selector(selector_key(plugin.kind()));
  if (plugin.options().empty()) {
    fmt::print("\nno options\n");
  } else {
    fmt::print("\nOptions (default)\n{}", options_help(plugin.options(), selector + "."));
  }
  return 0;
}

}  // namespace

int plugins_command(const CommandContext& context) {
  const std::vector<std::string>& words = context.positional;
  const std::string action = words.empty() ? "list" : words.front();
  if (action == "check" && words.size() == 2) return check_plugin_file(words[1], context.json);
  if (action == "list" && words.size() <= 1)
    return list_plugins(open_tool_registry(context.override_arguments), context.json);
  if (action == "info" && words.size() == 2) {
    Registry registry = open_tool_registry(context.override_arguments);
    return plugin_info(find_plugin(registry, words[1]), context.json);
  }
  static const std::vector<std::string> kActions = {"list", "info", "check"};
  throw invalid_argument("cannot understand 'plugins {}'{}; expected: ftrun plugins [list | info NAME | check FILE]",
                         fmt::join(words, " "),
                         did_you_mean(action, kActions) == fmt::format(" (did you mean '{}'?)", action)
                             ? std::string()
                             : did_you_mean(action, kActions));
}

}  // namespace ftrun
