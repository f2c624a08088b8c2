// Nothing of a message is lost without a word: text beside calls, thoughts, marks of what is to be learnt, parts, and
// keys that cannot be honoured.
#include <gmock/gmock.h>

#include "core/data/call_text.h"
#include "core/data/chat_messages.h"
#include "core/data/row_format.h"
#include "core/data/supervised_encoder.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;

AlignedRow convert(const std::string& row) {
  const Json json = Json::parse(row);
  for (const RowFormat& format : row_formats()) {
    if (const auto found = format.detect(json, RowKind::kSupervised))
      return format.bind(found->first, found->second, RowKind::kSupervised)->convert(json);
  }
  throw std::runtime_error(row);
}

/// A row whose answer is `message`, without its braces.
std::string row_with(const std::string& message, const std::string& question = R"("content": "q")") {
  return R"({"messages": [{"role": "user", )" + question + R"(}, {"role": "assistant", )" + message + "}]}";
}

Message answer(const std::string& message) { return convert(row_with(message)).responses.front(); }

std::string fault(const std::string& row) {
  try {
    convert(row);
  } catch (const RowError& reason) {
    return reason.what();
  }
  return "fits";
}

constexpr const char* kCall =
    R"("tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}])";

TEST(Message, TextThoughtAndCallsAreKept) {
  const Message message = answer(std::string(R"("content": "Looking.", "reasoning_content": "hm", )") + kCall);
  EXPECT_EQ(message.content, "Looking.");
  EXPECT_EQ(message.thought, "hm");
  ASSERT_EQ(message.calls.size(), 1U);
  EXPECT_EQ(message.calls[0].name, "f");
  EXPECT_EQ(message.calls[0].arguments, Json({{"x", 1}}));
  EXPECT_EQ(answer(R"("content": "a", "thinking": "hm")").thought, "hm");
  EXPECT_EQ(answer(std::string(R"("content": null, )") + kCall).content, "");
}

TEST(Message, ChatTemplatesGetWhatTheRowHas) {
  const std::string row =
      R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}], "name": "Ann", "tool_calls": null},
      {"role": "assistant", "content": null, "reasoning_content": "hm", )" +
      std::string(kCall) + R"(}, {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "1"},
      {"role": "tool", "tool_call_id": "c2", "content": "2"}, {"role": "assistant", "content": "a"}]})";
  const Json messages = chat_messages(whole_conversation(convert(row)), "s");
  EXPECT_EQ(messages,
            Json::parse(R"([{"role": "system", "content": "s"}, {"role": "user", "content": "q", "name": "Ann"},
      {"role": "assistant", "reasoning_content": "hm", )" +
                        std::string(kCall) + R"(},
      {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "1"},
      {"role": "tool", "tool_call_id": "c2", "content": "2"}, {"role": "assistant", "content": "a"}])"));
}

TEST(Message, AnswersMarkedAsBadAreNotLearnt) {
  for (const char* mark : {R"("loss": false)", R"("weight": 0)", R"("train": false)", R"("training": 0)",
                           R"("loss_scale": 0.0)", R"("loss_weight": 0)"})
    EXPECT_FALSE(answer(fmt::format(R"("content": "a", {})", mark)).is_trained) << mark;
  for (const char* mark : {R"("loss": true)", R"("weight": 1)", R"("weight": 1.0)", R"("train": null)"})
    EXPECT_TRUE(answer(fmt::format(R"("content": "a", {})", mark)).is_trained) << mark;
  EXPECT_THAT(fault(row_with(R"("content": "a", "weight": 0.5)")),
              AllOf(HasSubstr("message 2: 'weight' is 0.5"), HasSubstr("0, 1, true or false")));
  EXPECT_THAT(fault(row_with(R"("content": "a", "loss": "no")")), HasSubstr("'loss' is \"no\""));
  EXPECT_THAT(fault(row_with(R"("content": "a")", R"("content": "q", "train": true)")),
              HasSubstr("message 1: 'train' is true, and only what an assistant says is learnt"));
  EXPECT_EQ(fault(row_with(R"("content": "a")", R"("content": "q", "weight": 0)")), "fits");
  EXPECT_THAT(
      fault(R"({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a", "weight": 0.5}]})"),
      HasSubstr("message 2: 'weight'"));
}

TEST(Message, MasksFollowTheMarks) {
  DataSpec spec;
  spec.template_name = "chatml";
  spec.template_search_path = template_folders();
  const auto encoder = make_template_encoder(spec, golden_tokenizer());
  const AlignedRow row = convert(R"({"messages": [{"role": "user", "content": "one"},
      {"role": "assistant", "content": "wrong answer", "loss": false}, {"role": "user", "content": "again"},
      {"role": "assistant", "content": "right answer", "loss": true}]})");
  const EncodedExample example = encode_supervised(*encoder, {2048, false, false}, row);
  std::vector<int32_t> learnt;
  for (const int32_t label : example.labels) {
    if (label != kIgnoredLabel) learnt.push_back(label);
  }
  EXPECT_EQ(golden_tokenizer()->decode(learnt, false), "right answer<|im_end|>\n");
  EXPECT_TRUE(example.notes.answers_not_learnt);
}

class MessageLedger : public DataTest {
 protected:
  DataLedger ledger_of(DataSpec spec) const {
    spec.template_name = "qwen3";
    const DataLedger ledger = prepare(spec).ledger;
    EXPECT_EQ(DataLedger::from_json(ledger.to_json()).to_json(), ledger.to_json());
    return ledger;
  }
};

TEST_F(MessageLedger, CountsWhatATemplateDoesWithThoughtsAndMarks) {
  const char* answers[][2] = {{"<think>\nt1\n</think>\n\na1", "<think>\nt2\n</think>\n\na2"},
                              {"a1", "<think>\nt2\n</think>\n\na2"},
                              {"<think>\nt1\n</think>\n\na1", "a2"}};
  std::string rows;
  for (const auto& [first, second] : answers)
    rows += Json{{"messages",
                  {{{"role", "user"}, {"content", "q1"}},
                   {{"role", "assistant"}, {"content", first}},
                   {{"role", "user"}, {"content", "q2"}},
                   {{"role", "assistant"}, {"content", second}, {"loss", true}}}}}
                .dump() +
            "\n";
  write("d.jsonl", rows + R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", )"
                          R"("weight": 0}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]})");
  DataSpec asked = spec("d.jsonl");
  const RenderingCounts thinking = ledger_of(asked).rendering;
  EXPECT_EQ(thinking.history_thoughts_left_out, 2);
  EXPECT_EQ(thinking.empty_thoughts_trained, 2);
  EXPECT_EQ(thinking.answers_not_learnt, 1);
  EXPECT_EQ(thinking.thoughts_left_out + thinking.thoughts_preserved, 0);
  EXPECT_THAT(ledger_of(asked).to_text(), HasSubstr("  2 rows: thoughts of earlier turns are not written"));
  asked.enable_thinking = false;
  EXPECT_EQ(ledger_of(asked).rendering.thoughts_left_out, 3);
  EXPECT_EQ(ledger_of(asked).rendering.empty_thoughts_trained, 0);
  asked.enable_thinking = std::nullopt;
  EXPECT_EQ(ledger_of(asked).rendering.thoughts_left_out + ledger_of(asked).rendering.empty_thoughts_trained, 0);
  asked.preserve_thinking = true;
  EXPECT_EQ(ledger_of(asked).rendering.thoughts_preserved, 4);
}

TEST_F(MessageLedger, CountsTextThatThePublishedTemplateDropsAroundThoughts) {
  std::string rows;
  for (const char* answer : {"before <think>\nt\n</think>\n\nafter", "<think>t</think>a<think>u</think>b",
                             "\n<think>\nt\n</think>\n\nall of it", "no thought"})
    rows += Json{{"messages", {{{"role", "user"}, {"content", "q"}}, {{"role", "assistant"}, {"content", answer}}}}}
                .dump() +
            "\n";
  write("d.jsonl", rows);
  const DataLedger ledger = ledger_of(spec("d.jsonl"));
  EXPECT_EQ(ledger.rendering.text_left_out, 2);
  EXPECT_THAT(ledger.warnings(), ElementsAre(HasSubstr("2 rows have text")));
}

TEST(Message, AFunctionsResultInTheOldRoleNamesTheRoleToWrite) {
  EXPECT_THAT(
      fault(R"({"messages": [{"role": "user", "content": "q"}, {"role": "function", "name": "f", "content": "1"},
      {"role": "assistant", "content": "a"}]})"),
      HasSubstr("message 2: a result of the function 'f' has the role 'tool' here"));
}

TEST(Message, AFunctionsResultInTheOldRoleIsNamedInEveryFormat) {
  EXPECT_THAT(fault(R"({"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value":
      "{\"name\": \"f\", \"arguments\": {}}"}, {"from": "function", "name": "f", "value": "1"},
      {"from": "gpt", "value": "a"}]})"),
              HasSubstr("message 3: a result of the function 'f' has the role 'observation' here"));
  EXPECT_THAT(fault(R"({"conversations": [{"from": "human", "value": "q"}, {"from": "function", "value": "1"},
      {"from": "gpt", "value": "a"}]})"),
              HasSubstr("message 2 has the role 'function', expected one of"));
}

TEST(Message, ARoleThatTagsGiveAnotherMeaningHasItAlone) {
  const Json row = Json::parse(R"({"m": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"},
      {"role": "function", "name": "f", "content": "1"}, {"role": "assistant", "content": "b"}]})");
  const auto convert_with = [&](const char* format, const ColumnMap& tags) {
    return find_row_format(format).bind({{"messages", "m"}}, tags, RowKind::kSupervised)->convert(row);
  };
  const ColumnMap openai = {{"observation_tag", "function"}};
  EXPECT_EQ(convert_with("openai", openai).prompt[2].role, MessageRole::kObservation);
  ColumnMap sharegpt = {{"role_tag", "role"},
                        {"content_tag", "content"},
                        {"user_tag", "user"},
                        {"assistant_tag", "assistant"},
                        {"observation_tag", "function"}};
  EXPECT_EQ(convert_with("sharegpt", sharegpt).prompt[2].role, MessageRole::kObservation);
  sharegpt["observation_tag"] = "tool";
  EXPECT_THROW(convert_with("sharegpt", sharegpt), RowError);
}

TEST(Message, TextThatIsAbsentNamesTheKeyThatHasTheMeaning) {
  const char* former = R"("function_call": {"name": "f", "arguments": "{}"})";
  for (const char* text : {R"("content": null, )", R"("content": "", )", ""}) {
    EXPECT_THAT(fault(row_with(std::string(text) + former)),
                AllOf(HasSubstr("message 2: 'function_call' is not read here: write the call as \"tool_calls\": ["),
                      Not(HasSubstr("'content'"))));
    EXPECT_THAT(fault(row_with(std::string(text) + R"("refusal": "I cannot")")),
                HasSubstr("message 2: 'refusal' is not read here: write it as the text of the message"));
    EXPECT_THAT(fault(row_with(std::string(text) + R"("audio": {"id": "x"})")), HasSubstr("message 2: 'audio'"));
  }
  EXPECT_THAT(fault(row_with(R"("content": null, "refusal": null, "reasoning_content": "hm")")),
              HasSubstr("message 2: 'content' is null"));
  EXPECT_THAT(fault(row_with(R"("weight": 1)")), HasSubstr("message 2 has no 'content'"));
  EXPECT_THAT(fault(row_with(std::string(R"("content": null, )") + kCall + ", " + former)),
              HasSubstr("message 2: 'function_call' is not read here"));
  for (const char* key : {"function_call", "tool_calls"})
    EXPECT_THAT(fault(fmt::format(R"({{"conversations": [{{"from": "human", "value": "q"}},
        {{"from": "gpt", "value": null, "{}": [{{"name": "f"}}]}}]}})",
                                  key)),
                AllOf(HasSubstr(fmt::format("message 2: '{}' is not read here", key)),
                      HasSubstr("as the text of a message of its own")));
}

TEST(Message, HarmlessKeysAreAcceptedAndOthersAreNamed) {
  EXPECT_EQ(fault(row_with(R"("content": "a", "id": 7, "name": "bot", "refusal": null, "annotations": [], "audio": null,
      "function_call": null, "tool_calls": null, "tool_call_id": null, "anything": null, "timestamp": "now")")),
            "fits");
  for (const char* key : {"refusal", "function_call", "audio", "tool_plan", "images"})
    EXPECT_THAT(fault(row_with(fmt::format(R"("content": "a", "{}": {{"k": "v"}})", key))),
                HasSubstr(fmt::format("message 2: '{}'", key)));
  EXPECT_THAT(fault(row_with(R"("content": "a", "reasoning_contents": "x")")),
              HasSubstr("did you mean 'reasoning_content'"));
  EXPECT_THAT(fault(row_with(R"("content": "a")", R"("content": "q", "reasoning_content": "x")")),
              HasSubstr("message 1: has 'reasoning_content', and only an assistant thinks"));
  EXPECT_THAT(fault(row_with(R"("content": "a")", std::string(R"("content": "q", )") + kCall)),
              HasSubstr("message 1: has 'tool_calls', and only an assistant calls"));
  EXPECT_THAT(
      fault(
          R"({"conversations": [{"from": "human", "value": "q", "picture": "x.png"}, {"from": "gpt", "value": "a"}]})"),
      HasSubstr("message 1: 'picture'"));
}

TEST(Message, PartsCallsAndMarksLoseNothing) {
  const auto part = [](const std::string& more) {
    return fault(row_with(R"("content": "a")", R"("content": [{"type": "text", "text": "q")" + more + "}]"));
  };
  EXPECT_EQ(part(R"(, "id": "1", "annotations": [], "cache_control": {"type": "ephemeral"}, "value": "q")"), "fits");
  EXPECT_THAT(part(R"(, "weight": 0)"), HasSubstr("message 1: 'content' has a part with 'weight'"));
  EXPECT_THAT(part(R"(, "value": "r")"), HasSubstr("has a part with another 'value' than 'text'"));
  const auto call = [](const std::string& more) {
    return fault(row_with(R"("content": "", "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": {})" +
                          more + "}}]"));
  };
  EXPECT_EQ(call(R"(, "id": "1", "description": null)"), "fits");
  EXPECT_THAT(call(R"(, "thought": "x")"), HasSubstr("a tool call has 'thought' beside name and arguments"));
  EXPECT_EQ(fault(row_with(R"("content": "a", "weight": 0, "train": false)")), "fits");
  EXPECT_THAT(fault(row_with(R"("content": "a", "weight": 0, "train": true)")),
              HasSubstr("message 2: 'train' is true, and another mark of the message says otherwise"));
}

TEST(Message, PartsOfLlamaFactoryAreRead) {
  const std::string row =
      R"({"messages": [{"role": "user", "content": [{"type": "text", "value": "q"}], "loss_weight": 0.0},
      {"role": "assistant", "content": [{"type": "reasoning", "value": "hm"}, {"type": "text", "value": "a"},
       {"type": "tool_call", "value": "{\"name\": \"f\", \"arguments\": {}}"}], "loss_weight": 1.0}]})";
  const AlignedRow aligned = convert(row);
  EXPECT_EQ(aligned.prompt.front().content, "q");
  const Message& message = aligned.responses.front();
  EXPECT_EQ(message.content, "a");
  EXPECT_EQ(message.thought, "hm");
  ASSERT_EQ(message.calls.size(), 1U);
  EXPECT_EQ(chat_messages(aligned.responses, std::nullopt)[0]["tool_calls"][0]["function"]["name"], "f");
  EXPECT_THAT(fault(row_with(R"("content": [{"type": "image_url", "image_url": "x"}])")),
              HasSubstr("has a part that is not of type text but of type image_url"));
  EXPECT_THAT(fault(row_with(R"("content": [{"type": "text"}])")), HasSubstr("without 'text' or 'value'"));
}

TEST(CallText, FormsOfACall) {
  constexpr const char* kJson = R"({"name": "f", "arguments": {"x": 1}})";
  const struct {
    std::string text, content;
    size_t calls;
  } cases[] = {
      {kJson, "", 1},
      {fmt::format("[{0}, {0}]", kJson), "", 2},
      {fmt::format("<think>\nhm\n</think>\n\n{}", kJson), "<think>\nhm\n</think>\n", 1},
      {fmt::format("<think>hm</think>{}", kJson), "<think>hm</think>", 1},
      {fmt::format("so\n<tool_call>\n{0}\n</tool_call>\n<tool_call>\n{0}\n</tool_call>", kJson), "so", 2},
      {R"({"name": "f", "arguments": {"x": "</think>"}})", "", 1},
  };
  for (const auto& one : cases) {
    const Message message = message_with_calls(one.text);
    EXPECT_EQ(message.content, one.content) << one.text;
    EXPECT_EQ(message.calls.size(), one.calls) << one.text;
  }
  const auto refusal = [](const char* text) -> std::string {
    try {
      message_with_calls(text);
    } catch (const RowError& reason) {
      return reason.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal("<think>x</think>look"),
              AllOf(HasSubstr("a tool call is not JSON"), HasSubstr("<think>...</think>")));
  EXPECT_THAT(refusal(""), HasSubstr("a tool call is not JSON"));
  EXPECT_THAT(refusal(R"({"name": "f"})"), HasSubstr("the keys name and arguments"));
  EXPECT_THAT(refusal(R"({"name": 1, "arguments": {}})"), HasSubstr("a name that is not a string"));
  EXPECT_THAT(refusal(R"(<tool_call>{"name": "f", "arguments": {}})"), HasSubstr("without </tool_call>"));
  EXPECT_THAT(refusal(R"(<tool_call>{"name": "f", "arguments": {}}</tool_call> and more)"),
              HasSubstr("text after a tool call"));
}

}  // namespace
}  // namespace ftrun::testing
