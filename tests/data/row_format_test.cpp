// Row formats against LLaMA-Factory's converters, the messages for rows that do not fit, and data source look-up.
#include <gmock/gmock.h>

#include <random>

#include "core/base/files.h"
#include "core/data/data_source.h"
#include "core/data/python_json.h"
#include "core/data/row_format.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

constexpr RowKind kKind = RowKind::kSupervised;

ColumnMap map_from(const Json& group, const char* key, const ColumnMap& otherwise) {
  return group.contains(key) ? group.at(key).get<ColumnMap>() : otherwise;
}

/// The oracle has calls as JSON text under a role of their own, and joins the answers of tools called together.
Json as_the_oracle_has_them(const std::vector<Message>& messages) {
  Json result = Json::array();
  for (const Message& message : messages) {
    if (message.calls.empty()) {
      const bool joins = message.role == MessageRole::kObservation && result.back()[0] == "observation";
      if (joins) {
        result.back()[1] =
            result.back()[1].get<std::string>() + "\n</tool_response>\n<tool_response>\n" + message.content;
      } else {
        result.push_back(Json::array({std::string(role_name(message.role)), message.content}));
      }
      continue;
    }
    Json calls = Json::array();
    for (const ToolCall& call : message.calls) calls.push_back({{"name", call.name}, {"arguments", call.arguments}});
    const bool is_bare = message.given.is_null();
    result.push_back(Json::array({"function", python_json(is_bare ? calls[0] : calls)}));
  }
  return result;
}

TEST(RowFormatGolden, RowsEqualTheOracle) {
  const Json goldens = Json::parse(read_file(golden_folder() / "template_rows.json"));
  size_t fitting = 0;
  for (const auto& group : goldens) {
    const RowFormat& format = find_row_format(group.at("formatting").get<std::string>());
    const auto converter = format.bind(map_from(group, "columns", format.default_columns(kKind)),
                                       map_from(group, "tags", format.default_tags), kKind);
    for (const auto& item : group.at("rows")) {
      SCOPED_TRACE(group.at("name").get<std::string>() + " " + item.at("row").dump());
      const Json& row = item.at("row");
      if (!item.at("fits").get<bool>()) {
        EXPECT_THROW(converter->convert(row), RowError);
        continue;
      }
      const AlignedRow aligned = converter->convert(row);
      EXPECT_EQ(as_the_oracle_has_them(whole_conversation(aligned)), item.at("messages"));
      EXPECT_EQ(aligned.system.value_or(""), item.at("system").get<std::string>());
      ++fitting;
    }
  }
  EXPECT_GT(fitting, 12u);
}

std::string row_fault(const char* format_name, const std::string& row) {
  const RowFormat& format = find_row_format(format_name);
  try {
    format.bind(format.default_columns(kKind), format.default_tags, kKind)->convert(Json::parse(row));
  } catch (const RowError& reason) {
    return reason.what();
  }
  return "fits";
}

TEST(RowFormat, FaultsSayWhatWasExpected) {
  EXPECT_THAT(row_fault("alpaca", R"({"instrction": "a", "output": "b"})"),
              AllOf(HasSubstr("no column 'instruction'"), HasSubstr("did you mean 'instrction'")));
  EXPECT_THAT(row_fault("alpaca", R"({"instruction": "a", "output": 5})"), HasSubstr("'output' is a number"));
  EXPECT_THAT(row_fault("alpaca", R"({"instruction": ["a"], "output": "b"})"), HasSubstr("'instruction' is an array"));
  EXPECT_THAT(row_fault("alpaca", "[1]"), HasSubstr("is an array, expected an object"));
  EXPECT_THAT(row_fault("sharegpt", R"({"conversations": "x"})"), HasSubstr("expected an array"));
  EXPECT_THAT(row_fault("sharegpt", R"({"conversations": [{"from": "human"}]})"),
              HasSubstr("message 1 has no 'value'"));
  EXPECT_THAT(row_fault("sharegpt", R"({"conversations": [{"from": "bot", "value": "x"}]})"),
              AllOf(HasSubstr("'bot'"), HasSubstr("human")));
  EXPECT_THAT(row_fault("openai", R"({"messages": [{"role": "user", "content": "x"}]})"), HasSubstr("role user"));
  EXPECT_THAT(row_fault("openai", R"({"messages": [{"role": "user", "content": 1}]})"), HasSubstr("is a number"));
  EXPECT_THAT(row_fault("openai", R"({"messages": [{"role": "user", "content": [{"type": 3}]}]})"),
              HasSubstr("not of type text"));
  EXPECT_THAT(
      row_fault("openai", R"({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]})"),
      HasSubstr("first message only"));
}

TEST(RowFormat, OpenaiContentPartsOfTypeTextAreJoined) {
  EXPECT_EQ(row_fault("openai", R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"},
      {"type": "text", "text": "b"}]}, {"role": "assistant", "content": "c"}]})"),
            "fits");
}

TEST(RowFormat, AnyJsonConvertsOrIsAFault) {
  std::mt19937 random(99);
  const std::vector<std::string> names = {
      "instruction", "input", "output",  "history",    "system",   "messages", "tools",     "from",
      "value",       "role",  "content", "human",      "gpt",      "user",     "assistant", "tool",
      "type",        "text",  "name",    "tool_calls", "function", "system",   "",          "conversations"};
  const auto name = [&] { return names[random() % names.size()]; };
  std::function<Json(int)> value = [&](int depth) -> Json {
    switch (random() % (depth > 0 ? 7 : 4)) {
      case 0:
        return nullptr;
      case 1:
        return random() % 9;
      case 2:
      case 3:
        return name();
      case 4: {
        Json list = Json::array();
        for (auto i = random() % 4; i > 0; --i) list.push_back(value(depth - 1));
        return list;
      }
      default: {
        Json object = Json::object();
        for (auto i = random() % 5; i > 0; --i) object[name()] = value(depth - 1);
        return object;
      }
    }
  };
  int fitting = 0;
  for (int round = 0; round < 3000; ++round) {
    Json row = value(4);
    if (random() % 2 == 0) row = Json{{"instruction", name()}, {"output", name()}, {"history", value(3)}};
    for (const RowFormat& format : row_formats()) {
      format.detect(row, kKind);
      try {
        const AlignedRow aligned = format.bind(format.default_columns(kKind), format.default_tags, kKind)->convert(row);
        EXPECT_FALSE(aligned.prompt.back().is_answer());
        EXPECT_EQ(aligned.responses.size(), 1u);
        ++fitting;
      } catch (const RowError&) {
      }
    }
  }
  EXPECT_GT(fitting, 300);
}

class DataSourceTest : public DataTest {
 protected:
  std::string fault(const std::string& value, ftrun_status expected = FTRUN_INVALID_ARGUMENT) const {
    try {
      resolve_data_source(value, folder_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), expected) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "accepted " << value;
    return {};
  }
};

TEST_F(DataSourceTest, FormatIsFoundFromTheFirstRow) {
  write("a.json", R"([{"instruction": "i", "output": "o"}])");
  write("p.jsonl", R"({"prompt": "i", "response": "o"})");
  write("s.json", R"([{"conversations": [{"from": "human", "value": "x"}]}])");
  write("m.jsonl", R"({"messages": [{"role": "user", "content": "x"}]})");
  write("c.jsonl", R"({"conversations": [{"role": "user", "content": "x"}]})");
  EXPECT_EQ(resolve_data_source("a.json", folder_).format, "alpaca");
  EXPECT_EQ(resolve_data_source("p.jsonl", folder_).columns.at("response"), "response");
  EXPECT_EQ(resolve_data_source((folder_ / "s.json").string(), "elsewhere").format, "sharegpt");
  EXPECT_EQ(resolve_data_source("m.jsonl", folder_).format, "openai");
  EXPECT_EQ(resolve_data_source("c.jsonl", folder_).columns.at("messages"), "conversations");
}

TEST_F(DataSourceTest, UnknownFormatsAndTypesAreRefusedWithAdvice) {
  write("t.jsonl", R"({"text": "x"})");
  write("k.json", "[\n\n {\"foo\": 1, \"bar\": 2}]");
  write("x.csv", "a,b");
  write("x.parquet", "");
  write("x.txt", "");
  write("e.json", "[]");
  EXPECT_THAT(fault("t.jsonl"), HasSubstr("pretraining"));
  EXPECT_THAT(fault("k.json"), AllOf(HasSubstr("k.json:3"), HasSubstr("foo, bar")));
  EXPECT_THAT(fault("x.csv"), HasSubstr("read_csv"));
  EXPECT_THAT(fault("x.parquet"), HasSubstr("read_parquet"));
  EXPECT_THAT(fault("x.txt"), HasSubstr("pretraining"));
  EXPECT_THAT(fault("e.json"), HasSubstr("no rows"));
  EXPECT_THAT(fault("missing.json", FTRUN_NOT_FOUND), HasSubstr("does not exist"));
  EXPECT_THAT(fault("name", FTRUN_NOT_FOUND), HasSubstr("dataset_info.json"));
}

TEST_F(DataSourceTest, FoldersAreExplained) {
  write("set/dataset_info.json", R"({"one": {"file_name": "a.json"}, "two": {"file_name": "b.json"}})");
  write("mixed/a.json", "[]");
  write("mixed/README.md", "");
  std::filesystem::create_directories(folder_ / "empty");
  const auto path = [&](const char* name) { return (folder_ / name).string(); };
  EXPECT_THAT(fault(path("set")), AllOf(HasSubstr("write 'dataset_dir: "), HasSubstr("data sets: one, two")));
  EXPECT_THAT(fault(path("mixed")), AllOf(HasSubstr("is a folder and holds 'README.md'"), HasSubstr(".jsonl")));
  EXPECT_THAT(fault(path("empty"), FTRUN_NOT_FOUND), HasSubstr("is a folder without files: expected a .json"));
  try {
    resolve_data_source(path("mixed"), folder_, "run.yaml:3: dataset");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::StartsWith("run.yaml:3: dataset: "));
  }
}

TEST_F(DataSourceTest, InfoEntriesAreReadAsTheOracleDoes) {
  write("a.json", "[]");
  write("parts/2.jsonl", "");
  write("parts/1.jsonl", "");
  write("dataset_info.json", R"({"plain": {"file_name": "a.json"},
    "columns": {"file_name": "a.json", "columns": {"prompt": "q", "response": "r"}},
    "folder": {"file_name": "parts", "formatting": "sharegpt", "tags": {"user_tag": "u", "assistant_tag": "a"}}})");
  const DataSource plain = resolve_data_source("plain", folder_);
  EXPECT_EQ(plain.columns, (ColumnMap{{"prompt", "instruction"}, {"query", "input"}, {"response", "output"}}));
  EXPECT_EQ(resolve_data_source("columns", folder_).columns, (ColumnMap{{"prompt", "q"}, {"response", "r"}}));
  const DataSource parts = resolve_data_source("folder", folder_);
  EXPECT_THAT(parts.files, ElementsAre(folder_ / "parts/1.jsonl", folder_ / "parts/2.jsonl"));
  EXPECT_EQ(parts.tags, (ColumnMap{{"user_tag", "u"}, {"assistant_tag", "a"}}));
}

TEST_F(DataSourceTest, InfoEntriesAreRefusedWithFileAndLine) {
  write("a.json", "[]");
  write("dataset_info.json", R"({
    "hub": {"hf_hub_url": "x/y"},
    "typo": {"file_name": "a.json",
             "colums": {}},
    "column": {"file_name": "a.json", "columns": {"promt": "x", "response": "y"}},
    "pairs": {"file_name": "a.json", "ranking": true},
    "kto": {"file_name": "a.json", "formatting": "sharegpt", "columns": {"messages": "m", "kto_tag": "l"}},
    "images": {"file_name": "a.json", "columns": {"prompt": "x", "response": "y", "images": "z"}},
    "samples": {"file_name": "a.json", "num_samples": 3},
    "format": {"file_name": "a.json", "formatting": "sharegtp"},
    "lost": {"file_name": "b.json"},
    "useless": {"file_name": "a.json", "columns": {"prompt": "x"}},
    "none": {},
    "tags": {"file_name": "a.json",
             "tags": {"role_tag": "role"}},
    "column of another format": {"file_name": "a.json", "formatting": "sharegpt",
                                 "columns": {"messages": "m", "prompt": "p"}}
  })");
  EXPECT_THAT(fault("hub"), AllOf(HasSubstr("dataset_info.json:2"), HasSubstr("local files")));
  EXPECT_THAT(fault("typo"), AllOf(HasSubstr("dataset_info.json:4"), HasSubstr("did you mean 'columns'")));
  EXPECT_THAT(fault("column"), AllOf(HasSubstr(":5"), HasSubstr("did you mean 'prompt'")));
  EXPECT_THAT(fault("pairs"), HasSubstr("preference data"));
  EXPECT_THAT(fault("kto"), HasSubstr("preference data"));
  EXPECT_THAT(fault("images"), HasSubstr("only medium"));
  EXPECT_THAT(fault("samples"), HasSubstr("max_samples"));
  EXPECT_THAT(fault("format"), HasSubstr("did you mean 'sharegpt'"));
  EXPECT_THAT(fault("lost", FTRUN_NOT_FOUND), HasSubstr("b.json"));
  EXPECT_THAT(fault("useless"), AllOf(HasSubstr(":12"), HasSubstr("needs 'response'")));
  EXPECT_THAT(fault("none"), HasSubstr("file_name"));
  EXPECT_THAT(fault("tags"),
              AllOf(HasSubstr("dataset_info.json:15: dataset 'tags': tags: the alpaca format has no roles"),
                    HasSubstr("prompt, query, response")));
  EXPECT_THAT(fault("column of another format"),
              AllOf(HasSubstr(":17:"), HasSubstr("columns.prompt: the sharegpt format has no use for it"),
                    HasSubstr("its columns are messages, system, tools")));
  EXPECT_THAT(fault("tipo"), HasSubstr("did you mean 'typo'"));
  write("dataset_info.json", "{\n \"a\": }");
  EXPECT_THAT(fault("a"), HasSubstr("dataset_info.json:2:7"));
}

}  // namespace
}  // namespace ftrun::testing
