// The environment variables of Open MPI, MPICH's process manager and Slurm with PMIx.
#include "core/plugin/launcher.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "core/base/error.h"
#include "core/plugin/host_table.h"

namespace ftrun {
namespace {

constexpr const char* kRanksVariable = "NPROC_PER_NODE";

int32_t count_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return 0;
  const std::string_view value = text;
  int32_t count = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), count);
  return failure == std::errc() && end == value.data() + value.size() ? std::max(count, 0) : 0;
}

bool takes_part(const Plugin& plugin) {
  int32_t world = 0;
  const ftrun_host* host = make_host_table(plugin.kind() + "/" + plugin.id(), {});
  check_plugin(plugin.collectives().probe(host, &world), plugin, "probe");
  return world > 0;
}

bool sets(const std::vector<Setting>& settings, std::string_view key) {
  return std::ranges::find(settings, key, &Setting::key) != settings.end();
}

}  // namespace

int32_t launcher_world() {
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const int32_t world = count_in(variable); world > 0) return world;
  }
  return std::getenv("PMIX_RANK") != nullptr ? count_in("SLURM_STEP_NUM_TASKS") : 0;
}

void require_one_process() {
  const int32_t world = launcher_world();
  if (world <= 1) return;
  throw invalid_argument(
      "a launcher started this process as one of {}, and this command does its work in one: start it without the "
      "launcher",
      world);
}

void select_launcher_transport(Registry& registry, std::vector<PluginSelection>& selections) {
  const int32_t world = launcher_world();
  if (world == 0) return;
  PluginSelection& selection = *std::ranges::find(selections, FTRUN_KIND_COLLECTIVES, &PluginSelection::kind);
  if (selection.origin != "default") {
    if (world == 1 || takes_part(registry.load(selection.kind, selection.id, selection.origin))) return;
    throw invalid_argument(
        "{}: collectives: '{}' cannot reach the other {} processes that the launcher started: remove it, or start one "
        "process with --nproc {}",
        selection.origin, selection.id, world - 1, world);
  }
  for (const Plugin* plugin : registry.load_usable(FTRUN_KIND_COLLECTIVES)) {
    if (!takes_part(*plugin)) continue;
    selection.id = plugin->id();
    selection.origin = "launcher";
    return;
  }
  if (world == 1) return;
  throw invalid_argument(
      "a launcher started this process as one of {} ranks, and no collectives plugin on the search path can reach the "
      "others ({}): build ftrun where MPI is installed, or start one process with --nproc {}",
      world, fmt::join(registry.ids(FTRUN_KIND_COLLECTIVES), ", "), world);
}

void add_environment_settings(ConfigSources& sources) {
  const char* ranks = std::getenv(kRanksVariable);
  if (ranks == nullptr || *ranks == '\0' || launcher_world() > 0) return;
  if (sets(sources.document, "nproc") || sets(sources.overrides, "nproc")) return;
  sources.document.push_back(scalar_setting("nproc", ranks, kRanksVariable));
}

}  // namespace ftrun
