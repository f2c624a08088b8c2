// Failures while a template is parsed or rendered, named as Python names them.
// Leaves out: the message a person reads (chat_template_renderer.cpp adds the template's name and line).
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "ftrun/status.h"

namespace ftrun::jinja {

/// Thrown below the renderer; `line` is 0 until the innermost expression or statement fills in its own.
struct Failure : std::runtime_error {
  Failure(std::string kind_name, const std::string& message, ftrun_status code_in = FTRUN_INVALID_ARGUMENT)
      : std::runtime_error(message), kind(std::move(kind_name)), code(code_in) {}

  std::string kind;  ///< class of the Python exception: "TypeError", "UndefinedError", ...; "" for what is ours
  ftrun_status code;
  int line = 0;
};

template <typename... Args>
Failure type_error(fmt::format_string<Args...> format, Args&&... args) {
  return {"TypeError", fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Failure value_error(fmt::format_string<Args...> format, Args&&... args) {
  return {"ValueError", fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Failure syntax_error(int line, fmt::format_string<Args...> format, Args&&... args) {
  Failure failure("TemplateSyntaxError", fmt::format(format, std::forward<Args>(args)...));
  failure.line = line;
  return failure;
}
/// What Jinja or Python can do and ftrun does not.
template <typename... Args>
Failure unsupported(fmt::format_string<Args...> format, Args&&... args) {
  return {"", fmt::format(format, std::forward<Args>(args)...) + " is not supported here", FTRUN_UNIMPLEMENTED};
}

}  // namespace ftrun::jinja
