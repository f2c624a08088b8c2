// Filling phrasings.
#include "configs/demo/generator/question.h"

#include <fmt/format.h>

namespace ftrun::demo {

std::string fill(std::string_view pattern, const std::vector<std::string>& values) {
  std::string text(pattern);
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string mark = fmt::format("{{{}}}", i);
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + values[i].size())) {
      text.replace(at, mark.size(), values[i]);
    }
  }
  return text;
}

void ask(Task& task, const std::vector<std::string_view>& phrasings, const std::vector<std::string>& values,
         const std::string& answer) {
  std::string fact;
  for (const std::string& value : values) fact += value + "/";
  for (std::string_view phrasing : phrasings) {
    const size_t bar = phrasing.find('|');
    const std::string_view input = bar == std::string_view::npos ? std::string_view() : phrasing.substr(bar + 1);
    task.questions.push_back({fill(phrasing.substr(0, bar), values), fill(input, values), answer, fact});
  }
}

}  // namespace ftrun::demo
