// A strategy that another framework's configuration asks for, and the extension by which plugins offer to read such.
// Leaves out: the formats (deepspeed_config.h, fsdp_config.h).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ftrun/cpp/plugin.hpp"
#include "sharding/expectations.h"

namespace ftrun::sharding {

struct ImportedStrategy {
  std::string name;                                          ///< the plugin's
  std::vector<std::pair<std::string, std::string>> options;  ///< of that plugin, as in YAML
  Expectations expectations;                                 ///< about the run's other keys
  std::vector<std::string> notes;                            ///< keys that are read and change nothing here
};

/// The strategy that `text` under the key deepspeed or fsdp means. INVALID_ARGUMENT naming what cannot be honoured.
ImportedStrategy read_foreign_config(std::string_view key, std::string_view text);

/// ftrun.import_config/1 for the plugin `id`: takes what read_foreign_config gives that name, NOT_FOUND otherwise.
ftrun_status import_for(std::string_view id, const ftrun_host* host, ftrun_str key, ftrun_str text,
                        ftrun_status (*emit)(void* sink, ftrun_str option, ftrun_str value), void* sink) noexcept;

/// get_extension of a plugin with this id.
template <const char* Id>
struct ForeignConfigReader {
  static ftrun_status import_config(const ftrun_host* host, ftrun_str key, ftrun_str text,
                                    ftrun_status (*emit)(void* sink, ftrun_str option, ftrun_str value),
                                    void* sink) noexcept {
    return import_for(Id, host, key, text, emit, sink);
  }
  static const void* extension(ftrun_str id) {
    static constexpr ftrun_import_config kImport = {{sizeof(ftrun_import_config), FTRUN_IMPORT_CONFIG_TAG},
                                                    import_config};
    return sdk::view(id) == FTRUN_IMPORT_CONFIG_EXTENSION ? &kImport : nullptr;
  }
};

}  // namespace ftrun::sharding
