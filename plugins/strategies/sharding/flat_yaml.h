// The YAML that `accelerate config` writes: `key: value` lines and maps of such, one level deep.
// Leaves out: everything else of YAML (block lists, multi-line scalars, anchors), which is refused with its line.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace ftrun::sharding {

/// An object of strings, booleans, numbers, nulls, empty lists and objects. INVALID_ARGUMENT with the line's number for
/// what is not such YAML, and for a key given twice.
nlohmann::json read_flat_yaml(std::string_view text);

}  // namespace ftrun::sharding
