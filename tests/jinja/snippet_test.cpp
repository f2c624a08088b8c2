// Small templates, written by hand and drawn from a grammar: the text of jinja2, or its error.
#include <gtest/gtest.h>

#include "tests/jinja/jinja_test_support.h"

namespace ftrun::testing {
namespace {

// Messages that a person gets to see for mistakes in a chat; others (argument counts and the like) only have to be
// errors.
bool has_same_message(const std::string& kind, const std::string& message) {
  if (kind == "UndefinedError" || kind == "TemplateError" || kind == "SecurityError" || kind == "ZeroDivisionError")
    return true;
  if (kind != "TypeError" && kind != "ValueError") return false;
  for (const char* theirs : {"()", "bad operand type for unary", "descriptor", "not enough values", "expected at"})
    if (message.find(theirs) != std::string::npos) return false;
  return true;
}

// Python prints an address or an integer beyond 64 bits on the way.
bool is_refused_by_design(const Outcome& outcome) {
  if (outcome.code != FTRUN_UNIMPLEMENTED) return false;
  return outcome.error.find(": printing a") != std::string::npos || outcome.error.find("64 bits") != std::string::npos;
}

TEST(Snippet, RendersAsJinjaDoes) {
  const Json golden = read_golden("jinja_snippets.json");
  const std::tm now = time_from(golden.at("now"));
  size_t texts = 0, errors = 0, refused = 0;
  for (const Json& the_case : golden.at("cases")) {
    const std::string text = the_case.at("template").get<std::string>();
    const Outcome outcome =
        outcome_of([&] { return ChatTemplateRenderer(text, "t").render(golden.at("variables"), now); });
    if (is_refused_by_design(outcome)) {
      ++refused;
      continue;
    }
    if (the_case.contains("text")) {
      EXPECT_EQ(outcome.error, "") << text;
      EXPECT_EQ(outcome.text, the_case.at("text").get<std::string>()) << text;
      ++texts;
      continue;
    }
    const std::string kind = the_case.at("error").at(0).get<std::string>();
    const std::string message = the_case.at("error").at(1).get<std::string>();
    EXPECT_NE(outcome.error, "") << text << " renders, and should fail: " << message;
    EXPECT_EQ(outcome.error.find("t: line "), 0u) << text << ": " << outcome.error;
    EXPECT_NE(outcome.code, FTRUN_UNIMPLEMENTED) << text << ": " << outcome.error << " instead of " << message;
    if (has_same_message(kind, message)) {
      EXPECT_NE(outcome.error.find(message), std::string::npos)
          << text << ": " << outcome.error << "; theirs: " << message;
    }
    ++errors;
  }
  EXPECT_GT(texts, 400u);
  EXPECT_GT(errors, 200u);
  EXPECT_LT(refused * 50, texts);
}

}  // namespace
}  // namespace ftrun::testing
