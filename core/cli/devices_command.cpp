// `ftrun devices info`: what each device plugin finds on this machine, with default options.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/error.h"
#include "core/cli/command.h"
#include "core/config/document.h"
#include "core/config/resolve.h"
#include "core/plugin/host_table.h"
#include "core/plugin/open_plugins.h"
#include "core/train/memory_estimate.h"

namespace ftrun {
namespace {

using nlohmann::json;

json describe_device(const Plugin& plugin, const ftrun_host* host, const ftrun_options* options, int32_t ordinal) {
  ftrun_device_open_args args = {};
  args.head = {sizeof(args), FTRUN_DEVICE_OPEN_TAG};
  args.host = host;
  args.options = options;
  args.ordinal = ordinal;
  void* device = nullptr;
  check_plugin(plugin.device().open(&args, &device), plugin, "open");
  ftrun_device_properties properties = {};
  properties.head = {sizeof(properties), FTRUN_DEVICE_PROPERTIES_TAG};
  const ftrun_status status = plugin.device().properties(device, &properties);
  json result;
  if (status == FTRUN_OK) {
    const auto text = [](ftrun_str value) { return std::string(value.size == 0 ? "" : value.data, value.size); };
    result = {{"device", plugin.id()},
              {"ordinal", properties.ordinal},
              {"name", text(properties.name)},
              {"isa", text(properties.isa)},
              {"total_bytes", properties.total_bytes},
              {"peak_flops_f32", properties.peak_flops_f32},
              {"peak_flops_bf16", properties.peak_flops_bf16},
              {"memory_bandwidth", properties.memory_bandwidth}};
  }
  plugin.device().close(device);
  check_plugin(status, plugin, "properties");
  return result;
}

// `refused` becomes the first problem that is the user's to mend (the environment, for example).
json describe_devices(Registry& registry, std::optional<Error>& refused) {
  json devices = json::array();
  for (const std::string& id : registry.ids(FTRUN_KIND_DEVICE)) {
    try {
      const Plugin& plugin = registry.load(FTRUN_KIND_DEVICE, id);
      ResolvedConfig config;
      const ftrun_options* options = config.add_defaults(plugin.kind(), id, plugin.options());
      const ftrun_host* host = make_host_table("device/" + id, {});
      int32_t count = 0;
      check_plugin(plugin.device().count(host, options, &count), plugin, "count");
      for (int32_t ordinal = 0; ordinal < count; ++ordinal) {
        devices.push_back(describe_device(plugin, host, options, ordinal));
      }
    } catch (const Error& error) {
      devices.push_back({{"device", id}, {"problem", error.what()}});
      if (!refused && exit_code_of(error.code()) == 2) refused = error;
    }
  }
  return devices;
}

void print_devices(const json& devices) {
  if (devices.empty()) fmt::print("no device plugin on the search path\n");
  for (const json& device : devices) {
    const std::string id = device["device"].get<std::string>();
    if (device.contains("problem")) {
      fmt::print("{:<12}  -  cannot be used\n", id);
      continue;
    }
    fmt::print("{:<12} {:>2}  {:>12}  {}  {}\n", id, device["ordinal"].get<int>(),
               memory_text(device["total_bytes"].get<uint64_t>()), device["name"].get<std::string>(),
               device["isa"].get<std::string>());
  }
}

}  // namespace

int devices_command(const CommandContext& context) {
  if (context.positional.size() > 1 || (context.positional.size() == 1 && context.positional[0] != "info")) {
    throw invalid_argument("unknown 'devices {}'; expected: ftrun devices [info]", fmt::join(context.positional, " "));
  }
  Registry registry = open_tool_registry(context.override_arguments);
  std::optional<Error> refused;
  const json devices = describe_devices(registry, refused);
  if (context.json) {
    fmt::print("{}\n", json{{"devices", devices}}.dump());
    return refused ? exit_code_of(refused->code()) : 0;
  }
  print_devices(devices);
  std::fflush(stdout);
  if (refused) throw Error(*refused);
  return 0;
}

}  // namespace ftrun
