// Characters whose upper or title case is several characters, sorted.
#pragma once

namespace ftrun::jinja {

struct SpecialCase {
  char32_t from;
  const char32_t* to;
};
extern const SpecialCase kSpecialUpper[102];
extern const SpecialCase kSpecialTitle[48];

}  // namespace ftrun::jinja
