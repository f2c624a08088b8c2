// Rows that are learnt as they stand and of which a person should know, and rows that mark every answer: counted,
// placed and warned of, whatever writes them.
#include "core/data/row_remarks.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::ordered_json;

Message call(const Json& arguments) {
  Message message{MessageRole::kAssistant};
  message.calls.push_back({"f", arguments, nullptr});
  return message;
}

AlignedRow asked(const std::string& question, std::vector<Message> answers) {
  AlignedRow row;
  row.prompt = {{MessageRole::kUser, question}};
  row.responses = std::move(answers);
  return row;
}

std::string odd(const Json& arguments) {
  return call_without_object(asked("q", {call(arguments)}), RowKind::kSupervised);
}

TEST(CallWithoutObject, ObjectsAndTheTextOfOnePass) {
  for (const Json& arguments : {Json::object(), Json({{"x", 1}}), Json("{}"), Json(" {\"x\": \"city=Rome\"}\n")})
    EXPECT_EQ(odd(arguments), "") << arguments;
  EXPECT_EQ(odd("city=Rome"), "'f': city=Rome");
  EXPECT_EQ(odd(""), "'f': ");
  EXPECT_EQ(odd("{'city': 'Rome'}"), "'f': {'city': 'Rome'}");
  EXPECT_EQ(odd("\"Rome\""), "'f': \"Rome\"") << "JSON, but nothing with names";
  EXPECT_EQ(odd(Json::array({1})), "'f': [1]");
  EXPECT_EQ(odd(nullptr), "'f': null");
}

TEST(CallWithoutObject, LongArgumentsAreCutBetweenCharactersAndMadePrintable) {
  std::string text = "\x1b";
  for (int i = 0; i < 40; ++i) text += "\u00e9";
  std::string whole = "'f': \\x1B";
  for (int i = 0; i < 29; ++i) whole += "\u00e9";
  EXPECT_EQ(odd(text), whole + "...");
}

TEST(CallWithoutObject, HistoryCountsAndAnswersToAvoidDoNot) {
  AlignedRow history = asked("q", {{MessageRole::kAssistant, "a"}});
  history.prompt.push_back(call("x"));
  history.prompt.push_back({MessageRole::kObservation, "1"});
  EXPECT_EQ(call_without_object(history, RowKind::kSupervised), "'f': x");
  const AlignedRow pair = asked("q", {call(Json::object()), call("x")});
  EXPECT_EQ(call_without_object(pair, RowKind::kPairwise), "");
  AlignedRow labelled = asked("q", {call("x")});
  EXPECT_EQ(call_without_object(labelled, RowKind::kLabelled), "");
  labelled.desirable = true;
  EXPECT_EQ(call_without_object(labelled, RowKind::kLabelled), "'f': x");
}

TEST(MediumInText, IsFoundInEveryTextButAPlainOne) {
  EXPECT_EQ(medium_in_text(asked("What is in <image>?", {}), RowKind::kSupervised), "'<image>'");
  EXPECT_EQ(medium_in_text(asked("<audio><image>", {}), RowKind::kSupervised), "'<audio>'") << "the first of them";
  EXPECT_EQ(medium_in_text(asked("q", {{MessageRole::kAssistant, "a <video>"}}), RowKind::kSupervised), "'<video>'");
  AlignedRow system = asked("an image, <images>, <image", {});
  EXPECT_EQ(medium_in_text(system, RowKind::kSupervised), "");
  system.system = "<image>";
  EXPECT_EQ(medium_in_text(system, RowKind::kSupervised), "'<image>'");
  EXPECT_EQ(medium_in_text(asked("<video> is a tag of HTML", {}), RowKind::kPlain), "");
}

class RowRemarks : public DataTest {
 protected:
  DataLedger ledger_of(const std::string& rows, const char* chat_template = "qwen3") {
    write("d.jsonl", rows);
    DataSpec asked = spec("d.jsonl");
    asked.template_name = chat_template;
    DataLedger ledger = prepare(asked).ledger;
    EXPECT_EQ(DataLedger::from_json(ledger.to_json()).to_json(), ledger.to_json());
    return ledger;
  }
};

TEST_F(RowRemarks, CallsArePlacedAndWarnedOf) {
  const auto row = [](const Json& arguments) {
    return Json{{"messages",
                 {{{"role", "user"}, {"content", "q"}},
                  {{"role", "assistant"},
                   {"content", nullptr},
                   {"tool_calls", {{{"function", {{"name", "f"}, {"arguments", arguments}}}}}}}}}}
               .dump() +
           "\n";
  };
  const std::string rows = row("{\"city\": \"Rome\"}") + row("city=Rome") + row("city=Oslo");
  for (const char* chat_template : {"qwen3", "qwen"}) {
    const DataLedger ledger = ledger_of(rows, chat_template);
    EXPECT_EQ(ledger.rows_kept, 3);
    EXPECT_EQ(ledger.odd_arguments.count, 2);
    EXPECT_THAT(ledger.warnings(), ElementsAre(AllOf(HasSubstr("2 rows have a tool call whose arguments are neither"),
                                                     HasSubstr("d.jsonl:2: 'f': city=Rome"))));
    EXPECT_THAT(ledger.to_text(), AllOf(HasSubstr("  2 have a tool call whose arguments are no JSON object\n"),
                                        HasSubstr("d.jsonl:3: 'f': city=Oslo\n")));
  }
  EXPECT_THAT(ledger_of(row(Json::object())).warnings(), IsEmpty());
}

TEST_F(RowRemarks, PlaceholdersWithoutAColumnOfMediaAreWarnedOf) {
  const DataLedger ledger = ledger_of(R"({"instruction": "What is in <image>?", "output": "b"})"
                                      "\n"
                                      R"({"instruction": "q", "output": "b"})");
  EXPECT_EQ(ledger.rows_kept, 2);
  EXPECT_EQ(ledger.media_in_text.count, 1);
  EXPECT_THAT(ledger.warnings(), ElementsAre(AllOf(HasSubstr("1 rows have a placeholder in their text"),
                                                   HasSubstr("no such column"), HasSubstr("d.jsonl:1: '<image>'"))));
  EXPECT_THAT(ledger.to_text(), HasSubstr("  1 have a placeholder of a picture, video or sound"));
}

class MarkedRows : public DataTest {
 protected:
  static std::string row(const char* first, const char* second) {
    return fmt::format(
               R"({{"messages": [{{"role": "user", "content": "q"}}, {{"role": "assistant", "content": "a"{}}},)"
               R"({{"role": "user", "content": "q"}}, {{"role": "assistant", "content": "b"{}}}]}})",
               first, second) +
           "\n";
  }
};

constexpr const char* kNot = R"(, "weight": 0)";

TEST_F(MarkedRows, AreDroppedUnderANameOfTheirOwn) {
  write("d.jsonl", row(kNot, kNot) + row("", kNot) + row(kNot, ""));
  DataSpec asked = spec("d.jsonl");
  DataLedger ledger = prepare(asked).ledger;
  EXPECT_EQ(ledger.marked_unlearnt.count, 1);
  EXPECT_EQ(ledger.rows_kept, 2);
  EXPECT_THAT(ledger.to_text(), HasSubstr("  1 dropped: every answer is marked as not to be learnt"));
  asked.mask_history = true;
  ledger = prepare(asked).ledger;
  EXPECT_EQ(ledger.marked_unlearnt.count, 2) << "only the last answer could be";
  EXPECT_EQ(ledger.without_supervision.count, 0);
  asked.mask_history = false;
  asked.train_on_prompt = true;
  EXPECT_EQ(prepare(asked).ledger.rows_kept, 3) << "the questions are learnt";
}

TEST_F(MarkedRows, NothingElseNamesTheMarksAndTheFirstRow) {
  write("d.jsonl", row(kNot, kNot) + row(kNot, kNot));
  const std::string message = failure_of(spec("d.jsonl"));
  EXPECT_THAT(message, AllOf(HasSubstr("dataset: the training data has no token to learn from: 2 rows read, 0 kept"),
                             HasSubstr("in 2 every answer is marked as not to be learnt (loss, weight or train)"),
                             HasSubstr("d.jsonl:1")));
}

TEST_F(MarkedRows, ACutThatTakesAnAnswerIsNoMark) {
  write("d.jsonl", row(kNot, "") + row(kNot, kNot));
  DataSpec asked = spec("d.jsonl");
  asked.cutoff_len = 12;
  asked.max_bad_rows = 0;
  const std::string message = failure_of(asked);
  EXPECT_THAT(message, AllOf(HasSubstr("cutoff_len: the training data"), HasSubstr("in 1 every answer is marked")));
}

}  // namespace
}  // namespace ftrun::testing
