// A loaded plugin: its checked descriptor, option table, and the table of its kind with every slot callable.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/config/option_spec.h"
#include "core/plugin/plugin_note.h"
#include "ftrun/kinds/collectives.h"
#include "ftrun/kinds/device.h"
#include "ftrun/kinds/network.h"
#include "ftrun/kinds/paradigm.h"
#include "ftrun/kinds/reward.h"
#include "ftrun/kinds/strategy.h"
#include "ftrun/plugin.h"

namespace ftrun {

/// Lives as long as the registry that loaded it; the library itself stays loaded until the process ends. [any-thread]
/// Slots that the plugin leaves out return UNIMPLEMENTED (or do nothing, where they return nothing).
class Plugin {
 public:
  using Table =
      std::variant<ftrun_paradigm, ftrun_strategy, ftrun_device, ftrun_collectives, ftrun_network, ftrun_reward>;

  const std::string& kind() const noexcept { return kind_; }
  const std::string& id() const noexcept { return id_; }
  const std::string& version() const noexcept { return version_; }
  const std::string& doc() const noexcept { return doc_; }
  const std::filesystem::path& file() const noexcept { return file_; }
  const PluginNote& note() const noexcept { return note_; }
  const std::vector<OptionSpec>& options() const noexcept { return options_; }
  /// "plugin 'kind/id'", for messages.
  std::string label() const { return "plugin '" + kind_ + "/" + id_ + "'"; }

  /// The table of the kind. INTERNAL when the plugin is of another kind.
  const ftrun_paradigm& paradigm() const { return table_as<ftrun_paradigm>(); }
  const ftrun_strategy& strategy() const { return table_as<ftrun_strategy>(); }
  const ftrun_device& device() const { return table_as<ftrun_device>(); }
  const ftrun_collectives& collectives() const { return table_as<ftrun_collectives>(); }
  const ftrun_network& network() const { return table_as<ftrun_network>(); }
  const ftrun_reward& reward() const { return table_as<ftrun_reward>(); }

  /// True when the plugin itself filled the slot ("evaluate").
  bool provides(std::string_view slot) const;
  /// Names of slots the plugin left out.
  const std::vector<std::string>& absent_slots() const noexcept { return absent_slots_; }
  /// An optional surface, or NULL.
  const void* extension(std::string_view id) const;
  /// Of a paradigm's rows ("plain"), "" where it does not say.
  std::string data_format() const;
  /// A network's architectures.
  std::vector<std::string> architectures() const;

 private:
  friend std::vector<std::unique_ptr<Plugin>> describe_plugins(ftrun_plugin_query_v1_function query,
                                                               const std::vector<PluginNote>& notes,
                                                               const std::filesystem::path& file);
  template <typename T>
  const T& table_as() const;

  std::string kind_;
  std::string id_;
  std::string version_;
  std::string doc_;
  std::filesystem::path file_;
  PluginNote note_;
  std::vector<OptionSpec> options_;
  Table table_;
  std::vector<std::string> absent_slots_;
  const void* (*get_extension_)(ftrun_str) = nullptr;
};

/// Asks a library for its plugins and checks each descriptor: tags, sizes, id grammar, reserved fields, agreement with
/// the notes, table of its kind, option table. Throws INVALID_ARGUMENT naming file, plugin and what is wrong.
std::vector<std::unique_ptr<Plugin>> describe_plugins(ftrun_plugin_query_v1_function query,
                                                      const std::vector<PluginNote>& notes,
                                                      const std::filesystem::path& file);

/// Throws unless `status` is OK: an Error with the status's code and "plugin 'kind/id': function: detail", where detail
/// is what the plugin recorded through host->fail on this thread, or the detail alone where it opens with the place of
/// a setting. A failure without detail is reported as the plugin's fault.
void check_plugin(ftrun_status status, const Plugin& plugin, std::string_view function);

}  // namespace ftrun
