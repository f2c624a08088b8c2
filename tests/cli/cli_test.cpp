// The program as a user meets it: exit codes, messages, help, JSON.
// Leaves out: what the commands compute (tests of train/, data/, plugin/).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "core/config/host_options.h"
#include "tests/plugin/scratch_folder.h"

namespace ftrun {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Runs the program in a shell with stdin empty unless `arguments` redirects it.
Outcome run(const std::string& arguments, const std::string& environment = "") {
  const ScratchFolder folder;
  const std::string out = folder.path() / "out";
  const std::string err = folder.path() / "err";
  const std::string command = "env -u FTRUN_PLUGIN_PATH -u FTRUN_LOG " + environment + " " FTRUN_PROGRAM " " +
                              arguments + " >" + out + " 2>" + err + " </dev/null";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_text(out), read_text(err)};
}

std::string on_path(const std::string& name) { return "--plugin_path " + fixture_folder(name).string(); }

TEST(Cli, WithoutArgumentsItExplainsItself) {
  const Outcome plain = run("");
  EXPECT_EQ(plain.code, 0);
  EXPECT_THAT(plain.out, StartsWith("ftrun fine-tunes language models"));
  EXPECT_EQ(plain.err, "");
  EXPECT_EQ(run("--help").out, plain.out);
  EXPECT_EQ(run("-h").out, plain.out);
  EXPECT_EQ(run("help").out, plain.out);
}

TEST(Cli, HelpIsAsCommitted) {
  const std::filesystem::path golden = FTRUN_SOURCE_DIR "/tests/cli/help.txt";
  const std::string text = run("--help").out;
  if (std::getenv("FTRUN_UPDATE_GOLDEN") != nullptr) std::ofstream(golden, std::ios::binary) << text;
  EXPECT_EQ(text, read_text(golden)) << "FTRUN_UPDATE_GOLDEN=1 writes it anew";
}

TEST(Cli, HelpNeedsNoPluginAndLittleTime) {
#ifndef FTRUN_SANITIZER
  double least_seconds = 1e9;
  for (int i = 0; i < 5; ++i) {
    rusage before = {};
    rusage after = {};
    getrusage(RUSAGE_CHILDREN, &before);
    run("--help");
    getrusage(RUSAGE_CHILDREN, &after);
    const auto seconds = [](const rusage& usage) {
      return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    };
    least_seconds = std::min(least_seconds, seconds(after) - seconds(before));
  }
  EXPECT_LT(least_seconds, 0.050);
#endif
}

TEST(Cli, TrainHelpListsEveryHostKey) {
  const Outcome help = run("train --help");
  EXPECT_EQ(help.code, 0);
  for (const OptionSpec& spec : host_options()) {
    EXPECT_THAT(help.out, HasSubstr("--" + spec.key + " (" + (spec.has_default() ? spec.default_text : "not set")));
  }
  EXPECT_EQ(run("help train").out, help.out);
}

TEST(Cli, HelpAllListsPluginKeysToo) {
  const Outcome help = run("--help-all " + on_path("importer"));
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("strategy 'importer': imports\n"));
  EXPECT_THAT(help.out, HasSubstr("  --strategy.buckets (1)\n      how many; an integer >= 1 and <= 100\n"));
}

TEST(Cli, Version) {
  EXPECT_THAT(run("version").out, ::testing::MatchesRegex("ftrun [0-9.]+ \\(plugin ABI 1\\.0\\)\n"));
  EXPECT_EQ(run("--version").out, run("version").out);
  EXPECT_EQ(nlohmann::json::parse(run("version --json").out)["abi"], "1.0");
}

TEST(Cli, UnknownCommandsAndFlagsNameTheNearest) {
  const Outcome command = run("plugin");
  EXPECT_EQ(command.code, 2);
  EXPECT_EQ(command.out, "");
  EXPECT_THAT(command.err, StartsWith("error: unknown command 'plugin' (did you mean 'plugins'?); known: "));
  EXPECT_EQ(run("a/run.yaml").err,
            "error: unknown command 'a/run.yaml': a configuration is given as --config a/run.yaml\n");
  EXPECT_EQ(run("plugins lst").err,
            "error: cannot understand 'plugins lst' (did you mean 'list'?); expected: ftrun plugins [list | info NAME "
            "| check FILE]\n");
  EXPECT_EQ(run("plugins list --plugin_pth x").err,
            "error: unknown flag --plugin_pth: this command takes --plugin_path only\n");
  EXPECT_EQ(run("tokenize a b --frob").code, 2);
  EXPECT_EQ(run("version --config x").err, "error: 'version' takes no --config\n");
  EXPECT_THAT(run("--log_level loud version").err,
              HasSubstr("log level 'loud': expected one of debug, info, warning, error, off"));
  EXPECT_THAT(run("version", "FTRUN_LOG=debgu").err, HasSubstr("(did you mean 'debug'?)"));
}

TEST(Cli, FlagsOfOneCommandAreRefusedByTheOthers) {
  EXPECT_EQ(run("--rows 3").err, "error: --rows: 'train' has no use for it: it is a flag of 'ftrun data'\n");
  EXPECT_EQ(run("train --config x --decode").err,
            "error: --decode: 'train' has no use for it: it is a flag of 'ftrun tokenize'\n");
  EXPECT_EQ(run("data --config x --no_special_tokens").err,
            "error: --no_special_tokens: 'data' has no use for it: it is a flag of 'ftrun tokenize'\n");
  for (const char* command : {"check", "bench", "plugins", "devices", "version", "tokenize"}) {
    const Outcome outcome = run(std::string(command) + " --rows 1");
    EXPECT_EQ(outcome.code, 2) << command;
    EXPECT_THAT(outcome.err, HasSubstr("it is a flag of 'ftrun data'")) << command;
  }
  const Outcome negative = run("data --config x --rows -1");
  EXPECT_EQ(negative.code, 2);
  EXPECT_EQ(negative.err, "error: --rows: expected an integer >= 0, got -1\n");
  EXPECT_EQ(run("data --config x --rows two").code, 2);
}

TEST(Cli, HelpOfACommandSaysWhatItDoes) {
  const Outcome help = run("tokenize --help");
  EXPECT_EQ(help.code, 0);
  for (const char* part :
       {"ftrun tokenize MODEL_DIR [FILE] [--decode] [--no_special_tokens]\n", "ends at LF",
        "a CR before the LF belongs to the text", "Tokenizer.encode(text)", "--no_special_tokens  "}) {
    EXPECT_THAT(help.out, HasSubstr(part));
  }
}

TEST(Cli, WithoutAConfigurationUnknownFlagsAreNamedToo) {
  const Outcome nonsense = run("--nonsense");
  EXPECT_EQ(nonsense.code, 2);
  EXPECT_EQ(nonsense.out, "");
  EXPECT_THAT(nonsense.err, HasSubstr(" errors in the configuration:\n  --nonsense: unknown key 'nonsense'\n"));
  EXPECT_THAT(nonsense.err, HasSubstr("\n  stage is not set"));
  EXPECT_THAT(run("--learnin_rate 1").err,
              HasSubstr("--learnin_rate: unknown key 'learnin_rate' (did you mean 'learning_rate'?)"));
  const Outcome known = run("--learning_rate 1 --bf16");
  EXPECT_EQ(known.code, 2);
  EXPECT_THAT(known.err, HasSubstr("stage is not set"));
  EXPECT_THAT(known.err, Not(HasSubstr("unknown key")));
}

TEST(Cli, JsonAloneIsAnErrorObject) {
  const Outcome outcome = run("--json");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err, "");
  const auto error = nlohmann::json::parse(outcome.out)["error"];
  EXPECT_EQ(error["code"], "invalid_argument");
  EXPECT_THAT(error["message"].get<std::string>(), StartsWith("nothing to do: expected a command or --config FILE"));
}

TEST(Cli, ErrorsAsJson) {
  const Outcome outcome = run("plugins info nothing --json " + on_path("good"));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err, "");
  const auto error = nlohmann::json::parse(outcome.out)["error"];
  EXPECT_EQ(error["code"], "not_found");
  EXPECT_THAT(error["message"].get<std::string>(), StartsWith("unknown plugin 'nothing'"));
}

TEST(Cli, PluginsListReadsNotes) {
  const auto listing = nlohmann::json::parse(run("plugins --json " + on_path("other_major")).out);
  bool found = false;
  for (const auto& plugin : listing["plugins"]) {
    if (plugin["kind"] != "reward" || plugin["id"] != "sample") continue;
    found = true;
    EXPECT_EQ(plugin["abi"], "2.0");
    EXPECT_THAT(plugin["problem"].get<std::string>(), HasSubstr("is built for ABI 2"));
  }
  EXPECT_TRUE(found);
  EXPECT_THAT(run("plugins list " + on_path("good") + "," + fixture_folder("same_id").string()).out,
              HasSubstr("cannot be used: 'reward/sample' is provided twice, also by /"));
  EXPECT_THAT(run("plugins list " + on_path("good")).out, HasSubstr("reward       sample           1.0.0    /"));
  EXPECT_EQ(run("plugins list --plugin_path /no/such").err,
            "error: --plugin_path: '/no/such' (No such file or directory): expected a plugin library or a "
            "folder of them\n");
}

TEST(Cli, PluginsInfoPrintsTheOptionTable) {
  const Outcome info = run("plugins info importer " + on_path("importer"));
  EXPECT_EQ(info.code, 0);
  EXPECT_EQ(info.out, "strategy 'importer' 1.0.0: imports\n  file      " + fixture("importer").string() + R"(
  ABI       1.0
  without   create, destroy, attach, unit_enter, unit_exit, grads_ready, finish_grads, step, owned_range, read_range, write_range, schedule

Options (default)
  --foreign_file (not set)
      another framework's file; text
  --strategy.buckets (1)
      how many; an integer >= 1 and <= 100
  --gradient_accumulation_steps (4)
      another default; an integer >= 2 and <= 8
)");
  const auto json = nlohmann::json::parse(run("plugins info strategy/importer --json " + on_path("importer")).out);
  EXPECT_EQ(json["options"][1]["key"], "buckets");
  EXPECT_EQ(json["options"][0]["default"], nullptr);
}

TEST(Cli, PluginsCheck) {
  const Outcome good = run("plugins check " + fixture("good").string());
  EXPECT_EQ(good.code, 0);
  EXPECT_THAT(good.out, Not(HasSubstr("FAIL")));
  EXPECT_THAT(good.out, HasSubstr("pass  the query function is quick, repeatable and ends\n"));
  const Outcome bad = run("plugins check " + fixture("other_major").string());
  EXPECT_EQ(bad.code, 2);
  EXPECT_THAT(bad.out, HasSubstr("FAIL  ABI, sanitizer and CPU features fit this host\n"));
  EXPECT_EQ(run("plugins check /no/such.so").code, 2);
}

TEST(Cli, ConfigurationErrorsExitWithTwoAndWriteNothing) {
  const ScratchFolder folder;
  const auto file = folder.write("bad.yaml", "stage: copying\nfinetuning_type: full\nlearnin_rate: 1\noutput_dir: " +
                                                 (folder.path() / "out").string() + "\n");
  const Outcome outcome = run("check --config " + file.string() + " " + on_path("toys"));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr(file.string() + ":3: unknown key 'learnin_rate' (did you mean 'learning_rate'?)"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out"));
  EXPECT_THAT(run("--config /no/such.yaml").err, HasSubstr("/no/such.yaml"));
  EXPECT_EQ(run("--config /no/such.yaml").code, 2);
  EXPECT_EQ(run("train stray").err, "error: unexpected argument 'stray': expected --KEY VALUE\n");
}

TEST(Cli, ATruncatedPluginIsNamedAndNeverLoaded) {
  const ScratchFolder folder;
  const std::string good = read_text(fixture("good"));
  for (const size_t size : {good.size() - 1, good.size() / 2, size_t{1000}, size_t{10}, size_t{0}}) {
    const auto file = folder.write("cut.so", good.substr(0, size));
    const Outcome listing = run("plugins list --plugin_path " + folder.path().string());
    EXPECT_EQ(listing.code, 0);
    EXPECT_THAT(listing.out, HasSubstr("no plugin    " + file.string() + ": truncated: ")) << size;
    const Outcome given = run("--stage copying --finetuning_type full --plugin_path " + file.string());
    EXPECT_EQ(given.code, 2);
    EXPECT_THAT(given.err, StartsWith("error: " + file.string() + ": truncated: ")) << size;
    const Outcome selected = run("--stage copying --reward sample --plugin_path " + folder.path().string());
    EXPECT_EQ(selected.code, 2);
    EXPECT_THAT(selected.err, HasSubstr("unknown reward 'sample'"));
    EXPECT_THAT(selected.err, HasSubstr("not a plugin: " + file.string() + ": truncated: ")) << size;
  }
}

TEST(Cli, TokenizeNeedsAModel) {
  EXPECT_EQ(run("tokenize").code, 2);
  EXPECT_THAT(run("tokenize /no/such/model").err, HasSubstr("/no/such/model"));
  const std::string model = FTRUN_SHARED_DIR "/tokenizers/minimind";
  if (!std::filesystem::exists(model)) GTEST_SKIP() << "no shared tokenizers";
  const ScratchFolder folder;
  const auto text = folder.write("text", "Hello world\nzwei\n");
  const Outcome ids = run("tokenize " + model + " " + text.string());
  EXPECT_EQ(ids.code, 0);
  EXPECT_THAT(ids.out, StartsWith("["));
  const auto ids_file = folder.write("ids", ids.out);
  EXPECT_EQ(run("tokenize --decode " + model + " " + ids_file.string()).out, "Hello world\nzwei\n");
}

}  // namespace
}  // namespace ftrun
