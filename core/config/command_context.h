// What every subcommand is started with.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ftrun {

struct CommandContext {
  std::filesystem::path config_file;            ///< empty: none was given
  std::vector<std::string> override_arguments;  ///< configuration flags, for read_config
  std::vector<std::string> positional;          ///< arguments without a flag
  bool json = false;                            ///< one JSON object on stdout
  std::optional<int64_t> rows;                  ///< --rows of `data`
  bool decode = false;                          ///< --decode of `tokenize`
  bool special_tokens = true;                   ///< false: --no_special_tokens of `tokenize`
};

}  // namespace ftrun
