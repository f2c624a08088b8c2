// Help made from the option tables.
#include "core/cli/help.h"

#include <fmt/format.h>

#include "core/cli/command_line.h"
#include "core/config/host_options.h"

namespace ftrun {
namespace {

std::string default_of(const OptionSpec& option) {
  if (!option.has_default()) return "not set";
  return option.default_text.empty() ? "''" : option.default_text;
}

}  // namespace

std::string options_help(const std::vector<OptionSpec>& options, std::string_view prefix) {
  std::string text;
  std::string group;
  for (const OptionSpec& option : options) {
    if (option.group != group) {
      group = option.group;
      text += fmt::format("\n{}\n", group);
    }
    const std::string_view doc = std::string_view(option.doc).substr(0, option.doc.find_last_not_of('.') + 1);
    const std::string_view before = option.is_flat() ? std::string_view() : prefix;
    text +=
        fmt::format("  --{}{} ({})\n      {}; {}", before, option.key, default_of(option), doc, option.expectation());
    if (!option.aliases.empty()) text += fmt::format("; also called {}", fmt::join(option.aliases, ", "));
    text += '\n';
  }
  return text;
}

std::string program_help() {
  std::string text =
      "ftrun fine-tunes language models: one YAML file, one program, files that transformers reads.\n\n"
      "  ftrun --config FILE [--KEY VALUE]...\n\nCommands\n";
  for (const Command& command : commands()) text += fmt::format("  {:<10} {}\n", command.name, command.summary);
  text += '\n' + program_flags_help();
  text +=
      "\nEvery configuration key is a flag too and wins over the file: --learning_rate 1e-4, dotted for maps:\n"
      "--strategy.offload_optimizer cpu. 'ftrun train --help' lists the keys with their defaults, 'ftrun --help-all' "
      "also those of\n"
      "all plugins, 'ftrun plugins info NAME' those of one.\n\n"
      "Exit codes: 0 done, 1 failed while running, 2 the input is wrong, 130 interrupted (after saving a "
      "checkpoint).\n";
  return text;
}

std::string command_help(const Command& command) {
  std::string text = fmt::format("ftrun {}\n\n{}\n", command.usage, command.summary);
  text += command.details;
  if (!command.takes_config || !command.lists_keys) return text;
  text +=
      "\nConfiguration keys (default): a YAML file's, and flags. Further ones belong to plugins: 'ftrun plugins info "
      "NAME'.\n";
  return text + options_help(host_options(), "");
}

}  // namespace ftrun
