// Columns that nothing reads are counted over all rows, warned of, and remembered by the cache; other media are
// refused.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "core/data/unread_columns.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Json = nlohmann::ordered_json;

class UnreadColumnsTest : public DataTest {
 protected:
  DataLedger ledger_of(const std::string& rows) {
    write("d.jsonl", rows);
    return prepare(spec("d.jsonl")).ledger;
  }
  UnreadColumns of(const std::string& first_row, RowKind kind = RowKind::kSupervised) {
    write("one.jsonl", first_row);
    return {resolve_data_source((folder_ / "one.jsonl").string(), folder_, "dataset", kind), kind};
  }
};

TEST_F(UnreadColumnsTest, AreCountedOverAllRows) {
  const DataLedger ledger =
      ledger_of(R"({"instruction": "a", "output": "b"})"
                "\n"
                R"({"instruction": "a", "output": "b", "context": "c", "ouput": "d"})"
                "\n"
                R"({"instruction": "a", "output": "b", "context": "c", "id": 7})"
                "\n"
                R"({"instruction": "a", "output": "b", "context": null, "input": "", "tools": []})");
  ASSERT_EQ(ledger.unread_columns.size(), 3u);
  EXPECT_EQ(ledger.unread_columns[0].column, "context");
  EXPECT_EQ(ledger.unread_columns[0].rows, 2);
  EXPECT_EQ(ledger.unread_columns[0].might_mean, "query");
  EXPECT_EQ(ledger.unread_columns[1].column, "ouput");
  EXPECT_EQ(ledger.unread_columns[1].might_mean, "response");
  EXPECT_TRUE(ledger.unread_columns[2].is_metadata);
  EXPECT_THAT(ledger.warnings(),
              ElementsAre(AllOf(HasSubstr("d.jsonl"), HasSubstr("'context', and 2 rows"),
                                HasSubstr("columns: {\"query\": \"context\"}")),
                          AllOf(HasSubstr("'ouput', and 1 rows"), HasSubstr("columns: {\"response\": \"ouput\"}"))));
  EXPECT_THAT(ledger.to_text(), AllOf(HasSubstr("2 rows of"), HasSubstr("'context', which nothing reads"),
                                      HasSubstr("not read: id (1)")));
}

TEST_F(UnreadColumnsTest, TheCacheRemembersThem) {
  const std::string rows = R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
                               "context": "c", "uuid": "1"})";
  std::string line = rows;
  line.erase(line.find('\n'), 1);
  const DataLedger first = ledger_of(line);
  const DataLedger second = prepare(spec("d.jsonl")).ledger;
  EXPECT_THAT(second.to_text(), HasSubstr("cache: "));
  EXPECT_EQ(first.warnings().size(), 1u);
  EXPECT_EQ(second.warnings(), first.warnings());
  EXPECT_EQ(second.to_json().at("unread_columns"), first.to_json().at("unread_columns"));
  EXPECT_EQ(second.to_json().at("warnings").size(), 1u);
}

TEST_F(UnreadColumnsTest, RowsOfAnotherMediumAreBad) {
  const UnreadColumns columns = of(R"({"instruction": "a", "output": "b"})");
  const auto fault = [&](const char* row) {
    try {
      columns.of_row(Json::parse(row));
    } catch (const RowError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  for (const char* column : {"images", "image", "image_url", "videos", "video", "audios", "audio"}) {
    const std::string row = R"({"instruction": "a", "output": "b", ")" + std::string(column) + R"(": ["x"]})";
    EXPECT_THAT(fault(row.c_str()), AllOf(HasSubstr(column), HasSubstr("text is the only medium"))) << column;
  }
  EXPECT_THAT(fault(R"({"image": {"bytes": "x"}})"), HasSubstr("a picture"));
  EXPECT_THAT(fault(R"({"instruction": "<image>what is it", "output": "b", "images": []})"), HasSubstr("'<image>'"));
  EXPECT_EQ(fault(R"({"instruction": "<image> is a tag of HTML", "output": "b"})"), "");
  EXPECT_EQ(fault(R"({"instruction": "a", "output": "b", "images": null, "videos": [], "audio": "", "image": [null]})"),
            "");
}

TEST_F(UnreadColumnsTest, RowsWithPicturesLeaveTheRun) {
  const std::string row =
      R"({"messages": [{"role": "user", "content": "<image>What is it?"}, {"role": "assistant", "content": "a cat"}], )";
  write("d.jsonl", row + "\"images\": [\"cat.png\"]}\n" + row + "\"images\": [\"dog.png\"]}\n");
  EXPECT_THAT(failure_of(spec("d.jsonl")),
              AllOf(HasSubstr("2 of 2 rows"), HasSubstr("d.jsonl:1: column 'images' has pictures")));
}

TEST_F(UnreadColumnsTest, ColumnsThatAreReadAreNotAmongThem) {
  EXPECT_THAT(of(R"({"text": "a", "image": "b"})", RowKind::kPlain).of_row(Json::parse(R"({"text": "a", "url": "u"})")),
              ElementsAre("url"));
  EXPECT_THAT(of(R"({"prompt": "q", "chosen": "a", "rejected": "b"})", RowKind::kPairwise)
                  .of_row(Json::parse(R"({"prompt": "q", "chosen": "a", "rejected": "b", "margin": 2})")),
              IsEmpty());
  EXPECT_THAT(of(R"({"instruction": "a", "output": "b"})").of_row(Json::parse("[1]")), IsEmpty());
}

TEST_F(UnreadColumnsTest, JsonNamedTxtIsWarnedOf) {
  DataSpec text = spec("d.txt");
  text.kind = RowKind::kPlain;
  text.template_name = "empty";
  for (const char* json : {"[\n {\n  \"instruction\": \"a\"\n }\n]", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n"}) {
    write("d.txt", json);
    EXPECT_THAT(prepare(text).ledger.warnings(), ElementsAre(AllOf(HasSubstr("d.txt"), HasSubstr("name it .json"))));
    EXPECT_EQ(prepare(text).ledger.warnings().size(), 1u) << "from the cache";
  }
  for (const char* prose : {"[1] A footnote.\n", "{braces} and more\n", "A line.\n"}) {
    write("d.txt", prose);
    EXPECT_THAT(prepare(text).ledger.warnings(), IsEmpty()) << prose;
  }
}

TEST_F(UnreadColumnsTest, PairsInOneColumnAreToldHowTheyAreWrittenToday) {
  write("d.jsonl", R"({"instruction": "q", "input": "", "output": ["good", "bad"], "history": []})");
  write("dataset_info.json", R"({"old": {"file_name": "d.jsonl", "ranking": true,
      "columns": {"prompt": "instruction", "query": "input", "response": "output", "history": "history"}}})");
  DataSpec pairs = spec("d.jsonl");
  pairs.kind = RowKind::kPairwise;
  EXPECT_THAT(failure_of(pairs), AllOf(HasSubstr("columns.chosen"), HasSubstr("columns.rejected")));
  pairs.datasets = {"old"};
  EXPECT_THAT(failure_of(pairs), AllOf(HasSubstr("dataset_info.json"), HasSubstr("columns.response: pairs with both"),
                                       HasSubstr("columns.rejected")));
}

}  // namespace
}  // namespace ftrun::testing
