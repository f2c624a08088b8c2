// What {% generation %} blocks have written: transformers' generation_indices (tests/golden/foreign_templates.py).
#include <gtest/gtest.h>

#include "tests/jinja/jinja_test_support.h"

namespace ftrun::testing {
namespace {

TEST(GenerationMarks, AreWhereTransformersPutsThem) {
  const Json golden = read_committed("foreign_templates.json");
  size_t marks = 0;
  for (const Json& the_case : golden.at("snippets")) {
    const std::string text = the_case.at("template").get<std::string>();
    const ChatTemplateRenderer renderer(text);
    ChatTemplateInput input;
    input.messages = the_case.at("messages");
    const RenderedChat chat = renderer.render_marked_chat(input);
    EXPECT_EQ(chat.text, the_case.at("text").get<std::string>()) << text;
    EXPECT_EQ(renderer.render_chat(input), chat.text) << text;
    Json generated = Json::array();
    for (const RenderedChat::Range& range : chat.generated) generated.push_back({range.begin, range.end});
    EXPECT_EQ(generated, the_case.at("generated")) << text;
    EXPECT_EQ(renderer.has_generation_marks(), text != "no mark") << text;
    marks += chat.generated.size();
  }
  EXPECT_GE(marks, 9u);
}

TEST(GenerationMarks, ATemplateHasThemWhereverTheyStand) {
  EXPECT_TRUE(
      ChatTemplateRenderer("{% if false %}{% generation %}{% endgeneration %}{% endif %}").has_generation_marks());
  EXPECT_FALSE(ChatTemplateRenderer("{{ '{% generation %}' }}{# {% generation %} #}").has_generation_marks());
}

}  // namespace
}  // namespace ftrun::testing
