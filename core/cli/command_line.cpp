// Boost.Program_options for the program's flags; everything else is a configuration key.
#include "core/cli/command_line.h"

#include <boost/program_options.hpp>
#include <cstdlib>
#include <sstream>

#include "core/base/error.h"
#include "core/base/path_text.h"

namespace ftrun {
namespace {

namespace po = boost::program_options;

po::options_description program_flags() {
  po::options_description flags("Flags", 120, 60);
  const auto add = [&](const char* name, const po::value_semantic* value, const char* text) {
    flags.add_options()(name, value, text);
  };
  add("config", po::value<std::string>()->value_name("FILE"), "the YAML configuration");
  add("json", po::bool_switch(), "one JSON object on stdout, also for errors");
  add("log_level", po::value<std::string>()->value_name("LEVEL"),
      "debug, info, warning, error or off (also $FTRUN_LOG)");
  add("rows", po::value<int64_t>()->value_name("N"), "rows that 'data' shows");
  add("decode", po::bool_switch(), "'tokenize' turns ids back into text");
  add("no_special_tokens", po::bool_switch(), "'tokenize' adds no special tokens; with --decode it drops them");
  add("help", po::bool_switch(), "this text; after a command: that command's");
  add("help-all", po::bool_switch(), "every configuration key, also those of all plugins");
  add("version", po::bool_switch(), "version of the program and of the plugin ABI");
  return flags;
}

void read_command_flags(const po::variables_map& values, CommandLine& line) {
  if (values.contains("rows")) {
    line.context.rows = values["rows"].as<int64_t>();
    if (*line.context.rows < 0) throw invalid_argument("--rows: expected an integer >= 0, got {}", *line.context.rows);
    line.command_flags.emplace_back("rows");
  }
  line.context.decode = values["decode"].as<bool>();
  line.context.special_tokens = !values["no_special_tokens"].as<bool>();
  if (line.context.decode) line.command_flags.emplace_back("decode");
  if (!line.context.special_tokens) line.command_flags.emplace_back("no_special_tokens");
}

bool is_flag(const std::string& text) { return text.size() > 2 && text.starts_with("--"); }

// `--key value` pairs and `--key=value` to overrides, the rest to positional.
void split_rest(const std::vector<std::string>& rest, CommandContext& context) {
  for (size_t i = 0; i < rest.size(); ++i) {
    if (!is_flag(rest[i])) {
      context.positional.push_back(rest[i]);
      continue;
    }
    context.override_arguments.push_back(rest[i]);
    const bool has_value = rest[i].find('=') != std::string::npos;
    if (!has_value && i + 1 < rest.size() && !is_flag(rest[i + 1])) context.override_arguments.push_back(rest[++i]);
  }
}

LogLevel chosen_log_level(const po::variables_map& values, bool json) {
  if (values.contains("log_level")) return parse_log_level(values["log_level"].as<std::string>());
  if (const char* level = std::getenv("FTRUN_LOG"); level != nullptr && *level != '\0') return parse_log_level(level);
  return json ? LogLevel::kWarning : LogLevel::kInfo;
}

}  // namespace

CommandLine parse_command_line(std::span<const std::string> arguments) {
  CommandLine line;
  std::vector<std::string> words(arguments.begin(), arguments.end());
  if (!words.empty() && !words.front().starts_with('-')) {
    line.command = words.front();
    words.erase(words.begin());
  }
  for (std::string& word : words) {
    if (word == "-h") word = "--help";
  }
  try {
    using po::command_line_style::allow_long;
    using po::command_line_style::long_allow_adjacent;
    using po::command_line_style::long_allow_next;
    // Short options are off so that "-1" is a value, and guessing so that --log is not --log_level.
    const po::options_description flags = program_flags();
    const po::parsed_options parsed = po::command_line_parser(words)
                                          .options(flags)
                                          .style(allow_long | long_allow_adjacent | long_allow_next)
                                          .allow_unregistered()
                                          .run();
    po::variables_map values;
    po::store(parsed, values);
    if (values.contains("config")) {
      line.context.config_file = expand_path(values["config"].as<std::string>(), "--config");
    }
    line.context.json = values["json"].as<bool>();
    read_command_flags(values, line);
    line.help = values["help"].as<bool>();
    line.help_all = values["help-all"].as<bool>();
    line.version = values["version"].as<bool>();
    line.log_level = chosen_log_level(values, line.context.json);
    split_rest(po::collect_unrecognized(parsed.options, po::include_positional), line.context);
  } catch (const po::error& error) {
    throw invalid_argument("command line: {}", error.what());
  }
  return line;
}

std::string program_flags_help() {
  std::ostringstream text;
  text << program_flags();
  return text.str();
}

}  // namespace ftrun
