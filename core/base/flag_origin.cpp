// One pass over the text.
#include "core/base/flag_origin.h"

namespace ftrun {

std::string name_flags_once(std::string_view message) {
  std::string result;
  while (!message.empty()) {
    const bool begins_word = result.empty() || result.back() == ' ' || result.back() == '\n';
    const size_t colon = begins_word && message.starts_with("--") ? message.find(": ") : std::string_view::npos;
    if (colon == std::string_view::npos) {
      result += message.front();
      message.remove_prefix(1);
      continue;
    }
    const std::string_view key = message.substr(2, colon - 2);
    const std::string_view rest = message.substr(colon + 2);
    const bool repeats = !key.empty() && rest.starts_with(key) && rest.substr(key.size()).starts_with(": ");
    result.append(message.substr(0, colon + 2));
    message = repeats ? rest.substr(key.size() + 2) : rest;
  }
  return result;
}

}  // namespace ftrun
