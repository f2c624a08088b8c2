// Plain text: encoding against LLaMA-Factory, rows that documents span, text files, begin and end tokens.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "core/base/files.h"
#include "core/data/data_source.h"
#include "core/data/prompts.h"
#include "core/data/row_description.h"
#include "core/data/row_plan.h"
#include "core/data/row_reader.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

class PlainTest : public DataTest {
 protected:
  DataSpec plain(const std::string& file, bool packing = true) const {
    DataSpec result = spec(file);
    result.kind = RowKind::kPlain;
    result.packing = packing;
    return result;
  }
  static std::string ids_of(const EncodedRow& row) { return fmt::to_string(fmt::join(row.ids, " ")); }
  std::string write_texts(const std::vector<std::string>& texts) const {
    std::string text;
    for (const std::string& one : texts) text += Json{{"text", one}}.dump() + "\n";
    write("d.jsonl", text);
    return "d.jsonl";
  }
};

TEST_F(PlainTest, RowsEqualTheOracleAndNothingIsDropped) {
  const Json goldens = Json::parse(read_file(golden_folder() / "preference_rows.json"));
  const std::string file = write_texts(goldens.at("texts").get<std::vector<std::string>>());
  for (const Json& item : goldens.at("plain")) {
    SCOPED_TRACE(item.at("options").dump() + item.at("add_bos").dump());
    DataSpec options = plain(file, false);
    options.cutoff_len = item.at("options").at("cutoff_len");
    options.add_bos = item.at("add_bos").get<bool>();
    const PreparedData rows = prepare(options);
    ASSERT_EQ(rows.train->size(), static_cast<int64_t>(item.at("rows").size()));
    for (int64_t i = 0; i < rows.train->size(); ++i) {
      EXPECT_EQ(ids_of(rows.train->row(i)), item.at("rows")[static_cast<size_t>(i)].get<std::string>());
    }
    options.packing = true;
    const PreparedData stream = prepare(options);
    std::string text;
    for (int64_t i = 0; i < stream.train->size(); ++i) {
      const EncodedRow row = stream.train->row(i);
      text += (i > 0 ? " " : "") + ids_of(row);
      if (i + 1 < stream.train->size()) {
        EXPECT_EQ(static_cast<int32_t>(row.ids.size()), options.cutoff_len);
      }
    }
    const std::string whole = item.at("stream").get<std::string>();
    // A last row of one token would have nothing to predict.
    EXPECT_TRUE(text == whole || (whole.starts_with(text) && whole.rfind(' ') == text.size())) << text << "\n" << whole;
    EXPECT_EQ(stream.ledger.train.documents, 5);
  }
}

TEST_F(PlainTest, DocumentsSpanRowsAndEveryTokenIsATarget) {
  const std::string file = write_texts({std::string(50, 'a'), "b", std::string(40, 'c')});
  DataSpec options = plain(file);
  options.cutoff_len = 16;
  const PreparedData data = prepare(options);
  EXPECT_EQ(data.train->layout(), RowLayout::kContinuous);
  int64_t tokens = 0;
  for (int64_t i = 0; i < data.train->size(); ++i) {
    const EncodedRow row = data.train->row(i);
    tokens += static_cast<int64_t>(row.ids.size());
    EXPECT_TRUE(std::ranges::equal(row.ids, row.labels));
    EXPECT_THAT(row.position_lengths(data.train->layout()), ElementsAre(static_cast<int32_t>(row.ids.size())));
    EXPECT_THAT(row.segment_lengths(data.train->layout()), ElementsAre(static_cast<int32_t>(row.ids.size())));
    const auto positions = position_ids(row, data.train->layout());
    EXPECT_EQ(positions.back() + 1, static_cast<int32_t>(row.ids.size()));
  }
  EXPECT_EQ(tokens, data.train->total_tokens());
  EXPECT_EQ(data.train->total_supervised_tokens(), tokens - data.train->size());
  EXPECT_EQ(data.ledger.train.documents, 3);
  EXPECT_THAT(data.ledger.to_text(),
              AllOf(HasSubstr("plain text, cutoff_len 16, packing"), HasSubstr("packed from 3")));
  EXPECT_THAT(describe_row_text(*data.train, 0, *golden_tokenizer()), HasSubstr("positions 0-15"));
}

TEST_F(PlainTest, LinesOfTextFilesAreDocuments) {
  write("t.txt", "\xEF\xBB\xBF  first line \r\n\n \t\nsecond\nlast without an end");
  const PreparedData data = prepare(plain("t.txt", false));
  ASSERT_EQ(data.train->size(), 3);
  const auto text = [&](int64_t row) { return golden_tokenizer()->decode(data.train->row(row).ids, false); };
  EXPECT_EQ(text(0), "  first line <|endoftext|>");
  EXPECT_EQ(text(1), "second<|endoftext|>");
  EXPECT_EQ(text(2), "last without an end<|endoftext|>");
  EXPECT_EQ(data.train->row(0).documents[0].line, 1);
  EXPECT_EQ(data.train->row(1).documents[0].line, 4);
  EXPECT_EQ(data.train->row(2).documents[0].line, 5);

  write("folder/a.txt", "one\n");
  write("folder/b.jsonl", R"({"text": "two"})");
  EXPECT_EQ(prepare(plain("folder/", false)).train->size(), 2);
  write("dataset_info.json", R"({"wiki": {"file_name": "t.txt", "columns": {"prompt": "text"}}})");
  DataSpec named = plain("", false);
  named.datasets = {"wiki"};
  EXPECT_EQ(prepare(named).train->size(), 3);
}

TEST_F(PlainTest, OtherColumnsAreFoundOrRefused) {
  write("c.jsonl", R"({"content": "x y"})");
  EXPECT_EQ(prepare(plain("c.jsonl")).train->size(), 1);
  write("m.jsonl", R"({"messages": [{"role": "user", "content": "a"}]})");
  EXPECT_THAT(failure_of(plain("m.jsonl")),
              AllOf(HasSubstr("learns from plain text"), HasSubstr("expected text"), HasSubstr("found messages")));
  write("bad.jsonl", "{\"text\": \"a b\"}\n{\"text\": 3}\n{\"txt\": \"a\"}\n");
  EXPECT_THAT(failure_of(plain("bad.jsonl")),
              AllOf(HasSubstr("bad.jsonl:2: column 'text' is a number"),
                    HasSubstr("bad.jsonl:3: has no column 'text' (did you mean 'txt'?)")));
  write("dataset_info.json", R"({"chat": {"file_name": "m.jsonl", "formatting": "sharegpt"}})");
  DataSpec chat = plain("");
  chat.datasets = {"chat"};
  EXPECT_THAT(failure_of(chat), HasSubstr("this stage learns from plain text"));
}

TEST_F(PlainTest, TextsBeginAndEndAsTheTokenizerSays) {
  const std::string file = write_texts({"x y"});
  DataSpec options = plain(file);
  const auto text = [&] { return golden_tokenizer()->decode(prepare(options).train->row(0).ids, false); };
  EXPECT_EQ(text(), "x y<|endoftext|>") << "the golden tokenizer's add_bos_token is not set";
  options.add_bos = true;
  EXPECT_EQ(text(), "<|begin_of_text|>x y<|endoftext|>");
  // A template may name another end of texts, which the tokenizer must have.
  options.template_name = "llama3";
  EXPECT_THAT(failure_of(options), HasSubstr("'llama3' ends texts with '<|end_of_text|>'"));
}

TEST_F(PlainTest, CutRowsAreInTheLedgerAndPromptsAreRefused) {
  const std::string file = write_texts({std::string(80, 'z'), "short"});
  DataSpec options = plain(file, false);
  options.cutoff_len = 8;
  const PreparedData data = prepare(options);
  EXPECT_EQ(data.ledger.truncated.count, 1);
  EXPECT_EQ(data.ledger.lost_eos.count, 1);
  EXPECT_EQ(data.train->longest_row(), 8);
  EXPECT_THROW(load_prompts(options, data, *data.train, -1), Error);
}

TEST(RowPlan, StreamsKeepEveryTokenInOrder) {
  const std::vector<int64_t> members = {4, 7, 9};
  for (int32_t capacity = 2; capacity < 12; ++capacity) {
    for (int32_t last = 1; last < 14; ++last) {
      const std::vector<int32_t> lengths = {5, 3, last};
      const RowPlan plan = plan_stream(members, lengths, capacity);
      std::vector<std::pair<int64_t, int32_t>> tokens;
      for (size_t row = 0; row < plan.rows(); ++row) {
        int32_t in_row = 0;
        for (const RowPiece& piece : plan.row(row)) {
          for (int32_t i = piece.begin; i < piece.end; ++i) tokens.emplace_back(piece.document, i);
          in_row += piece.end - piece.begin;
        }
        EXPECT_TRUE(in_row == capacity || (row + 1 == plan.rows() && in_row > 1)) << in_row;
      }
      std::vector<std::pair<int64_t, int32_t>> wanted;
      for (size_t d = 0; d < members.size(); ++d) {
        for (int32_t i = 0; i < lengths[d]; ++i) wanted.emplace_back(members[d], i);
      }
      if (wanted.size() % static_cast<size_t>(capacity) == 1) wanted.pop_back();
      EXPECT_EQ(tokens, wanted) << capacity << " " << last;
    }
  }
}

}  // namespace
}  // namespace ftrun::testing
