// The plugins on the search path: listed by their notes, loaded when they are used.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/plugin/plugin.h"

namespace ftrun {

/// One plugin found on the search path, not loaded.
struct PluginListing {
  std::filesystem::path file;
  PluginNote note;
  std::string
      problem;  ///< why it cannot be used (unsafe path, other ABI major, provided twice, ...); empty when it can
};

/// A shared object on the search path that is not a plugin.
struct RejectedFile {
  std::filesystem::path file;
  std::string problem;
};

/// Files and folders to look for plugins in: `given` (from --plugin_path or the configuration), then the colon list in
/// $FTRUN_PLUGIN_PATH, then lib/ftrun/plugins beside the executable's folder (build tree and install alike). Absolute,
/// duplicates removed. NOT_FOUND for a path that was given and does not exist.
std::vector<std::filesystem::path> plugin_search_path(std::span<const std::string> given);

/// [control-thread]
class Registry {
 public:
  /// Reads the notes of every *.so in the folders, and of the files, of the search path; loads nothing. Throws for a
  /// path that names a file which is not a plugin.
  explicit Registry(std::span<const std::filesystem::path> search_path);

  /// Sorted by kind and id.
  const std::vector<PluginListing>& listings() const noexcept { return listings_; }
  const std::vector<RejectedFile>& rejected() const noexcept { return rejected_; }
  /// Ids of a kind, sorted.
  std::vector<std::string> ids(std::string_view kind) const;
  bool has(std::string_view kind, std::string_view id) const;

  /// The plugin, loaded on first use. `origin` ("FILE:LINE", "--device", "") opens the message. Throws NOT_FOUND with
  /// the nearest name and all ids of the kind; ALREADY_EXISTS naming the files when several provide it; what the loader
  /// throws.
  const Plugin& load(std::string_view kind, std::string_view id, std::string_view origin = "");

  /// The network plugin that claims one of config.json's `architectures`; loads network plugins to read their tables.
  /// Throws INVALID_ARGUMENT naming `config_path`, the architectures and those that are known.
  const Plugin& find_network(std::span<const std::string> architectures, const std::filesystem::path& config_path);

  /// Every plugin of a kind that can be loaded; the others are skipped.
  std::vector<const Plugin*> load_usable(std::string_view kind);

  /// "kind 'id'" of each plugin on the search path with an option of this name or alias. Loads what is loadable and
  /// skips the rest.
  std::vector<std::string> key_owners(std::string_view key);

 private:
  const Plugin* find_loaded(std::string_view kind, std::string_view id) const;
  void add_file(const std::filesystem::path& file, bool must_be_plugin);
  void mark_duplicates();

  std::vector<PluginListing> listings_;
  std::vector<RejectedFile> rejected_;
  std::vector<std::unique_ptr<Plugin>> loaded_;
};

}  // namespace ftrun
