// Pairs and labelled rows: conversion and encoding against LLaMA-Factory, what is dropped or refused, and descriptions.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/files.h"
#include "core/data/data_source.h"
#include "core/data/preference_encoder.h"
#include "core/data/prompts.h"
#include "core/data/row_description.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;

const Json& goldens() {
  static const Json json = Json::parse(read_file(golden_folder() / "preference_rows.json"));
  return json;
}

std::string joined(const std::vector<int32_t>& values) { return fmt::to_string(fmt::join(values, " ")); }

MessageRole role_named(const std::string& name) {
  return name == "assistant" ? MessageRole::kAssistant : MessageRole::kUser;
}

AlignedRow row_from(const Json& json) {
  AlignedRow row;
  for (const Json& message : json[0]) row.prompt.push_back({role_named(message[0]), message[1].get<std::string>()});
  for (size_t i = 1; i < 3; ++i) row.responses.push_back({MessageRole::kAssistant, json[i].get<std::string>()});
  if (json.size() > 3) row.system = json[3].get<std::string>();
  return row;
}

void expect_document(const EncodedExample& found, const Json& wanted) {
  EXPECT_EQ(joined(found.ids), wanted[0].get<std::string>());
  EXPECT_EQ(joined(found.labels), wanted[1].get<std::string>());
}

TEST(PreferenceGolden, EncodedRowsEqualTheOracle) {
  for (const Json& item : goldens().at("cases")) {
    SCOPED_TRACE(item.at("template").get<std::string>() + " " + item.at("row").get<std::string>() + " " +
                 item.at("options").dump());
    const Json& options = item.at("options");
    DataSpec spec;
    spec.template_name = item.at("template").get<std::string>();
    spec.template_search_path = template_folders();
    spec.enable_thinking = options.value("enable_thinking", true);
    spec.preserve_thinking = options.value("preserve_thinking", false);
    const int32_t cutoff = options.value("cutoff_len", 2048);
    const auto encoder = make_template_encoder(spec, golden_tokenizer());
    AlignedRow row = row_from(goldens().at("rows").at(item.at("row").get<std::string>()));
    const EncodedItem pair = encode_pair(*encoder, cutoff, row);
    ASSERT_EQ(pair.documents.size(), 2u);
    expect_document(pair.documents[0], item.at("chosen"));
    expect_document(pair.documents[1], item.at("rejected"));
    row.responses.erase(row.responses.begin());
    const EncodedItem single = encode_labelled(*encoder, cutoff, row);
    ASSERT_EQ(single.documents.size(), 1u);
    expect_document(single.documents[0], item.at("labelled"));
  }
  EXPECT_GT(goldens().at("cases").size(), 60u);
}

TEST(PreferenceGolden, ConvertedRowsEqualTheOracle) {
  for (const Json& group : goldens().at("converted")) {
    const RowFormat& format = find_row_format(group.at("formatting").get<std::string>());
    const bool ranking = group.at("ranking").get<bool>();
    const ColumnMap tags = group.at("tags").empty() ? format.default_tags : group.at("tags").get<ColumnMap>();
    const auto converter =
        format.bind(group.at("columns").get<ColumnMap>(), tags, ranking ? RowKind::kPairwise : RowKind::kLabelled);
    for (const Json& item : group.at("rows")) {
      SCOPED_TRACE(item.dump());
      if (!item.at("fits").get<bool>()) {
        EXPECT_THROW(converter->convert(item.at("row")), RowError);
        continue;
      }
      const AlignedRow row = converter->convert(item.at("row"));
      ASSERT_EQ(row.prompt.size(), item.at("prompt").size());
      for (size_t i = 0; i < row.prompt.size(); ++i) EXPECT_EQ(row.prompt[i].content, item.at("prompt")[i][1]);
      const Json& answers = item.at("answers");
      if (ranking) {
        EXPECT_EQ(row.responses.at(0).content, answers[0]);
        EXPECT_EQ(row.responses.at(1).content, answers[1]);
      } else {
        // The oracle puts a good answer first and a bad one second; the other is empty.
        EXPECT_EQ(row.responses.at(0).content, answers[row.desirable ? 0 : 1]);
        EXPECT_EQ(answers[row.desirable ? 1 : 0], "");
      }
    }
  }
}

class PreferenceTest : public DataTest {
 protected:
  DataSpec spec_of(RowKind kind, const std::string& file) const {
    DataSpec result = spec(file);
    result.kind = kind;
    return result;
  }
  static std::vector<std::string> texts(const EncodedDataset& dataset, int64_t index) {
    const EncodedRow row = dataset.row(index);
    std::vector<std::string> found;
    size_t at = 0;
    for (const int32_t length : row.document_lengths()) {
      found.push_back(golden_tokenizer()->decode(row.ids.subspan(at, static_cast<size_t>(length)), false));
      at += static_cast<size_t>(length);
    }
    return found;
  }
};

TEST_F(PreferenceTest, EveryWayToWriteAPairGivesTheSameRow) {
  const std::string user = "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n";
  const char* rows[] = {
      R"({"instruction": "q", "input": "", "chosen": "good", "rejected": "bad", "margin": 0.5})",
      R"({"prompt": "q", "chosen": "good", "rejected": "bad", "margin": 0.5})",
      R"({"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "good"},
          "rejected": {"from": "gpt", "value": "bad"}, "margin": 0.5})",
      R"({"messages": [{"role": "user", "content": "q"}], "chosen": {"role": "assistant", "content": "good"},
          "rejected": {"role": "assistant", "content": "bad"}, "margin": 0.5})",
      R"({"prompt": [{"role": "user", "content": "q"}], "chosen": [{"role": "assistant", "content": "good"}],
          "rejected": [{"role": "assistant", "content": "bad"}], "margin": 0.5})",
      R"({"prompt": "q", "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "good"}],
          "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "bad"}], "margin": 0.5})",
      R"({"prompt": [{"role": "user", "content": "q"}],
          "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "good"}],
          "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "bad"}], "margin": 0.5})",
      R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "good"}],
          "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "good"}],
          "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "bad"}], "margin": 0.5})",
      R"({"chosen_messages": [{"role": "user", "content": [{"type": "text", "value": "q"}], "loss_weight": 0.0},
           {"role": "assistant", "content": [{"type": "text", "value": "good"}], "loss_weight": 1.0}],
          "rejected_messages": [{"role": "user", "content": [{"type": "text", "value": "q"}], "loss_weight": 0.0},
           {"role": "assistant", "content": [{"type": "text", "value": "bad"}], "loss_weight": 1.0}], "margin": 0.5})"};
  for (const char* row : rows) {
    SCOPED_TRACE(row);
    write("d.json", "[" + std::string(row) + "]");
    const PreparedData data = prepare(spec_of(RowKind::kPairwise, "d.json"));
    ASSERT_EQ(data.train->size(), 1);
    EXPECT_THAT(texts(*data.train, 0), ElementsAre(user + "good<|im_end|>\n", user + "bad<|im_end|>\n"));
    EXPECT_EQ(data.train->layout(), RowLayout::kBlockDiagonal);
    EXPECT_EQ(data.train->row(0).documents[0].annotation, 0.5);
  }
}

TEST_F(PreferenceTest, EveryWayToWriteALabelGivesTheSameRow) {
  const char* rows[] = {
      R"({"instruction": "q", "output": "a", "kto_tag": false})",
      R"({"prompt": "q", "completion": "a", "label": false})",
      R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "label": false})",
      R"({"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}],
          "label": false})",
      R"({"prompt": [{"role": "user", "content": "q"}], "completion": "a", "label": false})",
      R"({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "kto_tag": false})"};
  for (const char* row : rows) {
    SCOPED_TRACE(row);
    write("d.json", "[" + std::string(row) + "]");
    const PreparedData data = prepare(spec_of(RowKind::kLabelled, "d.json"));
    EXPECT_THAT(texts(*data.train, 0),
                ElementsAre("<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"));
    EXPECT_EQ(data.train->row(0).documents[0].annotation, 0);
    EXPECT_EQ(data.ledger.train.desirable, 0);
  }
}

TEST_F(PreferenceTest, TextBesideListsOfMessagesNamesBothColumns) {
  const auto fault = [&](RowKind kind, const char* row) {
    write("d.jsonl", row);
    return failure_of(spec_of(kind, "d.jsonl"));
  };
  const char* good = R"([{"role": "assistant", "content": "good"}])";
  const char* bad = R"({"from": "gpt", "value": "bad"})";
  for (const char* name : {"prompt", "instruction", "question"})
    EXPECT_THAT(
        fault(RowKind::kPairwise, fmt::format(R"({{"{}": "q", "chosen": {}, "rejected": "bad"}})", name, good).c_str()),
        HasSubstr(fmt::format("d.jsonl:1: column '{}' is a string and 'chosen' a list of messages that begins "
                              "with an answer: expected lists of messages in both, strings in both",
                              name)));
  EXPECT_THAT(
      fault(RowKind::kPairwise, fmt::format(R"({{"prompt": "q", "chosen": {0}, "rejected": {0}}})", bad).c_str()),
      HasSubstr("column 'prompt' is a string and 'chosen'"));
  EXPECT_THAT(fault(RowKind::kPairwise, fmt::format(R"({{"chosen": {0}, "rejected": {0}}})", good).c_str()),
              HasSubstr("column 'chosen' begins with an answer, and nothing says what was asked"));
  EXPECT_THAT(
      fault(RowKind::kLabelled, fmt::format(R"({{"prompt": "q", "completion": {}, "label": true}})", good).c_str()),
      HasSubstr("column 'completion' is an array, expected a string as in column 'prompt', or lists of messages "
                "in both"));
  EXPECT_THAT(fault(RowKind::kLabelled, R"({"prompt": "q", "completion": 3, "label": true})"),
              AllOf(HasSubstr("column 'completion' is a number, expected a string"), Not(HasSubstr("lists"))));
}

TEST_F(PreferenceTest, AnEntrySaysWhatItsRowsAre) {
  write("d.jsonl", R"({"instruction": "q", "chosen": "good", "rejected": "bad", "output": "a", "kto_tag": true})"
                   "\n");
  write("dataset_info.json", R"({
    "pairs": {"file_name": "d.jsonl", "ranking": true,
              "columns": {"prompt": "instruction", "chosen": "chosen", "rejected": "rejected"}},
    "defaults": {"file_name": "d.jsonl", "ranking": true},
    "labels": {"file_name": "d.jsonl",
               "columns": {"prompt": "instruction", "response": "output", "kto_tag": "kto_tag"}},
    "single": {"file_name": "d.jsonl"},
    "unlabelled": {"file_name": "d.jsonl", "columns": {"prompt": "instruction", "response": "output"}},
    "no_rejected": {"file_name": "d.jsonl", "ranking": true, "columns": {"prompt": "instruction", "chosen": "chosen"}}
  })");
  const auto fault = [&](const char* name, RowKind kind) {
    DataSpec options = spec_of(kind, "");
    options.datasets = {name};
    return failure_of(options);
  };
  for (const char* name : {"pairs", "defaults"}) {
    DataSpec options = spec_of(RowKind::kPairwise, "");
    options.datasets = {name};
    EXPECT_EQ(prepare(options).train->size(), 1);
    EXPECT_THAT(fault(name, RowKind::kSupervised), HasSubstr("preference data (ranking: true)"));
    EXPECT_THAT(fault(name, RowKind::kPlain), HasSubstr("this stage learns from plain text"));
  }
  EXPECT_THAT(fault("single", RowKind::kPairwise),
              AllOf(HasSubstr("dataset_info.json:7: dataset 'single'"), HasSubstr("has no pairs")));
  EXPECT_THAT(fault("unlabelled", RowKind::kLabelled), HasSubstr("has no labels (columns.kto_tag)"));
  EXPECT_THAT(fault("labels", RowKind::kPairwise), HasSubstr("has no pairs"));
  EXPECT_THAT(fault("labels", RowKind::kSupervised), HasSubstr("column kto_tag"));
  EXPECT_THAT(fault("no_rejected", RowKind::kPairwise), HasSubstr("needs 'rejected'"));
}

TEST_F(PreferenceTest, RowsOfAnotherKindAreRefusedByPathToo) {
  write("d.jsonl", R"({"instruction": "q", "output": "a"})"
                   "\n");
  EXPECT_THAT(failure_of(spec_of(RowKind::kPairwise, "d.jsonl")),
              AllOf(HasSubstr("d.jsonl:1: cannot tell the format"), HasSubstr("learns from pairs of answers"),
                    HasSubstr("chosen and rejected"), HasSubstr("found instruction, output")));
  EXPECT_THAT(failure_of(spec_of(RowKind::kLabelled, "d.jsonl")), HasSubstr("kto_tag or label"));
}

TEST_F(PreferenceTest, RowsThatDoNotFitAreListedByLine) {
  write("d.jsonl", R"({"instruction": "q", "chosen": "good", "rejected": "bad"})"
                   "\n"
                   R"({"instruction": "q", "chosen": "same", "rejected": "same"})"
                   "\n"
                   R"({"instruction": "q", "chosen": "good", "rejected": 3})"
                   "\n"
                   R"({"instruction": "q", "chosen": "good", "rejected": "bad", "margin": "much"})"
                   "\n");
  DataSpec options = spec_of(RowKind::kPairwise, "d.jsonl");
  EXPECT_THAT(failure_of(options),
              AllOf(HasSubstr("d.jsonl:2: chosen and rejected are the same answer"),
                    HasSubstr("d.jsonl:3: column 'rejected' is a number"), Not(HasSubstr("d.jsonl:1"))));
  options.max_bad_rows = 3;
  EXPECT_EQ(prepare(options).train->size(), 1);

  write("l.jsonl", R"({"instruction": "q", "output": "a", "kto_tag": true})"
                   "\n"
                   R"({"instruction": "q", "output": "a", "kto_tag": "yes"})"
                   "\n"
                   R"({"instruction": "q", "output": "a"})"
                   "\n");
  EXPECT_THAT(failure_of(spec_of(RowKind::kLabelled, "l.jsonl")),
              AllOf(HasSubstr("l.jsonl:2: column 'kto_tag' is a string, expected true or false"),
                    HasSubstr("l.jsonl:3: has no column 'kto_tag'")));
}

TEST_F(PreferenceTest, PromptsBeyondTheCutoffAreDroppedAndListed) {
  const std::string words(200, 'q');
  write("d.jsonl", R"({"instruction": "q", "chosen": "good", "rejected": "bad"})"
                   "\n"
                   R"({"instruction": ")" +
                       words +
                       R"(", "chosen": "good", "rejected": "bad"})"
                       "\n"
                       R"({"instruction": "q", "chosen": ")" +
                       words +
                       R"(", "rejected": "bad"})"
                       "\n");
  DataSpec options = spec_of(RowKind::kPairwise, "d.jsonl");
  options.cutoff_len = 40;
  const PreparedData data = prepare(options);
  EXPECT_EQ(data.train->size(), 2);
  EXPECT_EQ(data.ledger.prompt_exceeds_cutoff.count, 1);
  EXPECT_EQ(data.ledger.truncated.count, 1);
  EXPECT_THAT(data.ledger.to_text(), AllOf(HasSubstr("2 pairs"), HasSubstr("1 dropped: the prompt alone exceeds"),
                                           HasSubstr("d.jsonl:2"), HasSubstr("lost the end of an answer")));
  const DataLedger again = DataLedger::from_json(data.ledger.to_json());
  EXPECT_EQ(again.to_text(), data.ledger.to_text());
  options.cutoff_len = 4;
  EXPECT_THAT(failure_of(options), HasSubstr("exceeded by the prompt alone in 3"));
}

TEST_F(PreferenceTest, DescriptionsNameTheAnswers) {
  write("d.jsonl", R"({"instruction": "q", "chosen": "good", "rejected": "bad", "margin": 0.25})"
                   "\n");
  const PreparedData pairs = prepare(spec_of(RowKind::kPairwise, "d.jsonl"));
  EXPECT_THAT(describe_row_text(*pairs.train, 0, *golden_tokenizer()),
              AllOf(HasSubstr("d.jsonl:1:"), HasSubstr("  chosen, margin 0.25:\n"), HasSubstr("  rejected:\n"),
                    HasSubstr("trained"), HasSubstr("bad<|im_end|>")));
  const nlohmann::json row = describe_row_json(*pairs.train, 0, *golden_tokenizer());
  EXPECT_EQ(row.at("kind"), "pairwise");
  EXPECT_EQ(row.at("documents").at(1).at("part"), "rejected");
  EXPECT_EQ(row.at("segments").size(), 2u);

  write("l.jsonl", R"({"instruction": "q", "output": "a", "kto_tag": true})"
                   "\n");
  const PreparedData labels = prepare(spec_of(RowKind::kLabelled, "l.jsonl"));
  EXPECT_THAT(describe_row_text(*labels.train, 0, *golden_tokenizer()), HasSubstr("  desirable:\n"));
  EXPECT_THAT(labels.ledger.to_text(), HasSubstr("1 rows (1 desirable, 0 undesirable)"));
}

TEST_F(PreferenceTest, SplitsTakeWholePairsAndPromptsComeFromThem) {
  std::string text;
  for (int i = 0; i < 9; ++i) {
    text += R"({"instruction": "q)" + std::to_string(i) + R"(", "chosen": "good", "rejected": "bad"})" + "\n";
  }
  write("d.jsonl", text);
  DataSpec options = spec_of(RowKind::kPairwise, "d.jsonl");
  options.val_size = 4;
  const PreparedData data = prepare(options);
  EXPECT_EQ(data.train->size(), 5);
  EXPECT_EQ(data.eval->size(), 4);
  for (int64_t i = 0; i < data.eval->size(); ++i) {
    const EncodedRow row = data.eval->row(i);
    ASSERT_EQ(row.documents.size(), 2u);
    EXPECT_EQ(row.documents[0].line, row.documents[1].line);
  }
  const auto prompts = load_prompts(options, data, *data.eval, -1);
  ASSERT_EQ(prompts.size(), 4u);
  EXPECT_EQ(prompts[0].label, "good");
  options.packing = true;
  EXPECT_THAT(failure_of(options), HasSubstr("pairs of answers are not packed"));
}

}  // namespace
}  // namespace ftrun::testing
