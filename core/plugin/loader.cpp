// Boost.DLL behind the checks.
#include "core/plugin/loader.h"

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <map>
#include <mutex>

#include "core/base/error.h"
#include "core/plugin/plugin_safety.h"

namespace ftrun {
namespace {

using Library = boost::dll::shared_library;

// Never unloaded: plugin code may still run, or be needed by destructors, when the process ends.
std::map<std::filesystem::path, Library>& open_libraries() {
  static auto& libraries = *new std::map<std::filesystem::path, Library>();
  return libraries;
}

ftrun_plugin_query_v1_function open_query(const std::filesystem::path& file) {
  static std::mutex mutex;
  const std::scoped_lock lock(mutex);
  auto found = open_libraries().find(file);
  if (found == open_libraries().end()) {
    Library library;
    try {
      library.load(file, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    } catch (const std::exception& error) {
      throw invalid_argument("{}: cannot be loaded: {}", file.string(), error.what());
    }
    if (!library.has("ftrun_plugin_query_v1")) {
      // The handle is kept: the library's constructors have run, and unloading is not safe in general.
      open_libraries().emplace(file, std::move(library));
      throw invalid_argument("{}: does not export ftrun_plugin_query_v1", file.string());
    }
    found = open_libraries().emplace(file, std::move(library)).first;
  }
  if (!found->second.has("ftrun_plugin_query_v1")) {
    throw invalid_argument("{}: does not export ftrun_plugin_query_v1", file.string());
  }
  return &found->second.get<ftrun_status(uint32_t, const ftrun_plugin**)>("ftrun_plugin_query_v1");
}

}  // namespace

std::vector<std::unique_ptr<Plugin>> load_plugin_library(const std::filesystem::path& file) {
  if (!file.is_absolute()) throw internal_error("{}: plugins are loaded by absolute path", file.string());
  require_safe_plugin_file(file);
  const std::vector<PluginNote> notes = read_plugin_notes(file);
  for (const PluginNote& note : notes) require_loadable(note, file);
  return describe_plugins(open_query(file), notes, file);
}

}  // namespace ftrun
