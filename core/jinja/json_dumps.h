// json.dumps of values: what transformers' `tojson` filter writes.
#pragma once

#include <optional>
#include <string>

#include "core/jinja/budget.h"
#include "core/jinja/value.h"

namespace ftrun::jinja {

/// Arguments of json.dumps, with transformers' defaults (no HTML escaping, UTF-8 kept).
struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<std::string> indent;  ///< per level; absent: everything in one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};

/// Throws TypeError for what JSON cannot say (undefined values, generators).
std::string json_dumps(const Value& value, const JsonStyle& style, Budget& budget);

}  // namespace ftrun::jinja
