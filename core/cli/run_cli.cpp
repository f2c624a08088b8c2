// Dispatch and error reporting.
#include "core/cli/run_cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/message_places.h"
#include "core/base/printable_text.h"
#include "core/cli/command.h"
#include "core/cli/command_line.h"
#include "core/cli/help.h"
#include "core/config/document.h"
#include "core/config/host_options.h"
#include "core/plugin/open_plugins.h"

namespace ftrun {
namespace {

int report(bool json, ftrun_status code, std::string_view text) {
  const std::string message = printable_text(name_places_once(text));
  if (json) {
    const nlohmann::json error = {{"error", {{"code", status_name(code)}, {"message", message}}}};
    fmt::print("{}\n", error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    const bool colour = ::isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
    fmt::print(stderr, "{}error:{} {}\n", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "", message);
  }
  return exit_code_of(code);
}

std::string all_options_help(const CommandContext& context) {
  std::string text = program_help() + "\nKeys of the host (default)\n" + options_help(host_options(), "");
  Registry registry = open_registry(read_config(context.config_file, context.override_arguments));
  for (const auto& [key, kind] :
       std::vector<std::pair<std::string, std::string>>{{"stage", FTRUN_KIND_PARADIGM},
                                                        {"strategy", FTRUN_KIND_STRATEGY},
                                                        {"device", FTRUN_KIND_DEVICE},
                                                        {"collectives", FTRUN_KIND_COLLECTIVES},
                                                        {"network", FTRUN_KIND_NETWORK},
                                                        {"reward", FTRUN_KIND_REWARD}}) {
    for (const Plugin* plugin : registry.load_usable(kind)) {
      if (plugin->options().empty()) continue;
      text += fmt::format("\n{} '{}': {}\n{}", kind, plugin->id(), plugin->doc(),
                          options_help(plugin->options(), key + "."));
    }
  }
  return text;
}

int dispatch(const CommandLine& line) {
  set_log_level(line.log_level);
  if (line.version) return version_command(line.context);
  if (line.help_all) {
    fmt::print("{}", all_options_help(line.context));
    return 0;
  }
  const bool nothing_asked = line.command.empty() && line.context.config_file.empty() &&
                             line.context.override_arguments.empty() && line.context.positional.empty() &&
                             line.command_flags.empty();
  if (nothing_asked && line.context.json && !line.help) {
    throw invalid_argument("nothing to do: expected a command or --config FILE; 'ftrun --help' lists the commands");
  }
  if (line.command == "help" || (line.command.empty() && line.help) || nothing_asked) {
    const bool about_command = line.command == "help" && !line.context.positional.empty();
    fmt::print("{}", about_command ? command_help(find_command(line.context.positional.front())) : program_help());
    return 0;
  }
  const Command& command = find_command(line.command.empty() ? "train" : line.command);
  if (line.help) {
    fmt::print("{}", command_help(command));
    return 0;
  }
  for (const std::string& flag : line.command_flags) require_taken(command, flag);
  if (command.takes_config && !line.context.positional.empty()) {
    throw invalid_argument("unexpected argument '{}': expected --KEY VALUE", line.context.positional.front());
  }
  if (!command.takes_config && !line.context.config_file.empty()) {
    throw invalid_argument("'{}' takes no --config", command.name);
  }
  return command.run(line.context);
}

}  // namespace

int run_cli(int argc, char** argv) noexcept {
  bool json = false;
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    for (const std::string& argument : arguments) json = json || argument == "--json";
    const int code = dispatch(parse_command_line(arguments));
    if (std::fflush(stdout) != 0) return report(false, FTRUN_DATA_LOSS, "standard output cannot be written");
    return code;
  } catch (const Error& error) {
    return report(json, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return report(json, FTRUN_INTERNAL, "out of memory");
  } catch (const std::exception& error) {
    return report(json, FTRUN_INTERNAL, error.what());
  } catch (...) {
    return report(json, FTRUN_INTERNAL, "an unknown failure");
  }
}

}  // namespace ftrun
