// Rows read for their prompts: every format and kind, with and without an answer.
#include <gmock/gmock.h>

#include "core/data/data_source.h"
#include "core/data/row_reader.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class PromptRowTest : public DataTest {
 protected:
  DataSource source(const std::string& value) const {
    return resolve_data_source(value, folder_, "eval_dataset", RowKind::kPrompt);
  }
  /// The first row's messages as "q|a|q" and, where it has an answer, " -> answer".
  std::string first_row(const std::string& value) const {
    const DataSource found = source(value);
    const auto converter = find_row_format(found.format).bind(found.columns, found.tags, RowKind::kPrompt);
    const MappedFile file(found.files.front());
    RowReader reader(file);
    const AlignedRow row = converter->convert(parse_row(file, *reader.next()));
    std::string text = row.system ? "[" + *row.system + "]" : "";
    for (size_t i = 0; i < row.prompt.size(); ++i) text += (i > 0 ? "|" : "") + row.prompt[i].content;
    EXPECT_LE(row.responses.size(), 1U);
    return row.responses.empty() ? text : text + " -> " + row.responses.front().content;
  }
  std::string by_path(const std::string& row) const {
    write("d.jsonl", row + "\n");
    return first_row("d.jsonl");
  }
};

TEST_F(PromptRowTest, ARowByPathNeedsNoAnswer) {
  const struct {
    const char* row;
    const char* expected;
  } cases[] = {
      {R"({"instruction": "q"})", "q"},
      {R"({"instruction": "q", "input": "i", "output": null})", "q\ni"},
      {R"({"instruction": "q", "output": "a", "system": "s"})", "[s]q -> a"},
      {R"({"prompt": "q", "completion": "a"})", "q -> a"},
      {R"({"prompt": "q", "predict": "x", "label": "y"})", "q"},
      {R"({"instruction": "q", "chosen": "good", "rejected": "bad"})", "q -> good"},
      {R"({"instruction": "q", "output": "a", "kto_tag": true})", "q -> a"},
      {R"({"instruction": "q", "output": "a", "kto_tag": false})", "q"},
      {R"({"prompt": "q", "completion": "a", "label": false})", "q"},
      {R"({"text": "Once upon"})", "Once upon"},
      {R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]})", "[s]q"},
      {R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]})", "q -> a"},
      {R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"},
           {"role": "user", "content": "r"}]})",
       "q|a|r"},
      {R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "label": false})",
       "q"},
      {R"({"conversations": [{"from": "human", "value": "q"}]})", "q"},
      {R"({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]})", "q -> a"},
      {R"({"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "good"},
           "rejected": {"from": "gpt", "value": "bad"}})",
       "q -> good"},
      {R"({"prompt": [{"role": "user", "content": "q"}], "chosen": [{"role": "assistant", "content": "good"}],
           "rejected": [{"role": "assistant", "content": "bad"}]})",
       "q -> good"},
      {R"({"chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "good"}],
           "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "bad"}]})",
       "q -> good"},
      {R"({"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]})",
       "q -> a"},
      {R"({"prompt": [{"role": "user", "content": "q"}]})", "q"},
  };
  for (const auto& one : cases) {
    std::string row = one.row;
    std::erase(row, '\n');
    EXPECT_EQ(by_path(row), one.expected) << row;
  }
  write("t.txt", "Once upon\na time\n");
  EXPECT_EQ(first_row("t.txt"), "Once upon");
}

TEST_F(PromptRowTest, AnEntryOfAnyKindNeedsNoAnswerColumn) {
  write("dataset_info.json", R"({
    "no_response": {"file_name": "a.jsonl", "columns": {"prompt": "q"}},
    "response": {"file_name": "a.jsonl", "columns": {"prompt": "q", "response": "a"}},
    "absent": {"file_name": "a.jsonl", "columns": {"prompt": "q", "response": "answer"}},
    "ranking": {"file_name": "a.jsonl", "ranking": true,
                "columns": {"prompt": "q", "chosen": "c", "rejected": "r", "margin": "m"}},
    "default_ranking": {"file_name": "a.jsonl", "ranking": true},
    "labels": {"file_name": "a.jsonl", "columns": {"prompt": "q", "response": "a", "kto_tag": "k"}},
    "sharegpt": {"file_name": "a.jsonl", "formatting": "sharegpt", "columns": {"messages": "talk"}},
    "openai": {"file_name": "a.jsonl", "formatting": "openai", "columns": {"messages": "messages"}},
    "nothing": {"file_name": "a.jsonl", "columns": {"system": "q"}},
    "odd": {"file_name": "a.jsonl", "formatting": "openai", "columns": {"messages": "messages", "query": "q"}}
  })");
  write("a.jsonl", R"({"q": "q", "a": "a", "c": "good", "r": "bad", "k": true, "instruction": "q", "chosen": "good", )"
                   R"("rejected": "bad", "talk": [{"from": "human", "value": "q"}], )"
                   R"("messages": [{"role": "user", "content": "q"}]})");
  EXPECT_EQ(first_row("no_response"), "q");
  EXPECT_EQ(first_row("response"), "q -> a");
  EXPECT_EQ(first_row("absent"), "q");
  EXPECT_EQ(first_row("ranking"), "q -> good");
  EXPECT_EQ(first_row("default_ranking"), "q -> good");
  EXPECT_EQ(first_row("labels"), "q -> a");
  EXPECT_EQ(first_row("sharegpt"), "q");
  EXPECT_EQ(first_row("openai"), "q") << "the entry's columns have no answer";
  const auto fault = [&](const char* name) -> std::string {
    try {
      source(name);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(fault("nothing"), HasSubstr("dataset 'nothing': columns: the alpaca format needs 'prompt' or 'query'"));
  EXPECT_THAT(fault("odd"), HasSubstr("columns.query: the openai format has no use for it"));
}

TEST_F(PromptRowTest, RowsWithoutAPromptAreRefusedInPredictsWords) {
  write("k.json", R"([{"foo": 1}])");
  try {
    source("k.json");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("k.json:1: cannot tell the format"),
                                    HasSubstr("this command answers prompts: expected messages"),
                                    ::testing::Not(HasSubstr("learns"))));
  }
}

TEST_F(PromptRowTest, NoStageCanAskForIt) {
  EXPECT_THROW(parse_row_kind("prompt"), Error);
  EXPECT_EQ(parse_row_kind("plain"), RowKind::kPlain);
}

}  // namespace
}  // namespace ftrun::testing
