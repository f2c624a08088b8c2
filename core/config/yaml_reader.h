// YAML text to yaml-cpp's nodes, with what yaml-cpp 0.7 reads wrongly put right or refused: every YAML file of the host
// comes through here.
// Leaves out: what the values mean (document.h, data/chat_template.h).
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace ftrun {

/// Where YAML text comes from, for messages: of a file "NAME:LINE", of a flag NAME alone.
struct YamlOrigin {
  std::string name;
  bool has_lines = true;

  std::string place(size_t line) const { return has_lines ? name + ":" + std::to_string(line) : name; }
};

/// The documents of `yaml`, none of an empty text. Scalars in quotes and blocks have the text that YAML 1.2 gives them
/// (yaml_scalar.h). Throws INVALID_ARGUMENT "NAME:LINE:COLUMN: not valid YAML: ..." for what is malformed, and
/// "NAME:LINE: ..." for text that is not UTF-8, a zero byte, written or as an escape, a key of a block that has no
/// colon, and lists and maps nested deeper than kMaxYamlDepth.
std::vector<YAML::Node> load_yaml(std::string_view yaml, const YamlOrigin& origin);

constexpr int kMaxYamlDepth = 64;

/// The refusal of what is nested deeper.
Error too_deep_yaml(const std::string& place);

}  // namespace ftrun
