// Texts and integers are the library's; separators and floats are Python's.
#include "core/data/python_json.h"

#include "core/jinja/python_text.h"

namespace ftrun {

std::string python_json(const nlohmann::ordered_json& value) {
  if (value.is_number_float()) return jinja::float_text(value.get<double>());
  if (!value.is_structured()) return value.dump();
  std::string text(1, value.is_object() ? '{' : '[');
  bool first = true;
  for (const auto& item : value.items()) {
    if (!first) text += ", ";
    first = false;
    if (value.is_object()) text += nlohmann::ordered_json(item.key()).dump() + ": ";
    text += python_json(item.value());
  }
  return text + (value.is_object() ? '}' : ']');
}

}  // namespace ftrun
