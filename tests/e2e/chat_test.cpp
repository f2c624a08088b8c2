// `ftrun chat` through a pipe and on a terminal: what comes out, what is remembered, what Ctrl-C does.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/e2e/program.h"
#include "tests/e2e/trained_model.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> chat_arguments(const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"chat", "--model", trained_model().string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

json turns_of(const std::string& input, std::vector<std::string> more = {}) {
  more.emplace_back("--json");
  const ProgramResult result = pipe_into_ftrun(input, chat_arguments(more));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return json::parse(result.out).at("turns");
}

TEST(Chat, APipeGetsAnswersOnStdoutAndNothingElse) {
  const json turns = turns_of("Add 12 and 30.\nReverse the word cat.\n");
  ASSERT_EQ(turns.size(), 2U);
  const std::string first = turns[0].at("assistant"), second = turns[1].at("assistant");
  EXPECT_NE(first, "");
  EXPECT_NE(first, second);
  const ProgramResult plain = pipe_into_ftrun("Add 12 and 30.\n\n   \nReverse the word cat.\n", chat_arguments());
  EXPECT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_EQ(plain.out, first + "\n" + second + "\n");
  EXPECT_THAT(plain.err, HasSubstr("chat_template of '"));
  EXPECT_EQ(pipe_into_ftrun("Add 12 and 30.\nReverse the word cat.", chat_arguments()).out, plain.out)
      << "the last line may lack its end";
}

TEST(Chat, RemembersTheConversationUntilReset) {
  const std::string question = "Add 12 and 30.\n";
  const json kept = turns_of(question + question);
  const json reset = turns_of(question + "/reset\n" + question);
  ASSERT_EQ(kept.size(), 2U);
  ASSERT_EQ(reset.size(), 2U);
  EXPECT_EQ(reset[0], reset[1]) << "greedy: the same prompt has the same answer";
  EXPECT_EQ(kept[0], reset[0]);
  EXPECT_GT(kept[1].at("prompt_tokens").get<int>(), 2 * kept[0].at("prompt_tokens").get<int>());
}

TEST(Chat, SystemPromptByFlagAndByCommandAreTheSame) {
  const std::string question = "Add 12 and 30.\n";
  const json by_flag = turns_of(question, {"--system", "You count."});
  EXPECT_EQ(turns_of("/system You count.\n" + question), by_flag);
  EXPECT_GT(by_flag[0].at("prompt_tokens"), turns_of(question)[0].at("prompt_tokens"));
}

TEST(Chat, TheTemplateOfTrainingAndTheFoldersChatTemplateWriteTheSamePrompt) {
  const std::string questions = "Add 12 and 30.\nReverse the word cat.\n";
  EXPECT_EQ(turns_of(questions, {"--template", "chatml"}), turns_of(questions));
}

TEST(Chat, SamplingDependsOnTheSeedAndNothingElse) {
  const std::string questions = "Add 12 and 30.\n/reset\nAdd 12 and 30.\n";
  const std::vector<std::string> sampled = {"--do_sample", "true", "--temperature", "3",
                                            "--top_k",     "0",    "--top_p",       "1"};
  const auto with_seed = [&](const char* seed) {
    std::vector<std::string> more = sampled;
    more.insert(more.end(), {"--seed", seed});
    return turns_of(questions, more);
  };
  EXPECT_EQ(with_seed("1"), with_seed("1"));
  EXPECT_NE(with_seed("1"), with_seed("2"));
  EXPECT_NE(with_seed("1")[0], with_seed("1")[1]) << "asked again, it draws again";
}

TEST(Chat, StopStringsAndMaxNewTokensEndAnswers) {
  const std::string question = "Reverse this list: moon, rain, door.\n";
  const std::string whole = turns_of(question)[0].at("assistant");
  ASSERT_GE(whole.size(), 2U);
  const json stopped = turns_of(question, {"--stop", "['" + whole.substr(1, 1) + "']"});
  EXPECT_EQ(stopped[0].at("assistant"), whole.substr(0, whole.find(whole.substr(1, 1))));
  EXPECT_EQ(stopped[0].at("complete"), true);
  const json cut = turns_of(question, {"--max_new_tokens", "1"});
  EXPECT_EQ(cut[0].at("new_tokens"), 1);
  EXPECT_EQ(cut[0].at("complete"), false);
}

TEST(Chat, AConversationThatOutgrowsTheModelForgetsItsOldestTurns) {
  std::string input;
  for (int i = 0; i < 14; ++i) input += "Add 12 and 30. Then add 5 to it.\n";
  const ProgramResult result = pipe_into_ftrun(input, chat_arguments({"--json"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("oldest turns are forgotten"));
  const json turns = json::parse(result.out).at("turns");
  ASSERT_EQ(turns.size(), 14U);
  for (const json& turn : turns) EXPECT_LE(turn.at("prompt_tokens").get<int>(), 256);
}

TEST(Chat, AQuestionThatDoesNotFitIsRefusedAndTheNextIsAnswered) {
  std::string longest;
  for (int i = 0; i < 400; ++i) longest += "12 ";
  const ProgramResult result = pipe_into_ftrun(longest + "\nAdd 12 and 30.\n", chat_arguments());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("the model has 256 positions: shorten it"));
  EXPECT_EQ(result.out, "\n" + turns_of("Add 12 and 30.\n")[0].at("assistant").get<std::string>() + "\n")
      << "answers keep their places";
  const ProgramResult as_json = pipe_into_ftrun(longest + "\nAdd 12 and 30.\n", chat_arguments({"--json"}));
  EXPECT_EQ(as_json.exit_code, 2);
  const json turns = json::parse(as_json.out).at("turns");
  ASSERT_EQ(turns.size(), 2U);
  EXPECT_THAT(turns[0].at("error").get<std::string>(), HasSubstr("256 positions"));
  EXPECT_TRUE(turns[1].contains("assistant"));
}

TEST(Chat, UnknownCommandsAreNotQuestions) {
  const ProgramResult result = pipe_into_ftrun("/rest\n/help\n/exit\nnever read\n", chat_arguments());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("unknown command '/rest' (did you mean '/reset'?)"));
  EXPECT_THAT(result.err, HasSubstr("/system TEXT"));
}

TEST(Chat, BytesThatAreNotUtf8AreAnswered) {
  const ProgramResult result = pipe_into_ftrun("Add \xff\xfe and \xe4\xbd.\n", chat_arguments({"--json"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json turns = json::parse(result.out).at("turns");
  ASSERT_EQ(turns.size(), 1U);
  EXPECT_EQ(turns[0].at("user"), "Add \uFFFD\uFFFD and \uFFFD.");
}

bool wait_for(const fs::path& file, const std::string& text) {
  for (int i = 0; i < 600; ++i) {
    if (bytes_of(file).find(text) != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

TEST(Chat, ATerminalIsPromptedAndTheSecondInterruptLeaves) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(::grantpt(terminal) | ::unlockpt(terminal), 0);
  const int child_side = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY);
  ASSERT_GE(child_side, 0);
  const ProgramResult result = run_ftrun_on(child_side, chat_arguments(), [&](pid_t child, const fs::path& err) {
    EXPECT_TRUE(wait_for(err, "> ")) << bytes_of(err);
    const std::string line = "Add 12 and 30.\n";
    EXPECT_EQ(::write(terminal, line.data(), line.size()), static_cast<ssize_t>(line.size()));
    EXPECT_TRUE(wait_for(err, "> > "));
    ::kill(child, SIGINT);
    EXPECT_TRUE(wait_for(err, "Ctrl-C again"));
    ::kill(child, SIGINT);
  });
  ::close(child_side);
  ::close(terminal);
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_EQ(result.out, turns_of("Add 12 and 30.\n")[0].at("assistant").get<std::string>() + "\n");
}

TEST(Chat, AFileOfTrainingKeysServesAsItIs) {
  const TestFolder folder;
  const fs::path config = write_text(folder / "train.yaml", small_config(folder / "out"));
  const ProgramResult result =
      pipe_into_ftrun("Add 12 and 30.\n", {"chat", "--config", config.string(), "--model", trained_model().string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, turns_of("Add 12 and 30.\n")[0].at("assistant").get<std::string>() + "\n");
}

TEST(Chat, RefusesWhatCannotWork) {
  const struct {
    std::vector<std::string> arguments;
    std::string message;
  } cases[] = {{{"chat"}, "model_name_or_path: it is not set: give --model DIR"},
               {{"chat", "--model", "configs/demo/model"}, "no weights"},
               {{"chat", "--config", "configs/sft.yaml"}, "has no weights: give the folder that training wrote"},
               {chat_arguments({"--nproc", "2"}), "--nproc: a chat is one sequence of tokens"},
               {chat_arguments({"--temperatur", "1"}), "did you mean 'temperature'"},
               {chat_arguments({"--infer_dtype", "float16"}), "expected one of auto, float32, bfloat16"},
               {chat_arguments({"--template", "chatlm"}), "chatml"},
               {chat_arguments({"--stop", "['']"}), "--stop: an empty text would end every answer"},
               {chat_arguments({"--stop", ""}), "--stop: expected a text that ends an answer"},
               {chat_arguments({"--learning_rate", "3"}), "--learning_rate: 'chat' has no use for it: remove it"},
               {chat_arguments({"--dataset_dir", "x"}), "--dataset_dir: 'chat' has no use for it"},
               {chat_arguments({"--max_steps", "3", "--template", "chatml"}), "--max_steps: 'chat' has no use for it"}};
  for (const auto& one : cases) {
    const ProgramResult result = pipe_into_ftrun("Hi\n", one.arguments);
    EXPECT_EQ(result.exit_code, 2) << one.message << "\n" << result.all();
    EXPECT_THAT(result.err, HasSubstr(one.message));
    EXPECT_EQ(result.out, "");
  }
}

TEST(Chat, Bf16AnswersToo) {
  EXPECT_EQ(turns_of("Add 12 and 30.\n", {"--infer_dtype", "bfloat16"}).size(), 1U);
  EXPECT_EQ(turns_of("Add 12 and 30.\n", {"--bf16", "true"}),
            turns_of("Add 12 and 30.\n", {"--infer_dtype", "bfloat16"}));
}

}  // namespace
}  // namespace ftrun::test
