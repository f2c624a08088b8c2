// Lines of a chat: commands, questions, continued lines; what a terminal is spared.
#include "core/inference/chat_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/inference/terminal_text.h"

namespace ftrun {
namespace {

TEST(TerminalText, AnAnswerCannotSteerTheTerminal) {
  EXPECT_EQ(terminal_output("caf\u00e9\t\n\u4f60 \U0001f600"), "caf\u00e9\t\n\u4f60 \U0001f600");
  EXPECT_EQ(terminal_output("a\x1b[2Jb\rc\x7f\xc2\x9b"
                            "31m"),
            "a\uFFFD[2Jb\uFFFDc\uFFFD\uFFFD31m");
  EXPECT_EQ(terminal_output("\u00a0\xc2\x80"), "\u00a0\uFFFD");
}

TEST(TerminalText, KeysLeaveNothingInALine) {
  EXPECT_EQ(terminal_input("Re\x1b[D\x1b[1;5Cverse\x1bOA \u4f60\ttwo\nlines"), "Reverse \u4f60\ttwo\nlines");
  EXPECT_EQ(terminal_input("\x1b[A"), "");
  EXPECT_EQ(terminal_input("a\x1b"), "a");
  EXPECT_EQ(terminal_input("a\x1b[12"), "a");
  EXPECT_EQ(terminal_input("[D\x01O"), "[DO");
}

TEST(ChatLine, CommandsAndQuestions) {
  EXPECT_EQ(parse_chat_line("/reset").action, ChatAction::kReset);
  EXPECT_EQ(parse_chat_line("/reset  ").action, ChatAction::kReset);
  EXPECT_EQ(parse_chat_line("/help").action, ChatAction::kHelp);
  EXPECT_EQ(parse_chat_line("/exit").action, ChatAction::kExit);
  EXPECT_EQ(parse_chat_line("/quit").action, ChatAction::kExit);
  EXPECT_EQ(parse_chat_line(" \t ").action, ChatAction::kNothing);
  EXPECT_EQ(parse_chat_line("").action, ChatAction::kNothing);
  const ChatLine system = parse_chat_line("/system  You are  terse. ");
  EXPECT_EQ(system.action, ChatAction::kSystem);
  EXPECT_EQ(system.text, "You are  terse.");
  EXPECT_EQ(parse_chat_line("/system").text, "");
  for (const char* question : {"What?", " /reset", "/etc/passwd holds what?", "  indented"}) {
    const ChatLine line = parse_chat_line(question);
    EXPECT_EQ(line.action, ChatAction::kAsk) << question;
    EXPECT_EQ(line.text, question) << "as it was typed";
  }
}

TEST(ChatLine, UnknownCommandsNameTheNearest) {
  try {
    parse_chat_line("/resett");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
    EXPECT_THAT(error.what(), testing::HasSubstr("did you mean '/reset'"));
  }
}

std::vector<std::string> lines_of(const std::string& bytes) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  EXPECT_EQ(::write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  ::close(ends[1]);
  ChatInput input(ends[0]);
  std::vector<std::string> lines;
  std::string line;
  while (input.read(line, [] {}) == ChatInput::Status::kLine) lines.push_back(line);
  ::close(ends[0]);
  return lines;
}

TEST(ChatInput, LinesOfAPipe) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(lines_of(""), Lines{});
  EXPECT_EQ(lines_of("one\ntwo\r\n\nthree"), (Lines{"one", "two", "", "three"}));
  EXPECT_EQ(lines_of("one \\\ntwo\\\n\\\nthree\nfour\n"), (Lines{"one \ntwo\n\nthree", "four"}));
  EXPECT_EQ(lines_of("open\\"), (Lines{"open\\"})) << "nothing follows";
  const std::string longest(20000, 'x');
  EXPECT_EQ(lines_of(longest + "\nend\n"), (Lines{longest, "end"}));
}

}  // namespace
}  // namespace ftrun
