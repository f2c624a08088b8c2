// JSON text spaced as Python's json.dumps(ensure_ascii=False) writes it: what templates put into prompts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace ftrun {

/// `{"a": [1, 2]}`: ", " and ": " as separators, keys in their order, UTF-8 kept. Thread-safe.
std::string python_json(const nlohmann::ordered_json& value);

}  // namespace ftrun
