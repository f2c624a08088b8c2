// The getters plugins call.
#include "core/config/option_api.h"

#include <gtest/gtest.h>

#include "core/base/failure_detail.h"
#include "core/config/document.h"

namespace ftrun {
namespace {

ftrun_str str(std::string_view text) { return {text.data(), text.size()}; }

class OptionApi : public ::testing::Test {
 protected:
  OptionApi() {
    own_.set("n", value(FTRUN_OPTION_INT, "3"));
    own_.set("list", value(FTRUN_OPTION_STRING_LIST, "[a, b]"));
    own_.set("unset", default_value(spec(FTRUN_OPTION_STRING, FTRUN_OPTION_UNSET)));
    host_.set("seed", value(FTRUN_OPTION_INT, "42"));
    host_.set("n", value(FTRUN_OPTION_INT, "99"));
    host_.set("memory", value(FTRUN_OPTION_BYTES, "1KiB"));
  }
  static OptionSpec spec(ftrun_option_type type, ftrun_option_flags flags = 0) {
    OptionSpec result;
    result.key = "k";
    result.type = type;
    result.flags = flags;
    return result;
  }
  static OptionValue value(ftrun_option_type type, const std::string& text) {
    return convert_value(spec(type), parse_config_text("k: " + text + "\n", "a.yaml").front().value);
  }
  OptionValues own_;
  OptionValues host_;
  ftrun_options options_ = {&own_, &host_};
  const ftrun_option_api& api_ = *option_api();
};

TEST_F(OptionApi, ReadsOwnKeysThenTheHosts) {
  int64_t number = 0;
  EXPECT_EQ(api_.get_int(&options_, str("n"), &number), FTRUN_OK);
  EXPECT_EQ(number, 3);
  EXPECT_EQ(api_.get_int(&options_, str("seed"), &number), FTRUN_OK);
  EXPECT_EQ(number, 42);
  EXPECT_EQ(api_.get_int(&options_, str("memory"), &number), FTRUN_OK);
  EXPECT_EQ(number, 1024);
}

TEST_F(OptionApi, RefusesOtherKeysTypesAndMissingValues) {
  int64_t number = 0;
  ftrun_str text = {nullptr, 0};
  int32_t flag = 0;
  EXPECT_EQ(api_.get_int(&options_, str("no"), &number), FTRUN_NOT_FOUND);
  EXPECT_EQ(take_failure_detail(), "option 'no': neither the plugin nor the host has this key");
  EXPECT_EQ(api_.get_bool(&options_, str("n"), &flag), FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(api_.get_string(&options_, str("unset"), &text), FTRUN_FAILED_PRECONDITION);
  EXPECT_EQ(api_.is_set(&options_, str("unset"), &flag), FTRUN_OK);
  EXPECT_EQ(flag, 0);
  EXPECT_EQ(api_.get_int(nullptr, str("n"), &number), FTRUN_INVALID_ARGUMENT);
}

TEST_F(OptionApi, ListsAndOrigins) {
  ftrun_str text = {nullptr, 0};
  ASSERT_EQ(api_.get_list_item(&options_, str("list"), 1, &text), FTRUN_OK);
  EXPECT_EQ(std::string(text.data, text.size), "b");
  EXPECT_EQ(api_.get_list_item(&options_, str("list"), 2, &text), FTRUN_OUT_OF_RANGE);
  ASSERT_EQ(api_.get_origin(&options_, str("n"), &text), FTRUN_OK);
  EXPECT_EQ(std::string(text.data, text.size), "a.yaml:1");
}

}  // namespace
}  // namespace ftrun
