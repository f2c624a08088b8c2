// Selectors of file and command line.
#include "core/config/selection.h"

#include <gtest/gtest.h>

#include "core/config/document.h"
#include "core/config/overrides.h"
#include "tests/config/refusal.h"

namespace ftrun {
namespace {

ConfigSources sources_of(const std::string& text, const std::vector<std::string>& arguments = {}) {
  ConfigSources sources;
  sources.document = parse_config_text(text, "a.yaml");
  sources.overrides = parse_overrides(arguments);
  return sources;
}

// "id(option=value,...) at ORIGIN" of the selection of a kind.
std::string selected(const std::string& kind, const ConfigSources& sources) {
  for (const PluginSelection& selection : select_plugins(sources)) {
    if (selection.kind != kind) continue;
    std::string options;
    for (const Setting& option : selection.options) {
      options += fmt::format("{}{}={}", options.empty() ? "" : ",", option.key, option.value.scalar);
    }
    return fmt::format("{}({}) at {}", selection.id, options, selection.origin);
  }
  return "none";
}

TEST(Selection, NamesMapsAndDefaults) {
  EXPECT_EQ(selected("strategy", sources_of("")), "single() at default");
  EXPECT_EQ(selected("network", sources_of("")), "() at default");
  EXPECT_EQ(selected("reward", sources_of("")), "none");
  EXPECT_EQ(selected("paradigm", sources_of("stage: x\n")), "x() at a.yaml:1");
  EXPECT_EQ(selected("strategy", sources_of("strategy: {name: y, n: 1}\n")), "y(n=1) at a.yaml:1");
  EXPECT_EQ(selected("device", sources_of("device:\n  memory: 1\n")), "cpu(memory=1) at a.yaml:2");
  EXPECT_EQ(selected("device", sources_of("device: null\n")), "cpu() at default");
}

TEST(Selection, TheCommandLineWins) {
  const std::string text = "strategy: {name: y, n: 1, m: 2}\n";
  EXPECT_EQ(selected("strategy", sources_of(text, {"--strategy.n", "5"})), "y(n=5,m=2) at a.yaml:1");
  EXPECT_EQ(selected("strategy", sources_of(text, {"--strategy", "z"})), "z() at --strategy");
  EXPECT_EQ(selected("strategy", sources_of(text, {"--strategy", "z", "--strategy.k", "1"})), "z(k=1) at --strategy");
  EXPECT_EQ(selected("strategy", sources_of("", {"--strategy.name", "z"})), "z() at --strategy.name");
  EXPECT_EQ(selected("strategy", sources_of("", {"--strategy.k", "1"})), "single(k=1) at default");
}

TEST(Selection, RefusesAllWrongSelectorsAtOnce) {
  EXPECT_EQ(
      refusal([] { select_plugins(sources_of("stage: [a]\nstrategy: {name: [x]}\nreward: {weight: 1}\n")); }),
      "3 errors in the configuration:\n"
      "  a.yaml:1: stage: expected the name of a paradigm plugin or a map {name: ..., option: ...}, got a list of 1\n"
      "  a.yaml:2: strategy.name: expected the name of a strategy plugin, got a list of 1\n"
      "  a.yaml:3: reward: no name given");
  EXPECT_EQ(refusal([] { select_plugins(sources_of("reward: [{name: a, weight: heavy}]\n")); }),
            "a.yaml:1: reward.weight: expected a number, got 'heavy'");
  EXPECT_EQ(refusal([] {
              select_plugins(sources_of("reward: [a, b]\n", {"--reward.n", "1"}));
            }),
            "--reward.n: 'reward' is a list of 2: set its options in the file");
}

TEST(Selection, PeeksAtHostKeys) {
  EXPECT_EQ(peek_text(sources_of("model: a\n"), "model_name_or_path"), "a");
  EXPECT_EQ(peek_text(sources_of("model: a\n", {"--model_name_or_path", "b"}), "model_name_or_path"), "b");
  EXPECT_EQ(peek_text(sources_of(""), "model_name_or_path"), std::nullopt);
  EXPECT_EQ(peek_text(sources_of(""), "dataset_dir"), "data");
  EXPECT_EQ(peek_list(sources_of("plugin_path: [a, b]\n"), "plugin_path"), (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace ftrun
