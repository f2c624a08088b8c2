// The text of a YAML scalar that stands in quotes or in a block, read from the file itself: yaml-cpp 0.7 turns "\_" and
// "\N" into bytes that are not UTF-8, and loses line breaks of folded blocks and of quotes with blank lines.
// Leaves out: where scalars begin and how they nest (yaml-cpp's node positions, see yaml_reader.h), plain scalars.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ftrun {

struct YamlScalar {
  std::string text;
  size_t end = 0;  ///< offset behind the scalar: its closing quote, or the block's last line
};

/// The scalar that begins at `begin` with `"`, `'`, `|` or `>`, as YAML 1.2.2 (sections 7.3 and 8.1) reads it; nothing
/// for what begins otherwise or does not end. `parent_indent` is the column of the list or map that the scalar is in
/// (-1 at the top), which a block's indentation counts from. `yaml` is text that yaml-cpp has accepted.
std::optional<YamlScalar> read_yaml_scalar(std::string_view yaml, size_t begin, int parent_indent);

}  // namespace ftrun
