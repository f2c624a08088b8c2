// Golden files of tests/golden/jinja_templates.py and rendering that gives text or message.
#pragma once

#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/error.h"
#include "core/jinja/chat_template_renderer.h"

namespace ftrun::testing {

using Json = nlohmann::ordered_json;

inline Json read_committed(const std::string& name) {
  std::ifstream file(std::filesystem::path(FTRUN_SOURCE_DIR) / "tests/golden" / name);
  return Json::parse(file);
}

// FTRUN_JINJA_GOLDENS: a folder with more cases than are committed.
inline Json read_golden(const std::string& name) {
  const char* folder = std::getenv("FTRUN_JINJA_GOLDENS");
  const std::filesystem::path path =
      folder != nullptr ? std::filesystem::path(folder) : std::filesystem::path(FTRUN_SOURCE_DIR) / "tests/golden";
  std::ifstream file(path / name);
  return Json::parse(file);
}

// [year, month, day, hour, minute, second]
inline std::tm time_from(const Json& numbers) {
  std::tm time{};
  time.tm_year = numbers[0].get<int>() - 1900;
  time.tm_mon = numbers[1].get<int>() - 1;
  time.tm_mday = numbers[2].get<int>();
  time.tm_hour = numbers[3].get<int>();
  time.tm_min = numbers[4].get<int>();
  time.tm_sec = numbers[5].get<int>();
  time.tm_isdst = -1;
  std::mktime(&time);
  return time;
}

struct Outcome {
  std::string text;
  std::string error;  // "" when it rendered
  ftrun_status code = FTRUN_OK;
};

template <typename Render>
Outcome outcome_of(Render render) {
  try {
    return {render(), "", FTRUN_OK};
  } catch (const Error& error) {
    return {"", error.what(), error.code()};
  }
}

inline Outcome render_text(const std::string& text, const Json& variables = Json::object()) {
  return outcome_of([&] { return ChatTemplateRenderer(text).render(variables); });
}

}  // namespace ftrun::testing
