// What the model's own template gets of a row: prompts of every template in jinja_templates.json against transformers'
// apply_chat_template with enable_thinking true, false and undefined (tests/golden/model_prompts.py).
#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <map>
#include <memory>

#include "core/base/error.h"
#include "core/data/jinja_encoder.h"
#include "core/data/row_format.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

Json read_json(const std::string& name) {
  return Json::parse(std::ifstream(std::string(FTRUN_SOURCE_DIR "/tests/golden/") + name));
}

AlignedRow row_of(const Json& messages, const Json& tools) {
  const RowFormat& format = find_row_format("openai");
  const auto found = format.detect({{"messages", messages}, {"tools", tools}}, RowKind::kPrompt);
  return format.bind(found->first, found->second, RowKind::kPrompt)
      ->convert({{"messages", messages}, {"tools", tools}});
}

/// The goldens were rendered on a day of their own.
std::string with_today(std::string text) {
  const std::time_t now = std::time(nullptr);
  std::tm today{};
  localtime_r(&now, &today);
  for (const auto& [day, format] : {std::pair{"07 Mar 2026", "%d %b %Y"}, std::pair{"2026-03-07", "%Y-%m-%d"}}) {
    char written[64];
    std::strftime(written, sizeof(written), format, &today);
    if (const size_t at = text.find(day); at != std::string::npos) text.replace(at, std::string(day).size(), written);
  }
  return text;
}

TEST(ModelPrompts, EqualApplyChatTemplate) {
  const auto tokenizer = Tokenizer::load(FTRUN_SOURCE_DIR "/tests/golden/template_tokenizer");
  const Json templates = read_json("jinja_templates.json").at("templates");
  const Json golden = read_json("model_prompts.json");
  size_t compared = 0, refused = 0;
  for (const Json& text : golden.at("cases")) {
    const Json one = Json::parse(text.get<std::string>());
    const Json& prompts = one.at("prompts");
    const AlignedRow row = row_of(golden.at("conversations").at(one.at("conversation").get<std::string>()),
                                  one.at("tools").get<bool>() ? golden.at("tools") : Json());
    for (const auto& [key, thinking] :
         {std::pair{"true", std::optional(true)}, {"false", std::optional(false)}, {"none", std::optional<bool>()}}) {
      SCOPED_TRACE(one.at("template").get<std::string>() + ", " + one.at("conversation").get<std::string>() +
                   ", enable_thinking " + key);
      const Json& expected = prompts.contains(key) ? prompts[key] : prompts.at("true");
      const JinjaEncoder writer(tokenizer, templates.at(one.at("template").get<std::string>()), "golden",
                                {"", ThinkingOptions{thinking}, {}});
      if (expected.is_null()) {
        EXPECT_THROW(writer.ask(row.prompt, row.system, row.tools), RowError);
        ++refused;
        continue;
      }
      const std::vector<int32_t> ids = writer.ask(row.prompt, row.system, row.tools);
      EXPECT_EQ(ids, tokenizer->encode(with_today(expected.get<std::string>())))
          << tokenizer->decode(ids, false) << "\nexpected\n"
          << expected;
      ++compared;
    }
  }
  EXPECT_EQ(compared + refused, 528U);
  EXPECT_GT(compared, 460U);
}

}  // namespace
}  // namespace ftrun
