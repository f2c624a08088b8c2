// The tokens of a template: text between tags, and what stands inside tags.
#pragma once

#include <cstdint>
#include <string>

#include "core/jinja/value.h"

namespace ftrun::jinja {

struct Token {
  enum class Kind : uint8_t {
    kData,           ///< text between tags, after white space control
    kVariableBegin,  ///< {{
    kVariableEnd,    ///< }}
    kBlockBegin,     ///< {%
    kBlockEnd,       ///< %}
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,  ///< its characters in `text`
    kEnd,       ///< of the template
  };
  Kind kind = Kind::kEnd;
  std::string text;  ///< data, name, operator, or the string's value
  Value number;      ///< kInteger, kFloat
  int line = 1;

  bool is_operator(std::string_view sign) const { return kind == Kind::kOperator && text == sign; }
  bool is_name(std::string_view name) const { return kind == Kind::kName && text == name; }
  /// As Jinja names tokens in messages.
  std::string description() const;
};

}  // namespace ftrun::jinja
