// Configuration keys on the command line.
#include "core/config/overrides.h"

#include <gtest/gtest.h>

#include "tests/config/refusal.h"

namespace ftrun {
namespace {

std::vector<Setting> parse(const std::vector<std::string>& arguments) { return parse_overrides(arguments); }

TEST(Overrides, AllSpellings) {
  const auto settings =
      parse({"--learning_rate", "1e-4", "--max-steps=-1", "--overwrite_output_dir", "--strategy.offload", "cpu"});
  ASSERT_EQ(settings.size(), 4u);
  EXPECT_EQ(settings[0].key, "learning_rate");
  EXPECT_EQ(settings[0].value.scalar, "1e-4");
  EXPECT_EQ(settings[0].value.origin, "--learning_rate");
  EXPECT_EQ(settings[1].key, "max_steps");
  EXPECT_EQ(settings[1].value.scalar, "-1");
  EXPECT_EQ(settings[2].value.scalar, "true");
  EXPECT_EQ(settings[3].key, "strategy.offload");
}

TEST(Overrides, NegativeNumbersAndTextWithEqualsSignsAreValues) {
  const auto settings = parse({"--max_steps", "-1", "--default_system=a=b --c"});
  EXPECT_EQ(settings[0].value.scalar, "-1");
  EXPECT_EQ(settings[1].value.scalar, "a=b --c");
}

TEST(Overrides, MapsListsAndNull) {
  const auto settings = parse({"--strategy", "{name: x, n: 3}", "--dataset", "[a, b]", "--eval_dataset", "null"});
  EXPECT_EQ(settings[0].value.entries[1].value.scalar, "3");
  EXPECT_EQ(settings[0].value.entries[1].origin, "--strategy");
  EXPECT_EQ(settings[1].value.items.size(), 2u);
  EXPECT_EQ(settings[2].value.kind, SettingValue::Kind::kNull);
}

TEST(Overrides, RefusesARepeatedKey) {
  const std::string twice = "--max_steps is given more than once: give it once (a list as --max_steps A,B)";
  EXPECT_EQ(refusal([] { parse({"--max_steps", "1", "--max_steps", "2"}); }), twice);
  EXPECT_EQ(refusal([] { parse({"--max_steps", "1", "--max-steps=1"}); }), twice);
}

TEST(Overrides, RefusesWhatIsNoFlag) {
  EXPECT_EQ(refusal([] { parse({"seed", "1"}); }), "unexpected argument 'seed': expected --KEY VALUE");
  EXPECT_EQ(refusal([] { parse({"--seed", "1", "2"}); }), "unexpected argument '2': expected --KEY VALUE");
  EXPECT_EQ(refusal([] { parse({"--a..b", "1"}); }), "unexpected argument '--a..b': not a configuration key");
  EXPECT_EQ(refusal([] { parse({"--x", "{a: [}"}); }).substr(0, 28), "--x: '{a: [}' is not valid Y");
}

}  // namespace
}  // namespace ftrun
