// One pass over the text.
#include "core/base/message_places.h"

namespace ftrun {
namespace {

constexpr size_t kLongestPlace = 4200;  // a path and a line number: messages of any length are read once

bool ends_in_line_number(std::string_view place) {
  const size_t colon = place.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == place.size()) return false;
  return place.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
}

}  // namespace

std::string name_places_once(std::string_view message) {
  std::string result;
  while (!message.empty()) {
    const bool begins_word = result.empty() || result.back() == ' ' || result.back() == '\n';
    const size_t colon = begins_word ? message.substr(0, kLongestPlace).find(": ") : std::string_view::npos;
    const std::string_view place = colon == std::string_view::npos ? std::string_view() : message.substr(0, colon);
    const bool is_flag = place.starts_with("--");
    const std::string_view name = is_flag ? place.substr(2) : place;
    const bool is_place = !name.empty() && (is_flag || ends_in_line_number(place));
    const std::string_view rest = is_place ? message.substr(colon + 2) : std::string_view();
    if (is_place && rest.starts_with(name) && rest.substr(name.size()).starts_with(": ")) {
      result.append(message.substr(0, colon + 2));
      message = rest.substr(name.size() + 2);
    } else {
      result += message.front();
      message.remove_prefix(1);
    }
  }
  return result;
}

}  // namespace ftrun
