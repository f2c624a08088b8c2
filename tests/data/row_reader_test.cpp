// Row positions, broken files, and fuzzed rows: the scanner agrees with a full parse and never reads past the end.
#include "core/data/row_reader.h"

#include <gmock/gmock.h>

#include <random>

#include "core/data/conversation.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::HasSubstr;

class RowReaderTest : public DataTest {
 protected:
  std::vector<std::pair<std::string, int64_t>> read(const std::string& text) {
    const MappedFile file(write("rows.json", text));
    RowReader reader(file);
    std::vector<std::pair<std::string, int64_t>> rows;
    while (const auto row = reader.next()) {
      EXPECT_EQ(text.substr(static_cast<size_t>(row->byte_offset), row->text.size()), row->text);
      rows.emplace_back(row->text, row->line);
    }
    return rows;
  }

  std::string fault(const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
      return error.what();
    }
    return "accepted";
  }
};

using Rows = std::vector<std::pair<std::string, int64_t>>;

TEST_F(RowReaderTest, ArraysAndLinesCarryTheirLineNumbers) {
  EXPECT_EQ(read("[]"), Rows{});
  EXPECT_EQ(read("  \n [ ] \n"), Rows{});
  EXPECT_EQ(read(""), Rows{});
  EXPECT_EQ(read("[{\"a\": 1}, {\"b\":\n 2}\n,\n {\"c\": \"]},[\\\"\"}]"),
            (Rows{{"{\"a\": 1}", 1}, {"{\"b\":\n 2}", 1}, {"{\"c\": \"]},[\\\"\"}", 4}}));
  EXPECT_EQ(read("[1, \"x,y\", true,\n[2]]"), (Rows{{"1", 1}, {"\"x,y\"", 1}, {"true", 1}, {"[2]", 2}}));
  EXPECT_EQ(read("{\"a\": 1}\n\n  {\"b\": 2}  \r\n{\"c\""),
            (Rows{{"{\"a\": 1}", 1}, {"{\"b\": 2}", 3}, {"{\"c\"", 4}}));
  EXPECT_EQ(read("\xEF\xBB\xBF[{\"a\": 1}]"), (Rows{{"{\"a\": 1}", 1}}));
}

TEST_F(RowReaderTest, ARowWithAKeyTwiceIsBad) {
  const auto fault_of = [&](const std::string& text) -> std::string {
    const MappedFile file(write("rows.jsonl", text));
    try {
      parse_row(file, *RowReader(file).next());
      return "";
    } catch (const RowError& error) {
      return error.what();
    }
  };
  EXPECT_EQ(fault_of(R"({"a": 1, "b": 2, "a": 3})"), "key 'a' appears twice in one object");
  EXPECT_EQ(fault_of(R"({"m": [{"c": 1}, {"c": 2, "c": 2}]})"), "key 'c' appears twice in one object");
  EXPECT_EQ(fault_of(R"({"a": 1, "\u0061": 3})"), "key 'a' appears twice in one object");
  EXPECT_EQ(fault_of(R"({"a": {"a": "a: {\"a\": 1}"}, "b": [{"a": 1}, {"a": 2}], "": {}})"), "");
}

TEST_F(RowReaderTest, RowsThatShareALineHaveTheirPlaceInTheArray) {
  const auto places = [&](const std::string& text) {
    const MappedFile file(write("rows.json", text));
    RowReader reader(file);
    std::vector<std::string> found;
    while (const auto row = reader.next()) found.push_back(row_place("r", row->line, row->element));
    return found;
  };
  using Places = std::vector<std::string>;
  EXPECT_EQ(places("[1, 2, 3]"), (Places{"r:1 (row 1)", "r:1 (row 2)", "r:1 (row 3)"}));
  EXPECT_EQ(places("[1,\n2,\n3]"), (Places{"r:1", "r:2", "r:3"}));
  EXPECT_EQ(places("[{\"a\":\n1}, 2,\n3, 4\n]"), (Places{"r:1", "r:2 (row 2)", "r:3 (row 3)", "r:3 (row 4)"}));
  EXPECT_EQ(places("[1]"), (Places{"r:1"}));
  EXPECT_EQ(places("1\n2\n"), (Places{"r:1", "r:2"}));
}

TEST_F(RowReaderTest, WhatIsNotUtf8SaysHowToSaveIt) {
  const auto fault_in = [&](const std::string& name, const std::string& text) -> std::string {
    const MappedFile file(write(name, text));
    try {
      RowReader reader(file);
      while (const auto row = reader.next()) parse_row(file, *row);
    } catch (const std::exception& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(fault_in("r.jsonl", "{\"a\":\"\xC4\xE3\"}\n"),
              HasSubstr("line 1, column 7: the byte 0xC4 is not UTF-8: save the text as UTF-8"));
  EXPECT_THAT(fault_in("r.jsonl", std::string("\xFF\xFE{\0}\0", 6)),
              HasSubstr("r.jsonl:1: the file is UTF-16: save it as UTF-8"));
  EXPECT_THAT(fault_in("r.txt", std::string("\xFE\xFF\0a", 4)),
              HasSubstr("r.txt:1: the file is UTF-16: save it as UTF-8"));
  for (const char* name : {"r.jsonl", "r.txt"}) {
    for (const std::string& text : {std::string("\xFF\xFE\0\0{\0\0\0", 8), std::string("\0\0\xFE\xFF\0\0\0{", 8)})
      EXPECT_THAT(fault_in(name, text), HasSubstr(fmt::format("{}:1: the file is UTF-32: save it as UTF-8", name)));
  }
  EXPECT_EQ(fault_in("r.txt", "good\nb\xC4\xE3\n"), "not UTF-8: byte 0xC4 at column 2: save the file as UTF-8");
  EXPECT_EQ(fault_in("r.txt", std::string("a\0b\n", 4)), "a zero byte at column 2: is this a text in UTF-8?");
  EXPECT_EQ(fault_in("r.jsonl", std::string("{\"a\": 1}\0junk\n", 14)),
            "not valid JSON at line 1, column 9: a zero byte: is this a text in UTF-8?");
}

TEST_F(RowReaderTest, ARowOverSeveralLinesSaysWhatAFileHolds) {
  const auto fault_of = [&](const std::string& text) -> std::string {
    const MappedFile file(write("rows.jsonl", text));
    try {
      parse_row(file, *RowReader(file).next());
    } catch (const RowError& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::string reason =
      "the row is not whole where its line ends: expected one row per line, or an array of rows in [ ]";
  EXPECT_EQ(fault_of("{\n  \"a\": 1\n}\n"), "not valid JSON at line 1, column 2: " + reason);
  EXPECT_EQ(fault_of("{\"a\": \"b\n c\"}\n"), "not valid JSON at line 1, column 9: " + reason);
  EXPECT_EQ(fault_of("{\"a\": 1"),
            "not valid JSON at line 1, column 8: the text ends here: expected ',' or '}' after a value");
}

TEST_F(RowReaderTest, BrokenArraysAreRefusedWithLineAndColumn) {
  EXPECT_THAT(fault("[{\"a\": 1}\n {\"b\": 2}]"), HasSubstr("rows.json:2:2: not valid JSON: expected ','"));
  EXPECT_THAT(fault("[{\"a\": 1},\n]"), HasSubstr("rows.json:2:1: not valid JSON: expected a row"));
  EXPECT_THAT(fault("[{\"a\": 1}"), HasSubstr("not closed"));
  EXPECT_THAT(fault("[{\"a\": 1},"), HasSubstr("expected a row"));
  EXPECT_THAT(fault("[\n{\"a\": \"1}]"), HasSubstr("inside the row that begins at line 2"));
  EXPECT_THAT(fault("[{\"a\": 1}] x"), HasSubstr("rows.json:1:12"));
  EXPECT_THAT(fault("[,1]"), HasSubstr("expected a row"));
}

TEST_F(RowReaderTest, RowsThatDoNotParseNameTheirPlace) {
  const std::string text = "[{\"a\": 1},\n  {\"b\":\n  oops}]";
  const MappedFile file(write("bad.json", text));
  RowReader reader(file);
  EXPECT_NO_THROW(parse_row(file, *reader.next()));
  const auto row = reader.next();
  ASSERT_TRUE(row);
  EXPECT_EQ(row->line, 2);
  try {
    parse_row(file, *row);
    FAIL();
  } catch (const RowError& error) {
    EXPECT_THAT(error.what(), HasSubstr("line 3, column 3"));
  }
}

TEST_F(RowReaderTest, DeepNestingIsABadRowNotACrash) {
  const MappedFile file(write("deep.jsonl", "{\"a\": " + std::string(100000, '[')));
  RowReader reader(file);
  EXPECT_THROW(parse_row(file, *reader.next()), RowError);
}

TEST_F(RowReaderTest, AnObjectWithTensOfThousandsOfKeysIsABadRow) {
  const auto fault_of = [&](const std::string& text) -> std::string {
    const MappedFile file(write("wide.jsonl", text));
    try {
      parse_row(file, *RowReader(file).next());
    } catch (const RowError& error) {
      return error.what();
    }
    return "accepted";
  };
  const auto object = [](int keys) {
    std::string text = "{";
    for (int i = 0; i < keys; ++i) text += fmt::format("{}\"k{}\": \":\"", i == 0 ? "" : ", ", i);
    return text + "}";
  };
  EXPECT_EQ(fault_of(object(60000)), "an object with more than 5000 keys");
  EXPECT_EQ(fault_of(object(5000)), "accepted");
  EXPECT_EQ(fault_of("{\"m\": [" + object(4000) + ", " + object(4000) + "]}"), "accepted");
}

TEST_F(RowReaderTest, ScanAgreesWithAFullParseOnRandomArrays) {
  std::mt19937 random(20240917);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const std::vector<std::string> strings = {"", "a", "]", "}", ",", "\"", "\\", "\n", "\xC3\xA9", "[{", "\\\""};
  std::function<nlohmann::ordered_json(int)> value = [&](int depth) -> nlohmann::ordered_json {
    const int kind = pick(depth > 0 ? 6 : 4);
    if (kind == 0) return pick(1000);
    if (kind == 1) return pick(2) == 0;
    if (kind <= 3) return strings[static_cast<size_t>(pick(static_cast<int>(strings.size())))];
    auto result = kind == 4 ? nlohmann::ordered_json::array() : nlohmann::ordered_json::object();
    for (int i = pick(4); i > 0; --i) {
      if (kind == 4) {
        result.push_back(value(depth - 1));
      } else {
        result[strings[static_cast<size_t>(pick(static_cast<int>(strings.size())))]] = value(depth - 1);
      }
    }
    return result;
  };
  for (int round = 0; round < 200; ++round) {
    auto rows = nlohmann::ordered_json::array();
    for (int i = pick(6); i > 0; --i) rows.push_back(value(3));
    const std::string text = pick(2) == 0 ? rows.dump() : rows.dump(pick(3) + 1);
    const Rows found = read(text);
    ASSERT_EQ(found.size(), rows.size()) << text;
    for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(nlohmann::ordered_json::parse(found[i].first), rows[i]);
  }
}

TEST_F(RowReaderTest, DamagedFilesEndInAnErrorOrInRows) {
  std::mt19937 random(7);
  const std::string good =
      R"([{"instruction": "a\"b", "input": "", "output": "c"}, {"instruction": "d", "history": [["x", "y"]], "output": ""}])";
  for (int round = 0; round < 400; ++round) {
    std::string text = good;
    for (auto edits = 1 + random() % 3; edits > 0; --edits) {
      const size_t at = random() % text.size();
      if (random() % 3 == 0) {
        text.resize(at + 1);
      } else {
        text[at] = "[]{},:\"\\ \n\xFFx0"[random() % 13];
      }
    }
    const MappedFile file(write("fuzz.json", text));
    try {
      RowReader reader(file);
      while (const auto row = reader.next()) {
        try {
          parse_row(file, *row);
        } catch (const RowError&) {
        }
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
    }
  }
}

}  // namespace
}  // namespace ftrun::testing
