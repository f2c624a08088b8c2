// From configuration text to loaded plugins and resolved options.
#include "core/plugin/open_plugins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/config/document.h"
#include "core/config/overrides.h"
#include "tests/plugin/scratch_folder.h"

namespace ftrun {
namespace {

using ::testing::HasSubstr;

class OpenPlugins : public ::testing::Test {
 protected:
  OpenPlugins() {
    const std::vector<std::filesystem::path> path = {fixture_folder("toys"), fixture_folder("good"),
                                                     fixture_folder("importer"), fixture_folder("throwing")};
    registry_ = std::make_unique<Registry>(path);
  }
  OpenedPlugins open(const std::string& text, const std::vector<std::string>& arguments = {}) {
    ConfigSources sources;
    sources.file = "run.yaml";
    sources.document = parse_config_text("finetuning_type: full\n" + text, "run.yaml");
    sources.overrides = parse_overrides(arguments);
    return open_plugins(*registry_, sources);
  }
  std::string refusal(const std::string& text, const std::vector<std::string>& arguments = {}) {
    try {
      open(text, arguments);
    } catch (const Error& error) {
      EXPECT_EQ(exit_code_of(error.code()), 2);
      return error.what();
    }
    return "";
  }
  std::unique_ptr<Registry> registry_;
};

TEST_F(OpenPlugins, LoadsWhatIsSelected) {
  const auto run =
      open("stage: {name: copying, depth: 5}\ndevice: toy\ntoy_masks: true\n", {"--device.memory", "2GiB"});
  EXPECT_EQ(run.paradigm.plugin->id(), "copying");
  EXPECT_EQ(run.strategy.plugin->id(), "single");
  EXPECT_EQ(run.device.plugin->id(), "toy");
  EXPECT_EQ(run.host_device.plugin->id(), "cpu");
  EXPECT_EQ(run.collectives.plugin, nullptr);
  EXPECT_EQ(run.network.plugin, nullptr);
  EXPECT_EQ(run.paradigm.options->own->get_int("depth"), 5);
  EXPECT_TRUE(run.paradigm.options->own->get_bool("toy_masks"));
  EXPECT_EQ(run.device.options->own->get_int("memory"), 2LL << 30);
  EXPECT_EQ(run.host_device.options->own->get_int("memory"), 8LL << 30);
  EXPECT_EQ(run.config.get_string("device"), "toy");
  EXPECT_EQ(run.config.origin("stage"), "run.yaml:2");
}

TEST_F(OpenPlugins, TheChosenHostDeviceIsNotOpenedTwice) {
  const auto run = open("stage: copying\n");
  EXPECT_EQ(run.host_device.plugin, run.device.plugin);
  EXPECT_EQ(run.host_device.options, run.device.options);
}

TEST_F(OpenPlugins, TheStageMustBeGiven) {
  EXPECT_EQ(refusal("seed: 1\n"),
            "run.yaml: stage is not set: expected the name of a paradigm that is installed: copying, sorting; write "
            "'stage: NAME' "
            "or pass --stage NAME");
  EXPECT_EQ(refusal("stage: {toy_masks: true}\n"),
            "run.yaml:2: stage is not set: expected the name of a paradigm that is installed: copying, sorting; write "
            "'stage: NAME' or pass --stage NAME");
}

TEST_F(OpenPlugins, AllUnknownPluginsAreNamedAtOnce) {
  EXPECT_EQ(refusal("stage: coping\ndevice: {name: toi}\ncollectives: mpi\n"),
            "3 errors in the configuration:\n"
            "  run.yaml:2: unknown paradigm 'coping' (did you mean 'copying'?); known: copying, sorting\n"
            "  run.yaml:3: unknown device 'toi' (did you mean 'toy'?); known: cpu, toy\n"
            "  run.yaml:4: unknown collectives 'mpi'; there is no collectives plugin on the search path");
}

TEST_F(OpenPlugins, AKeyOfAnotherPluginNamesItsOwner) {
  EXPECT_EQ(refusal("stage: copying\nother_key: 2\n"),
            "run.yaml:3: unknown key 'other_key': it belongs to paradigm 'sorting', but stage is 'copying'");
  EXPECT_EQ(refusal("stage: copying\nextra: 2\n"),
            "run.yaml:3: unknown key 'extra': it belongs to reward 'sample', but no reward is in use");
  EXPECT_EQ(
      refusal("stage: copying\nmemory: 1\n"),
      "run.yaml:3: unknown key 'memory': it is an option of device 'cpu': write 'device: {name: cpu, memory: ...}' or "
      "--device.memory");
}

TEST_F(OpenPlugins, InMapOptionsAreChecked) {
  EXPECT_EQ(refusal("stage: copying\ndevice: {name: toy, memori: 1}\n"),
            "run.yaml:3: device 'toy' has no option 'memori' (did you mean 'memory'?); its map may have: name, memory; "
            "at the "
            "top level: toy_clock");
  EXPECT_EQ(refusal("stage: copying\nstrategy: {name: single, buckets: 1}\n"),
            "run.yaml:3: strategy 'single' has no option 'buckets'; its map may have: name");
  EXPECT_EQ(refusal("stage: copying\nstrategy: {nam: single}\n"),
            "run.yaml:3: strategy 'single' has no option 'nam' (did you mean 'name'?); its map may have: name");
  EXPECT_THAT(
      refusal("stage: {name: copying, toy_mask: true}\n"),
      ::testing::HasSubstr("has no option 'toy_mask' (did you mean 'toy_masks'?); its map may have: name, depth; "
                           "at the top level: toy_masks"));
  EXPECT_EQ(refusal("stage: {name: copying, toy_masks: true}\n"),
            "run.yaml:2: 'toy_masks' stands at the top level of the configuration, not in the map of 'stage'");
}

TEST_F(OpenPlugins, RewardsHaveWeightsAndOptions) {
  const auto run = open("stage: copying\nreward:\n  - {name: sample, weight: 0.25, bonus: 3}\n  - throwing\n");
  ASSERT_EQ(run.rewards.size(), 2u);
  EXPECT_EQ(run.rewards[0].weight, 0.25);
  EXPECT_EQ(run.rewards[0].chosen.options->own->get_float("bonus"), 3.0);
  EXPECT_EQ(run.rewards[1].chosen.plugin->id(), "throwing");
  EXPECT_EQ(run.config.get_string("reward"), "sample,throwing");
}

TEST_F(OpenPlugins, FindsTheNetworkFromConfigJson) {
  const ScratchFolder model;
  model.write("config.json", R"({"architectures": ["ToyForCausalLM"]})");
  const auto run = open("stage: copying\nmodel: " + model.path().string() + "\n");
  EXPECT_EQ(run.network.plugin->id(), "toy_network");
  EXPECT_EQ(run.config.get_string("network"), "toy_network");
  EXPECT_EQ(run.config.origin("network"), (model.path() / "config.json").string());
  model.write("config.json", R"({"architectures": ["OtherForCausalLM"]})");
  EXPECT_THAT(refusal("stage: copying\nmodel_name_or_path: " + model.path().string() + "\n"),
              HasSubstr("config.json: architectures: no network plugin computes 'OtherForCausalLM'"));
  EXPECT_THAT(refusal("stage: copying\nmodel_name_or_path: /no/such/model\n"), HasSubstr("/no/such/model"));
}

TEST_F(OpenPlugins, ImportsForeignConfigurations) {
  const auto run = open("stage: copying\nforeign_file: 'mine:7'\n");
  EXPECT_EQ(run.strategy.plugin->id(), "importer");
  EXPECT_EQ(run.strategy.options->own->get_int("buckets"), 7);
  EXPECT_EQ(run.strategy.options->own->origin("buckets"), "run.yaml:3");
  const auto beside = open("stage: copying\nforeign_file: 'mine:7'\n", {"--strategy.buckets", "9"});
  EXPECT_EQ(beside.strategy.options->own->get_int("buckets"), 9);
  const ScratchFolder folder;
  const auto file = folder.write("mine.json", "mine:3");
  EXPECT_EQ(open("stage: copying\nforeign_file: " + file.string() + "\n").strategy.options->own->get_int("buckets"), 3);
}

TEST_F(OpenPlugins, RefusesForeignConfigurationsNobodyTakes) {
  EXPECT_EQ(refusal("stage: copying\nforeign_file: other\n"),
            "run.yaml:3: foreign_file: no strategy plugin takes 'other'; known strategies: importer, single");
  EXPECT_EQ(refusal("stage: copying\nforeign_file: 'mine:'\n"), "run.yaml:3: foreign_file: no number after 'mine:'");
  EXPECT_EQ(refusal("stage: copying\nstrategy: single\nforeign_file: 'mine:1'\n"),
            "run.yaml:3: strategy is 'single', but foreign_file (run.yaml:4) means 'importer'");
  EXPECT_EQ(refusal("stage: copying\nforeign_file: 'mine:1000'\n"),
            "run.yaml:3: buckets: expected an integer >= 1 and <= 100, got '1000'");
}

TEST_F(OpenPlugins, APluginMayChangeAHostKeysDefaultAndRange) {
  EXPECT_EQ(open("stage: copying\n").config.get_int("gradient_accumulation_steps"), 1);
  EXPECT_EQ(open("stage: copying\nstrategy: importer\n").config.get_int("gradient_accumulation_steps"), 4);
  EXPECT_EQ(refusal("stage: copying\nstrategy: importer\ngradient_accumulation_steps: 1\n"),
            "run.yaml:4: gradient_accumulation_steps: expected an integer >= 2 and <= 8, got '1'");
}

TEST_F(OpenPlugins, OneThreadPerOpenMpRegionBeforeAnythingLoads) {
  ::unsetenv("OMP_NUM_THREADS");
  open_registry({});
  EXPECT_STREQ(std::getenv("OMP_NUM_THREADS"), "1");
}

}  // namespace
}  // namespace ftrun
