// Conversion of raw values by type, range and choice.
#include "core/config/option_value.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/config/document.h"
#include "tests/config/refusal.h"

namespace ftrun {
namespace {

OptionSpec spec_of(ftrun_option_type type) {
  OptionSpec spec;
  spec.key = "k";
  spec.type = type;
  spec.flags = FTRUN_OPTION_UNSET;
  return spec;
}

OptionSpec ranged(ftrun_option_type type, double min, double max, ftrun_option_flags open = 0) {
  OptionSpec spec = spec_of(type);
  spec.flags |= FTRUN_OPTION_RANGE | open;
  spec.min = min;
  spec.max = max;
  return spec;
}

// The value of `k: TEXT`.
OptionValue convert(const OptionSpec& spec, const std::string& text) {
  return convert_value(spec, parse_config_text("k: " + text + "\n", "a.yaml").front().value);
}
std::string convert_refusal(const OptionSpec& spec, const std::string& text) {
  return refusal([&] { convert(spec, text); });
}

TEST(OptionValue, Booleans) {
  const OptionSpec spec = spec_of(FTRUN_OPTION_BOOL);
  for (const char* text : {"true", "True", "yes", "on", "1", "Y"}) EXPECT_TRUE(convert(spec, text).as_bool) << text;
  for (const char* text : {"false", "FALSE", "no", "off", "0", "n"}) EXPECT_FALSE(convert(spec, text).as_bool) << text;
  EXPECT_EQ(convert_refusal(spec, "maybe"), "a.yaml:1: k: expected true or false, got 'maybe'");
  EXPECT_EQ(convert_refusal(spec, "2"), "a.yaml:1: k: expected true or false, got '2'");
  EXPECT_EQ(convert_refusal(spec, "'true'"),
            "a.yaml:1: k: expected true or false, got 'true' (in quotes): remove the quotes");
}

TEST(OptionValue, Integers) {
  const OptionSpec spec = spec_of(FTRUN_OPTION_INT);
  EXPECT_EQ(convert(spec, "8").as_int, 8);
  EXPECT_EQ(convert(spec, "-1").as_int, -1);
  EXPECT_EQ(convert(spec, "+3").as_int, 3);
  EXPECT_EQ(convert(spec, "1_000_000").as_int, 1000000);
  EXPECT_EQ(convert(spec, "9223372036854775807").as_int, std::numeric_limits<int64_t>::max());
  for (const char* text : {"8.0", "1e3", "0x10", "eight", "8 GB", "1__0", "_1", "1_", "--1", "+-1", "+", "-x"}) {
    EXPECT_EQ(convert_refusal(spec, text), fmt::format("a.yaml:1: k: expected an integer, got '{}'", text));
  }
  EXPECT_EQ(convert_refusal(spec, "010"), "a.yaml:1: k: expected an integer, got '010' (leading zero)");
  EXPECT_EQ(convert_refusal(spec, "9223372036854775808"),
            "a.yaml:1: k: expected an integer, got '9223372036854775808' (beyond 64 bits)");
  EXPECT_EQ(convert_refusal(spec, "'8'"), "a.yaml:1: k: expected an integer, got '8' (in quotes): remove the quotes");
  EXPECT_EQ(convert_refusal(spec, "[8]"), "a.yaml:1: k: expected an integer, got a list of 1");
  EXPECT_EQ(convert_refusal(spec, "{a: 8}"), "a.yaml:1: k: expected an integer, got a map of 1 keys");
}

TEST(OptionValue, Numbers) {
  const OptionSpec spec = spec_of(FTRUN_OPTION_FLOAT);
  const std::pair<const char*, double> cases[] = {
      {"1e-4", 1e-4}, {"1.0e-4", 1e-4}, {"5.0e-5", 5e-5}, {"1E+2", 100},       {".5", 0.5},  {"3.", 3},
      {"3", 3},       {"-0.1", -0.1},   {"+2.5", 2.5},    {"1_000.5", 1000.5}, {"0.1", 0.1}, {"007.5", 7.5}};
  for (const auto& [text, value] : cases) EXPECT_EQ(convert(spec, text).as_float, value) << text;
  for (const char* text : {"1e", "e5", "0x1p3", "nan", ".nan", ".inf", "inf", "1,5", "1e-4x", "1 000"}) {
    EXPECT_EQ(convert_refusal(spec, text), fmt::format("a.yaml:1: k: expected a number, got '{}'", text));
  }
  EXPECT_EQ(convert_refusal(spec, "1e999"), "a.yaml:1: k: expected a number, got '1e999' (beyond a 64-bit float)");
}

TEST(OptionValue, Ranges) {
  const OptionSpec closed = ranged(FTRUN_OPTION_INT, 1, std::numeric_limits<double>::infinity());
  EXPECT_EQ(convert(closed, "1").as_int, 1);
  EXPECT_EQ(convert_refusal(closed, "0"), "a.yaml:1: k: expected an integer >= 1, got '0'");
  const OptionSpec half_open = ranged(FTRUN_OPTION_FLOAT, 0, 1, FTRUN_OPTION_BELOW_MAX);
  EXPECT_EQ(convert(half_open, "0").as_float, 0);
  EXPECT_EQ(convert_refusal(half_open, "1.0"), "a.yaml:1: k: expected a number >= 0 and < 1, got '1.0'");
  const OptionSpec above = ranged(FTRUN_OPTION_FLOAT, 0, 1, FTRUN_OPTION_ABOVE_MIN);
  EXPECT_EQ(convert_refusal(above, "0"), "a.yaml:1: k: expected a number > 0 and <= 1, got '0'");
}

TEST(OptionValue, ChoicesNameTheNearest) {
  OptionSpec spec = spec_of(FTRUN_OPTION_STRING);
  spec.choices = {"linear", "cosine"};
  EXPECT_EQ(convert(spec, "cosine").text, "cosine");
  EXPECT_EQ(convert(spec, "'cosine'").text, "cosine");
  EXPECT_EQ(convert_refusal(spec, "cosin"),
            "a.yaml:1: k: expected one of linear, cosine, got 'cosin' (did you mean 'cosine'?)");
  EXPECT_EQ(convert_refusal(spec, "[cosine]"), "a.yaml:1: k: expected one of linear, cosine, got a list of 1");
}

TEST(OptionValue, Lists) {
  const OptionSpec spec = spec_of(FTRUN_OPTION_STRING_LIST);
  const std::vector<std::string> both = {"a", "b c"};
  EXPECT_EQ(convert(spec, "a, b c").items, both);
  EXPECT_EQ(convert(spec, "[a, b c]").items, both);
  EXPECT_EQ(convert(spec, "[]").items.size(), 0u);
  EXPECT_EQ(convert_refusal(spec, "[{a: b}]"), "a.yaml:1: k: expected a list, got a map of 1 keys");
}

TEST(OptionValue, Bytes) {
  const OptionSpec spec = spec_of(FTRUN_OPTION_BYTES);
  const std::pair<const char*, int64_t> cases[] = {
      {"4096", 4096}, {"8GiB", 8LL << 30}, {"8 GiB", 8LL << 30}, {"2mb", 2000000}, {"1KiB", 1024}};
  for (const auto& [text, value] : cases) EXPECT_EQ(convert(spec, text).as_int, value) << text;
  for (const char* text : {"8 apples", "1.5GiB", "-1", "GiB", "99999999999GiB"}) {
    EXPECT_NE(convert_refusal(spec, text), "") << text;
  }
}

TEST(OptionValue, NullGivesTheDefault) {
  OptionSpec spec = spec_of(FTRUN_OPTION_INT);
  EXPECT_FALSE(convert(spec, "null").is_set);
  spec.flags = 0;
  spec.default_text = "7";
  const OptionValue value = convert(spec, "");
  EXPECT_EQ(value.as_int, 7);
  EXPECT_EQ(value.origin, "default");
}

TEST(OptionValues, GettersCheckKeyTypeAndPresence) {
  OptionValues values;
  values.set("k", convert(spec_of(FTRUN_OPTION_INT), "3"));
  values.set("unset", default_value(spec_of(FTRUN_OPTION_STRING)));
  EXPECT_EQ(values.get_int("k"), 3);
  EXPECT_EQ(values.find_string("unset"), std::nullopt);
  EXPECT_TRUE(values.is_given("k"));
  EXPECT_FALSE(values.is_given("unset"));
  EXPECT_EQ(refusal([&] { values.get_string("unset"); }),
            "unset is not set: write 'unset: VALUE' in the configuration or pass --unset VALUE");
  EXPECT_THROW(values.get_int("nothing"), Error);
  EXPECT_THROW(values.get_bool("k"), Error);
}

}  // namespace
}  // namespace ftrun
