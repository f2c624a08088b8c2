// Loading: what is refused, before or after dlopen, and what a loaded plugin can be asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/config/resolve.h"
#include "core/plugin/host_table.h"
#include "core/plugin/loader.h"
#include "tests/plugin/scratch_folder.h"

namespace ftrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Refusal {
  ftrun_status code = FTRUN_OK;
  std::string message;
};

Refusal refusal(const std::filesystem::path& file) {
  try {
    load_plugin_library(file);
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

struct RefusedFixture {
  const char* name;
  const char* message;
};
void PrintTo(const RefusedFixture& value, std::ostream* out) { *out << value.name; }

class RefusedPlugin : public ::testing::TestWithParam<RefusedFixture> {};

TEST_P(RefusedPlugin, IsRefusedNamingTheFile) {
  const auto file = fixture(GetParam().name);
  const Refusal result = refusal(file);
  EXPECT_EQ(result.code, FTRUN_INVALID_ARGUMENT);
  EXPECT_THAT(result.message, StartsWith(file.string() + ": "));
  EXPECT_THAT(result.message, HasSubstr(GetParam().message));
  EXPECT_EQ(exit_code_of(result.code), 2);
}

INSTANTIATE_TEST_SUITE_P(
    Fixtures, RefusedPlugin,
    ::testing::Values(
        RefusedFixture{"other_major", "plugin 'reward/sample' is built for ABI 2, this ftrun offers ABI 1"},
        RefusedFixture{"needs_newer_host", "plugin 'reward/sample' needs a host with ABI 1.9, this ftrun offers 1.0"},
        RefusedFixture{"without_note", "no ftrun note: this is no ftrun plugin"},
        RefusedFixture{"without_query", "does not export ftrun_plugin_query_v1"},
        RefusedFixture{"failing_query", "ftrun_plugin_query_v1(0) returned internal"},
        RefusedFixture{"other_id", "plugin 'reward/sample': the file has no note for it"},
        RefusedFixture{"other_version", "note and descriptor disagree: version 2.0.0 and 1.0.0"},
        RefusedFixture{"missing_plugin", "2 notes, but 1 plugins"},
        RefusedFixture{"illegal_id", "its id is not [a-z][a-z0-9_]*"},
        RefusedFixture{"other_sanitizer", "is built with sanitizer 9, this ftrun with "},
        RefusedFixture{"other_cpu", "needs CPU features that this machine lacks: unknown bits 0x40000000"},
        RefusedFixture{"short_descriptor", "descriptor 0 claims 96 bytes, expected at least 104"},
        RefusedFixture{"short_table", "its table claims 32 bytes, expected at least 40"},
        RefusedFixture{"huge_table", "its table claims 131072 bytes"},
        RefusedFixture{"odd_table", "its table claims 44 bytes"}, RefusedFixture{"other_tag", "its table has tag "},
        RefusedFixture{"unknown_kind", "unknown kind 'oracle'"},
        RefusedFixture{"bad_default",
                       "option 'bonus': its default does not fit: default: bonus: expected a number, got 'half'"},
        RefusedFixture{"bad_key", "option 'Bonus': key 'Bonus' is not [a-z][a-z0-9_]*"},
        RefusedFixture{"bad_flags", "option 'bonus': unknown option flags 0x400"},
        RefusedFixture{"bad_type", "option 'bonus': unknown option type 99"},
        RefusedFixture{"duplicate_option", "option 'extra' is declared twice"}),
    [](const auto& fixture_case) { return std::string(fixture_case.param.name); });

TEST(Loader, RefusesByNoteBeforeConstructorsRun) {
  ::unsetenv("FTRUN_FIXTURE_LOADED");
  for (const char* name : {"other_major", "needs_newer_host", "without_note"}) refusal(fixture(name));
  EXPECT_EQ(std::getenv("FTRUN_FIXTURE_LOADED"), nullptr);
}

TEST(Loader, RefusesFilesAndFoldersThatOthersMayWrite) {
  const ScratchFolder folder;
  const auto file = folder.copy(fixture("good"), "plugin.so");
  for (const mode_t mode : {0777, 0757, 0775}) {
    ::chmod(file.c_str(), mode);
    const Refusal result = refusal(file);
    EXPECT_EQ(result.code, FTRUN_PERMISSION_DENIED);
    EXPECT_EQ(result.message,
              fmt::format("{0}: refused as a plugin: others may write it (mode {1:o}); run: chmod go-w {0}",
                          file.string(), static_cast<unsigned>(mode)));
    EXPECT_EQ(exit_code_of(result.code), 2);
  }
  ::chmod(file.c_str(), 0755);
  EXPECT_EQ(refusal(file).message, "");
  ::chmod(folder.path().c_str(), 0777);
  EXPECT_EQ(refusal(file).message,
            fmt::format("{0}: refused as a plugin: others may write its folder (mode 777); run: chmod go-w {0}",
                        folder.path().string()));
}

TEST(Loader, RefusesWhatIsNoRegularFile) {
  const ScratchFolder folder;
  const auto pipe = folder.path() / "pipe.so";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(refusal(pipe).message, HasSubstr("it is not a regular file"));
  EXPECT_EQ(refusal(folder.path() / "absent.so").code, FTRUN_NOT_FOUND);
  const auto text = folder.write("text.so", "not a library");
  EXPECT_THAT(refusal(text).message, HasSubstr("truncated: the ELF header"));
}

// Creates a plugin's reward with `throws` or defaults and returns the status as the host reports it.
Refusal create(const Plugin& plugin, const OptionValues& values) {
  const OptionValues none;
  const ftrun_options options = {&values, &none};
  void* instance = nullptr;
  try {
    check_plugin(plugin.reward().create(make_host_table("reward/" + plugin.id(), {}), &options, &instance), plugin,
                 "create");
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  plugin.reward().destroy(instance);
  return {};
}

OptionValues values_of(const Plugin& plugin, const std::string& key, const std::string& text) {
  OptionValues values;
  for (const OptionSpec& spec : plugin.options()) values.set(spec.key, default_value(spec));
  for (const OptionSpec& spec : plugin.options()) {
    if (spec.key == key) values.set(key, convert_value(spec, scalar_setting(key, text, "x.yaml:1").value));
  }
  return values;
}

TEST(Loader, LoadsAPluginAndCallsIt) {
  const auto plugins = load_plugin_library(fixture("good"));
  ASSERT_EQ(plugins.size(), 1u);
  const Plugin& plugin = *plugins[0];
  EXPECT_EQ(plugin.label(), "plugin 'reward/sample'");
  EXPECT_EQ(plugin.doc(), "a fixture");
  EXPECT_THAT(plugin.absent_slots(), ElementsAre("declare"));
  EXPECT_THROW(plugin.device(), Error);
  EXPECT_EQ(plugin.extension("org.example.x/1"), nullptr);

  const OptionValues values = values_of(plugin, "bonus", "2.5");
  const OptionValues none;
  const ftrun_options options = {&values, &none};
  void* instance = nullptr;
  ASSERT_EQ(plugin.reward().create(make_host_table("reward/sample", {}), &options, &instance), FTRUN_OK);
  double scores[2] = {0, 0};
  ASSERT_EQ(plugin.reward().score(instance, nullptr, nullptr, 0, 2, scores), FTRUN_OK);
  EXPECT_EQ(scores[1], 2.5);
  plugin.reward().destroy(instance);
}

TEST(Loader, ReportsAPluginsFailures) {
  const auto plugins = load_plugin_library(fixture("good"));
  const Refusal refused = create(*plugins[0], values_of(*plugins[0], "bonus", "13"));
  EXPECT_EQ(refused.code, FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(refused.message, "plugin 'reward/sample': create: bonus 13 brings bad luck");
  const Refusal silent = create(*plugins[0], values_of(*plugins[0], "bonus", "-1"));
  EXPECT_EQ(silent.code, FTRUN_INTERNAL);
  EXPECT_EQ(silent.message,
            "plugin 'reward/sample': create: failed with internal and no message: a fault of the plugin");
}

TEST(Loader, ThrowingPluginsReturnStatusValues) {
  const auto plugins = load_plugin_library(fixture("throwing"));
  const Plugin& plugin = *plugins[0];
  const std::string opening = "plugin 'reward/throwing': create: ";
  EXPECT_EQ(create(plugin, values_of(plugin, "throws", "error")).message, opening + "thrown as an sdk::Error");
  EXPECT_EQ(create(plugin, values_of(plugin, "throws", "exception")).message, opening + "thrown as a std::exception");
  EXPECT_EQ(create(plugin, values_of(plugin, "throws", "bad_alloc")).code, FTRUN_RESOURCE_EXHAUSTED);
  EXPECT_EQ(create(plugin, values_of(plugin, "throws", "int")).code, FTRUN_INTERNAL);
  const Refusal host_call = create(plugin, values_of(plugin, "throws", "host"));
  EXPECT_EQ(host_call.code, FTRUN_NOT_FOUND);
  EXPECT_EQ(host_call.message, opening + "option 'no_such_option': neither the plugin nor the host has this key");
}

TEST(Loader, NullSlotsAnswerUnimplemented) {
  const auto plugins = load_plugin_library(fixture("null_slots"));
  const Plugin& plugin = *plugins[0];
  EXPECT_THAT(plugin.absent_slots(), ElementsAre("create", "destroy", "declare", "score"));
  EXPECT_FALSE(plugin.provides("score"));
  void* instance = nullptr;
  EXPECT_EQ(plugin.reward().create(nullptr, nullptr, &instance), FTRUN_UNIMPLEMENTED);
  plugin.reward().destroy(nullptr);
  try {
    check_plugin(plugin.reward().score(nullptr, nullptr, nullptr, 0, 0, nullptr), plugin, "score");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), FTRUN_UNIMPLEMENTED);
    EXPECT_STREQ(error.what(), "plugin 'reward/sample': score: the plugin does not have this function");
  }
}

TEST(Loader, ANewPluginWorksInThisHost) {
  const auto plugins = load_plugin_library(fixture("newer_plugin"));
  ASSERT_EQ(plugins.size(), 1u);
  EXPECT_EQ(plugins[0]->reward().head.struct_size, sizeof(ftrun_reward));
  EXPECT_EQ(create(*plugins[0], values_of(*plugins[0], "bonus", "1")).message, "");
}

TEST(Loader, LoadingTwiceGivesTheSamePlugin) {
  const auto first = load_plugin_library(fixture("good"));
  const auto second = load_plugin_library(fixture("good"));
  EXPECT_EQ(first[0]->reward().create, second[0]->reward().create);
}

}  // namespace
}  // namespace ftrun
