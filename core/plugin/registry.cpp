// Scans the search path and loads on demand.
#include "core/plugin/registry.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/plugin/loader.h"
#include "core/plugin/plugin_safety.h"

namespace ftrun {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKinds[] = {FTRUN_KIND_PARADIGM,    FTRUN_KIND_STRATEGY, FTRUN_KIND_DEVICE,
                                  FTRUN_KIND_COLLECTIVES, FTRUN_KIND_NETWORK,  FTRUN_KIND_REWARD};

void add_path(std::vector<fs::path>& paths, const fs::path& path, std::string_view given_by) {
  std::error_code code;
  const fs::path absolute = fs::canonical(path, code);
  if (code) {
    throw not_found("{}: '{}' ({}): expected a plugin library or a folder of them", given_by, path.string(),
                    code.message());
  }
  if (std::ranges::find(paths, absolute) == paths.end()) paths.push_back(absolute);
}

std::vector<fs::path> install_folders() {
  std::error_code code;
  const fs::path executable = fs::read_symlink("/proc/self/exe", code);
  if (code) return {};
  std::vector<fs::path> folders;
  for (const char* library_folder : {"lib", FTRUN_INSTALL_LIBDIR}) {
    const fs::path folder =
        fs::canonical(executable.parent_path().parent_path() / library_folder / "ftrun" / "plugins", code);
    if (!code && std::ranges::find(folders, folder) == folders.end()) folders.push_back(folder);
  }
  return folders;
}

std::string problem_of(const PluginNote& note, const fs::path& file) {
  try {
    if (std::ranges::find(kKinds, note.kind) == std::end(kKinds)) return fmt::format("unknown kind '{}'", note.kind);
    require_safe_plugin_file(file);
    require_loadable(note, file);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace

std::vector<fs::path> plugin_search_path(std::span<const std::string> given) {
  std::vector<fs::path> paths;
  for (const std::string& path : given) add_path(paths, path, "plugin_path");
  if (const char* variable = std::getenv("FTRUN_PLUGIN_PATH"); variable != nullptr) {
    const std::string list = variable;
    for (size_t begin = 0; begin < list.size();) {
      const size_t end = std::min(list.find(':', begin), list.size());
      if (end > begin) add_path(paths, list.substr(begin, end - begin), "FTRUN_PLUGIN_PATH");
      begin = end + 1;
    }
  }
  for (const fs::path& folder : install_folders()) {
    if (std::ranges::find(paths, folder) == paths.end()) paths.push_back(folder);
  }
  return paths;
}

Registry::Registry(std::span<const fs::path> search_path) {
  std::set<fs::path> seen;
  const auto add_once = [&](const fs::path& file, bool must_be_plugin) {
    // What is checked is what is loaded, not a link to it.
    const fs::path real = fs::canonical(file);
    if (seen.insert(real).second) add_file(real, must_be_plugin);
  };
  for (const fs::path& path : search_path) {
    if (!fs::is_directory(path)) {
      add_once(path, true);
      continue;
    }
    std::vector<fs::path> files;
    std::error_code code;
    const fs::directory_iterator entries(path, code);
    if (code) throw Error(FTRUN_PERMISSION_DENIED, fmt::format("{}: {}", path.string(), code.message()));
    for (const fs::directory_entry& entry : entries) {
      if (entry.path().extension() == ".so" && entry.exists()) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (const fs::path& file : files) add_once(file, false);
  }
  std::ranges::sort(listings_, {}, [](const PluginListing& listing) {
    return std::tuple(listing.note.kind, listing.note.id, listing.file);
  });
  mark_duplicates();
}

void Registry::mark_duplicates() {
  // Sorted, so that the same ids stand side by side; a file that cannot be used anyway is not held against others.
  PluginListing* last = nullptr;
  const auto mark = [](PluginListing& listing, const PluginListing& other) {
    listing.problem =
        fmt::format("'{}/{}' is provided twice, also by {}", listing.note.kind, listing.note.id, other.file.string());
  };
  for (PluginListing& listing : listings_) {
    if (!listing.problem.empty()) continue;
    if (last != nullptr && last->note.kind == listing.note.kind && last->note.id == listing.note.id) {
      if (last->problem.empty()) mark(*last, listing);
      mark(listing, *last);
    }
    last = &listing;
  }
}

void Registry::add_file(const fs::path& file, bool must_be_plugin) {
  try {
    if (must_be_plugin) require_safe_plugin_file(file);
    for (PluginNote& note : read_plugin_notes(file)) {
      if (must_be_plugin) require_loadable(note, file);
      std::string problem = problem_of(note, file);
      listings_.push_back({file, std::move(note), std::move(problem)});
    }
  } catch (const Error& error) {
    if (must_be_plugin) throw;
    rejected_.push_back({file, error.what()});
  }
}

std::vector<std::string> Registry::ids(std::string_view kind) const {
  std::vector<std::string> result;
  for (const PluginListing& listing : listings_) {
    if (listing.note.kind == kind && (result.empty() || result.back() != listing.note.id))
      result.push_back(listing.note.id);
  }
  return result;
}

bool Registry::has(std::string_view kind, std::string_view id) const {
  return std::ranges::any_of(
      listings_, [&](const PluginListing& listing) { return listing.note.kind == kind && listing.note.id == id; });
}

const Plugin* Registry::find_loaded(std::string_view kind, std::string_view id) const {
  for (const auto& plugin : loaded_) {
    if (plugin->kind() == kind && plugin->id() == id) return plugin.get();
  }
  return nullptr;
}

const Plugin& Registry::load(std::string_view kind, std::string_view id, std::string_view origin) {
  if (const Plugin* plugin = find_loaded(kind, id); plugin != nullptr) return *plugin;
  const std::string opening = origin.empty() || origin == "default" ? std::string() : fmt::format("{}: ", origin);
  std::vector<const PluginListing*> matches;
  for (const PluginListing& listing : listings_) {
    if (listing.note.kind == kind && listing.note.id == id) matches.push_back(&listing);
  }
  if (matches.empty()) {
    const std::vector<std::string> known = ids(kind);
    const std::string list = known.empty() ? fmt::format("there is no {} plugin on the search path", kind)
                                           : fmt::format("known: {}", fmt::join(known, ", "));
    std::string unusable;
    for (const RejectedFile& file : rejected_) unusable += fmt::format("\n  not a plugin: {}", file.problem);
    throw not_found("{}unknown {} '{}'{}; {}{}", opening, kind, id, did_you_mean(id, known), list, unusable);
  }
  if (matches.size() > 1) {
    throw Error(FTRUN_ALREADY_EXISTS, fmt::format("{}plugin '{}/{}' is provided twice: by {} and by {}", opening, kind,
                                                  id, matches[0]->file.string(), matches[1]->file.string()));
  }
  for (auto& plugin : load_plugin_library(matches.front()->file)) {
    if (find_loaded(plugin->kind(), plugin->id()) == nullptr) loaded_.push_back(std::move(plugin));
  }
  const Plugin* plugin = find_loaded(kind, id);
  if (plugin == nullptr) throw internal_error("{}: lost plugin '{}/{}'", matches.front()->file.string(), kind, id);
  return *plugin;
}

const Plugin& Registry::find_network(std::span<const std::string> architectures, const fs::path& config_path) {
  std::vector<std::string> supported;
  for (const std::string& id : ids(FTRUN_KIND_NETWORK)) {
    const Plugin& plugin = load(FTRUN_KIND_NETWORK, id);
    for (std::string& name : plugin.architectures()) {
      if (std::ranges::find(architectures, name) != architectures.end()) return plugin;
      supported.push_back(std::move(name));
    }
  }
  // No nearest name: the file says what the weights are, and another name would not make them another network's.
  throw invalid_argument("{}: architectures: no network plugin computes '{}'; supported: {}", config_path.string(),
                         fmt::join(architectures, ", "),
                         supported.empty() ? "none" : fmt::format("{}", fmt::join(supported, ", ")));
}

std::vector<const Plugin*> Registry::load_usable(std::string_view kind) {
  std::vector<const Plugin*> plugins;
  for (const std::string& id : ids(kind)) {
    try {
      plugins.push_back(&load(kind, id));
    } catch (const Error&) {
      // Reported when it is asked for by name.
    }
  }
  return plugins;
}

std::vector<std::string> Registry::key_owners(std::string_view key) {
  std::vector<std::string> owners;
  for (const char* kind : kKinds) {
    for (const Plugin* plugin : load_usable(kind)) {
      const auto& options = plugin->options();
      const bool owns = std::ranges::any_of(options, [&](const OptionSpec& spec) { return spec.has_name(key); });
      if (owns) owners.push_back(fmt::format("{} '{}'", plugin->kind(), plugin->id()));
    }
  }
  return owners;
}

}  // namespace ftrun
