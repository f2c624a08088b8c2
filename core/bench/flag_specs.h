// Short forms of the flags that bench commands declare.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/config/option_spec.h"

namespace ftrun {

/// A whole number from 1 to 2^20.
inline OptionSpec count_flag(std::string key, std::string fallback) {
  OptionSpec spec;
  spec.key = std::move(key);
  spec.type = FTRUN_OPTION_INT;
  spec.flags = FTRUN_OPTION_RANGE;
  spec.default_text = std::move(fallback);
  spec.min = 1;
  spec.max = 1 << 20;
  return spec;
}

inline OptionSpec choice_flag(std::string key, std::string fallback, std::vector<std::string> choices) {
  OptionSpec spec;
  spec.key = std::move(key);
  spec.type = FTRUN_OPTION_STRING;
  spec.default_text = std::move(fallback);
  spec.choices = std::move(choices);
  return spec;
}

}  // namespace ftrun
