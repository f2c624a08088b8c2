// What is not supported is refused when parsing, by line and name; templates that do not end are stopped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/jinja/jinja_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Refusal, NamesTheLineAndTheConstruct) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a\n\n{% block b %}{% endblock %}", "line 3 of the template: the tag 'block' is not supported here"},
      {"{% include 'x' %}", "line 1 of the template: the tag 'include'"},
      {"{% autoescape true %}{% endautoescape %}", "the tag 'autoescape'"},
      {"\n{{ 'a' | wordcount }}", "line 2 of the template: the filter 'wordcount' is not supported here"},
      {"{{ 'a' | uper }}", "No filter named 'uper'. (did you mean 'upper'?)"},
      {"{{ 1 is sting }}", "No test named 'sting'. (did you mean 'string'?)"},
      {"{% for a in b recursive %}{% endfor %}", "a recursive for loop is not supported here"},
      {"{{ lipsum() }}", "the global 'lipsum' is not supported here"},
      {"{{ x[1:2, 3] }}", "a slice among several subscripts is not supported here"},
      {"{{ '\\N{DASH}' }}", "'\\N' in a string is not supported here"},
      {"{{ 99999999999999999999 }}", "beyond 64 bits"},
      {"{% frobnicate %}", "Encountered unknown tag 'frobnicate'."},
      {"a\n{% if x %}\n", "Jinja was looking for the following tags: 'elif' or 'else' or 'endif'."},
  };
  for (const auto& [text, message] : cases) {
    const Outcome outcome = outcome_of([&] {
      (void)ChatTemplateRenderer(text, "config.json");
      return std::string();
    });
    EXPECT_THAT(outcome.error, AllOf(HasSubstr("config.json: line "), HasSubstr(message))) << text;
    EXPECT_EQ(outcome.code, FTRUN_INVALID_ARGUMENT) << text;
  }
}

TEST(Refusal, WhatCannotBeSeenBeforeIsRefusedWhenItComesToIt) {
  for (const std::string text :
       {"{{ 'a'.encode() }}", "{{ [1] | map('string') }}", "{{ range }}", "{{ 9223372036854775807 + 1 }}",
        "{{ 2 ** 64 }}", "{{ (-8) ** 0.5 }}", "{{ 'a'.translate({}) }}", "{{ [1] | map('wordcount') | list }}",
        "{{ (1).bit_length() }}"}) {
    const Outcome outcome = render_text("\n" + text);
    EXPECT_EQ(outcome.code, FTRUN_UNIMPLEMENTED) << text << outcome.text;
    EXPECT_THAT(outcome.error, AllOf(HasSubstr("line 2 of the template"), HasSubstr("not supported here"))) << text;
  }
}

TEST(Refusal, LoopsAndMacrosThatDoNotEndAreStopped) {
  const std::string loops =
      "{% set r = range(100000) %}{% for a in r %}{% for b in r %}{% set c = b %}{% endfor %}{% endfor %}";
  const std::string doubling =
      "{% set ns = namespace(t='aaaaaaaa') %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}";
  const std::string growing =
      "{% set ns = namespace(t=[1]) %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}";
  for (const std::string& text :
       {loops, doubling, growing, std::string("{{ 'ab' * 10 ** 12 }}"), std::string("{{ [1] * 10 ** 12 }}"),
        std::string("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), std::string("{{ '%2000000000d' % 1 }}"),
        std::string("{{ 'a'.ljust(1000000000) }}"), std::string("{{ 'a' | indent(1000000000) }}"),
        std::string("{{ ([1, 2] * 100000) | tojson(indent=1000) }}"),
        std::string("{{ ('a,' * 1000000) | replace(',', 'x' * 1000) }}")}) {
    const Outcome outcome = render_text(text);
    EXPECT_EQ(outcome.code, FTRUN_RESOURCE_EXHAUSTED) << text << ": " << outcome.error;
    EXPECT_THAT(outcome.error, HasSubstr("line 1 of the template")) << text;
  }
}

std::string repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

// Each would take more stack or memory than there is, were it done.
TEST(Refusal, ValuesInsideEachOtherAreStopped) {
  const std::string begin = "{% set ns = namespace(l=[], g='x') %}{% for i in range(100000) %}";
  const std::string end = "{% endfor %}";
  for (const std::string& text :
       {begin + "{% set ns.l = [ns.l] %}" + end, begin + "{% set ns.l = {'a': ns.l} %}" + end,
        begin + "{% set ns.l = (1, ns.l) %}" + end, begin + "{% set ns.g = ns.g | map('string') %}" + end,
        begin + "{% set ns.g = ['x'] | map('default', ns.g) %}" + end,
        begin + "{% set ns.l = {'a': ns.l}.items() %}" + end, begin + "{% set ns.g = ns.g | unique %}" + end,
        begin + "{% for j in [ns.l] %}{% set ns.l = loop %}{% endfor %}" + end,
        begin + "{% for j in [ns.l] %}{% set ns.l = loop.cycle %}{% endfor %}" + end,
        begin + "{% for j in [ns.l] if 1 %}{% set ns.l = loop %}{% endfor %}" + end,
        begin + "{% set ns.l = [ns.l].index %}" + end,
        std::string("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}"),
        std::string("{% set t = 'x' * 10000000 %}{% set l = [t] * 1000 %}{{ l }}"),
        std::string("{% set t = 'x' * 10000000 %}{{ ([t] * 1000) | tojson }}"),
        std::string("{% set t = 'x' * 10000000 %}{{ ('{0}' * 1000).format(t) }}"),
        std::string("{% set t = 'x' * 10000000 %}{{ ('%s' * 9) % (t, t, t, t, t, t, t, t, t) }}"),
        std::string("{% set t = 'x' * 10000000 %}{{ t ~ t ~ t ~ t ~ t ~ t ~ t ~ t }}"),
        std::string("{{ ('\\t' * 100000).expandtabs(100000) }}")}) {
    const Outcome outcome = render_text(text);
    EXPECT_EQ(outcome.code, FTRUN_RESOURCE_EXHAUSTED) << text << ": " << outcome.error;
  }
  Json deep = Json::array();
  for (int i = 0; i < 1000; ++i) deep = Json::array({deep});
  EXPECT_EQ(render_text("{{ x }}", Json{{"x", deep}}).code, FTRUN_INVALID_ARGUMENT);
}

TEST(Refusal, DeepAndLongTemplatesAreRefusedBeforeTheStackIs) {
  for (const std::string& text :
       {"{{ " + repeated("(", 5000) + "1" + repeated(")", 5000) + " }}", "{{ " + repeated("[", 100000),
        "{{ 1" + repeated("+1", 50000) + " }}", "{{ " + repeated("not ", 50000) + "1 }}",
        "{{ " + repeated("-", 50000) + "1 }}", "{{ a" + repeated(".a", 50000) + " }}",
        "{{ a" + repeated("|upper", 50000) + " }}", "{{ a" + repeated("()", 50000) + " }}",
        repeated("{% if a %}", 50000), repeated("{% for a in b %}", 5000),
        "{{ 1" + repeated(" if 1 else 1", 50000) + " }}", "{{ a" + repeated("[a", 50000) + " }}",
        "{% for " + repeated("(", 50000) + "a in b %}", "{{ 1" + repeated(" is odd", 50000) + " }}"}) {
    EXPECT_EQ(render_text(text).code, FTRUN_INVALID_ARGUMENT) << text.substr(0, 40);
  }
  EXPECT_EQ(render_text("{{ " + repeated("(", 40) + "1" + repeated(")", 40) + " }}").text, "1");
  EXPECT_EQ(render_text("{{ 1" + repeated("+1", 300) + " }}").text, "301");
}

TEST(Refusal, BytesThatAreNoTextAreRefused) {
  EXPECT_EQ(render_text("{{ 1 }}\xff").code, FTRUN_INVALID_ARGUMENT);
  const std::string utf32("\0\0\xFE\xFF\0\0\0a", 8);
  EXPECT_THAT(render_text(utf32).error, HasSubstr("the template is UTF-32: save it as UTF-8"));
  EXPECT_THAT(render_text("\xFE\xFF").error, HasSubstr("the template is UTF-16: save it as UTF-8"));
  EXPECT_EQ(render_text("{{ x }}", Json{{"x", "\xc3"}}).code, FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(render_text("{{ x }}", Json{{"x", 18446744073709551615u}}).code, FTRUN_UNIMPLEMENTED);
}

// Prefixes of a real template and single changed bytes: an error or a text, never anything else.
TEST(Refusal, BrokenTemplatesAreErrors) {
  const Json golden = read_golden("jinja_templates.json");
  const std::string text = golden.at("templates").at("qwen3").get<std::string>();
  const Json variables = {{"messages", golden.at("conversations").at("calls")},
                          {"tools", golden.at("tools").at("two")}};
  size_t refused = 0;
  for (size_t size = 0; size < text.size(); size += 7)
    refused += render_text(text.substr(0, size), variables).error.empty() ? 0 : 1;
  for (size_t at = 0; at < text.size(); at += 11) {
    std::string changed = text;
    changed[at] = "{}%|'\"()[]-\n x"[at % 14];
    refused += render_text(changed, variables).error.empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 300u);
}

}  // namespace
}  // namespace ftrun::testing
