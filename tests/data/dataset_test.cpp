// prepare_data end to end on small files: ledger, bad rows, cache, split, packing, prompts, descriptions.
#include "core/data/dataset.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "core/data/prompts.h"
#include "core/data/row_description.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string rows_text(int count, const std::string& prefix = "question") {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += R"({"instruction": ")" + prefix + " " + std::to_string(i) + R"(", "output": ")" +
            std::string(static_cast<size_t>(i * 7 % 23), 'x') + std::to_string(i) + "\"}\n";
  return text;
}

std::vector<std::vector<int32_t>> contents(const EncodedDataset& dataset) {
  std::vector<std::vector<int32_t>> all;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const EncodedRow row = dataset.row(i);
    all.emplace_back(row.ids.begin(), row.ids.end());
    all.emplace_back(row.labels.begin(), row.labels.end());
    all.push_back(row.document_lengths());
    for (const DocumentRecord& document : row.documents) all.back().push_back(static_cast<int32_t>(document.line));
  }
  return all;
}

std::vector<int64_t> lines_of(const EncodedDataset& dataset) {
  std::vector<int64_t> lines;
  for (const DocumentRecord& document : dataset.document_records()) lines.push_back(document.line);
  return lines;
}

class DatasetTest : public DataTest {};

TEST_F(DatasetTest, PlainRowsAreTheEncodersRows) {
  write("d.jsonl", rows_text(5));
  const PreparedData data = prepare(spec("d.jsonl"));
  ASSERT_TRUE(data.train);
  EXPECT_FALSE(data.eval);
  ASSERT_EQ(data.train->size(), 5);
  int64_t tokens = 0;
  int64_t targets = 0;
  for (int64_t i = 0; i < 5; ++i) {
    const EncodedRow row = data.train->row(i);
    const std::string text = golden_tokenizer()->decode(row.ids, false);
    EXPECT_THAT(text, HasSubstr("<|im_start|>user\nquestion " + std::to_string(i) + "<|im_end|>\n"));
    EXPECT_EQ(row.documents.size(), 1u);
    EXPECT_EQ(row.documents[0].line, i + 1);
    tokens += static_cast<int64_t>(row.ids.size());
    targets += count_targets(row.labels);
  }
  EXPECT_EQ(data.train->total_tokens(), tokens);
  EXPECT_EQ(data.train->total_supervised_tokens(), targets);
  EXPECT_EQ(data.ledger.train.tokens, tokens);
  EXPECT_EQ(data.ledger.train.supervised_tokens, targets);
  EXPECT_EQ(data.ledger.rows_kept, 5);
  EXPECT_EQ(data.train->longest_rows_tokens(1), data.train->longest_row());
  EXPECT_EQ(data.train->longest_rows_tokens(100), tokens);
}

TEST_F(DatasetTest, BadRowsAreListedByLineAndCounted) {
  write("d.json", R"([
  {"instruction": "a", "output": "b"},
  {"instruction": "a", "output": 3}, {"output": "b"},
  {"instruction": "a",
   "output": nope},
  {"instruction": "a", "output": "b"}
])");
  DataSpec options = spec("d.json");
  EXPECT_THAT(failure_of(options),
              AllOf(HasSubstr("3 of 5 rows"), HasSubstr("d.json:3 (row 2): column 'output' is a number"),
                    HasSubstr("d.json:3 (row 3): has no column 'instruction'"),
                    HasSubstr("d.json:4: not valid JSON at line 5, column 14"), HasSubstr("max_bad_rows: 0")));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "cache") && !std::filesystem::is_empty(folder_ / "cache"));
  options.max_bad_rows = 3;
  const PreparedData data = prepare(options);
  EXPECT_EQ(data.ledger.bad.count, 3);
  EXPECT_EQ(data.ledger.rows_kept, 2);
  EXPECT_THAT(lines_of(*data.train), ElementsAre(2, 6));
  options.max_bad_rows = 2;  // the cache entry of the call before does not excuse them
  EXPECT_THAT(failure_of(options), HasSubstr("3 of 5 rows"));
}

TEST_F(DatasetTest, RowsWithAKeyTwiceAreBadRows) {
  write("d.jsonl", rows_text(2) + R"({"instruction": "a", "output": "b", "output": "c"})" + "\n");
  DataSpec options = spec("d.jsonl");
  options.origins["dataset"] = "run.yaml:2";
  EXPECT_THAT(failure_of(options), AllOf(::testing::StartsWith("run.yaml:2: dataset: 1 of 3 rows do not fit"),
                                         HasSubstr("d.jsonl:3: key 'output' appears twice in one object")));
  options.max_bad_rows = 1;
  EXPECT_EQ(prepare(options).ledger.bad.count, 1);
}

TEST_F(DatasetTest, AFirstRowThatIsNotJsonIsABadRowLikeAnyOther) {
  for (const char* bad :
       {R"({"instruction": "a", "output": "b", "output": "c"})", R"({"instruction": NaN, "output": "b"})",
        R"({"instruction": "\ud800", "output": "b"})", R"("text")"}) {
    SCOPED_TRACE(bad);
    write("d.jsonl", bad + std::string("\n") + rows_text(2));
    EXPECT_THAT(failure_of(spec("d.jsonl")), AllOf(HasSubstr("1 of 3 rows do not fit"), HasSubstr("d.jsonl:1: ")));
    DataSpec forgiving = spec("d.jsonl");
    forgiving.max_bad_rows = 1;
    const PreparedData prepared = prepare(forgiving);
    EXPECT_EQ(prepared.ledger.bad.count, 1);
    EXPECT_EQ(prepared.ledger.rows_kept, 2);
  }
  write("d.jsonl", "{\n{]\n");
  EXPECT_THAT(failure_of(spec("d.jsonl")), AllOf(HasSubstr("no row of"), HasSubstr("can be read; the first: "),
                                                 HasSubstr("d.jsonl:1: not valid JSON")));
}

TEST_F(DatasetTest, ListsOfBadRowsAreBounded) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "{\"instruction\": 1}\n";
  write("d.jsonl", text + rows_text(1));
  DataSpec options = spec("d.jsonl");
  EXPECT_THAT(failure_of(options), HasSubstr("and 290 more"));
  options.max_bad_rows = 1000;
  const PreparedData data = prepare(options);
  EXPECT_EQ(data.ledger.bad.count, 300);
  EXPECT_EQ(data.ledger.bad.marks.size(), RowCategory::kMarkLimit);
  EXPECT_THAT(data.ledger.to_text(2), AllOf(HasSubstr("300 dropped"), HasSubstr("d.jsonl:2"),
                                            Not(HasSubstr("d.jsonl:3:")), HasSubstr("and 298 more")));
}

TEST_F(DatasetTest, InputErrorsAreNamed) {
  write("d.jsonl", rows_text(3));
  write("empty.jsonl", "\n");
  write("info/dataset_info.json", R"({"e": {"file_name": "../empty.jsonl"}})");
  DataSpec options = spec("d.jsonl");
  const auto with = [&](auto change) {
    DataSpec changed = options;
    change(changed);
    return failure_of(changed);
  };
  EXPECT_THAT(with([](DataSpec& s) { s.datasets.clear(); }), HasSubstr("dataset"));
  EXPECT_THAT(with([&](DataSpec& s) {
                s.val_size = 1;
                s.eval_datasets = s.datasets;
              }),
              HasSubstr("exclude each other"));
  EXPECT_THAT(with([](DataSpec& s) { s.val_size = 3; }), HasSubstr("none is left"));
  EXPECT_THAT(with([](DataSpec& s) { s.val_size = -1; }), HasSubstr("val_size"));
  EXPECT_THAT(with([](DataSpec& s) { s.val_size = 1.5; }), HasSubstr("whole number of rows, got 1.5"));
  EXPECT_THAT(with([](DataSpec& s) {
                s.val_size = 3;
                s.origins["val_size"] = "run.yaml:7";
              }),
              ::testing::StartsWith("run.yaml:7: val_size: 3 takes 3 rows"));
  EXPECT_THAT(with([](DataSpec& s) { s.cutoff_len = 1; }), HasSubstr("cutoff_len"));
  EXPECT_THAT(with([](DataSpec& s) { s.max_samples = 0; }), HasSubstr("max_samples"));
  EXPECT_THAT(with([](DataSpec& s) { s.train_on_prompt = s.mask_history = true; }), HasSubstr("exclude each other"));
  EXPECT_THAT(with([](DataSpec& s) {
                s.train_on_prompt = true;
                s.template_name = "efficient_test";
              }),
              HasSubstr("train_on_prompt"));
  EXPECT_THAT(with([&](DataSpec& s) { s.datasets = {(folder_ / "empty.jsonl").string()}; }), HasSubstr("no rows"));
  EXPECT_THAT(with([&](DataSpec& s) {
                s.datasets = {"e"};
                s.dataset_dir = folder_ / "info";
              }),
              HasSubstr("no rows"));
  options.datasets = {(folder_ / "missing.jsonl").string()};
  EXPECT_THAT(failure_of(options, FTRUN_NOT_FOUND), HasSubstr("missing.jsonl"));
}

TEST_F(DatasetTest, ASetWithoutTargetsIsRefused) {
  write("d.jsonl", "{\"instruction\": \"a\", \"output\": \"\"}\n");
  DataSpec options = spec("d.jsonl");
  options.template_name = "empty";  // an empty answer without an end token
  EXPECT_THAT(failure_of(options), HasSubstr("no token to learn from"));
  write("d.jsonl", "{\"instruction\": \"a\", \"output\": \"\"}\n" + rows_text(2));
  const PreparedData data = prepare(options);
  EXPECT_EQ(data.ledger.without_supervision.count, 1);
  EXPECT_THAT(lines_of(*data.train), ElementsAre(2, 3));
}

TEST_F(DatasetTest, TruncationIsInTheLedger) {
  write("d.jsonl", rows_text(4) + R"({"instruction": "q", "output": ")" + std::string(200, 'y') + "\"}\n" +
                       R"({"instruction": ")" + std::string(200, 'z') + "\", \"output\": \"short\"}\n");
  DataSpec options = spec("d.jsonl");
  options.cutoff_len = 80;
  const PreparedData data = prepare(options);
  EXPECT_EQ(data.ledger.truncated.count, 2);
  ASSERT_EQ(data.ledger.lost_eos.count, 1);
  EXPECT_EQ(data.ledger.lost_eos.marks[0].line, 5);
  ASSERT_EQ(data.ledger.lost_prompt_tail.count, 1);
  EXPECT_EQ(data.ledger.lost_prompt_tail.marks[0].line, 6);
  EXPECT_LE(data.train->longest_row(), 80);
  EXPECT_THAT(data.ledger.to_text(), AllOf(HasSubstr("lost the end of an answer (EOS)"), HasSubstr("d.jsonl:5")));
}

TEST_F(DatasetTest, SecondStartMapsTheSameBits) {
  write("d.jsonl", rows_text(50));
  for (const bool packing : {false, true}) {
    DataSpec options = spec("d.jsonl");
    options.cutoff_len = 128;
    options.neat_packing = packing;
    options.val_size = 0.1;
    const PreparedData first = prepare(options);
    const auto forbidden = [](int64_t, const std::function<void(int64_t)>&) { FAIL() << "tokenised again"; };
    const PreparedData second = prepare_data(options, golden_tokenizer(), forbidden);
    EXPECT_EQ(contents(*first.train), contents(*second.train));
    EXPECT_EQ(contents(*first.eval), contents(*second.eval));
    EXPECT_EQ(first.train->layout(), second.train->layout());
    nlohmann::json one = first.ledger.to_json();
    nlohmann::json two = second.ledger.to_json();
    EXPECT_THAT(two["notices"].dump(), HasSubstr("cache: "));
    one.erase("notices");
    two.erase("notices");
    EXPECT_EQ(one, two);
    EXPECT_EQ(DataLedger::from_json(second.ledger.to_json()).to_json(), second.ledger.to_json());
    options.overwrite_cache = true;
    EXPECT_THAT(prepare(options).ledger.to_text(), HasSubstr("cache: written"));
  }
}

TEST_F(DatasetTest, WhateverChangesTheRowsChangesTheKey) {
  write("d.jsonl", rows_text(20));
  std::vector<std::string> notices;
  const auto misses = [&](const DataSpec& options) {
    const std::string text = prepare(options).ledger.to_text();
    return text.find("cache: written") != std::string::npos;
  };
  DataSpec options = spec("d.jsonl");
  EXPECT_TRUE(misses(options));
  EXPECT_FALSE(misses(options));
  options.seed = 7;  // without val_size the seed decides nothing here
  EXPECT_FALSE(misses(options));
  const auto changed = [&](auto change) {
    DataSpec other = options;
    change(other);
    return misses(other);
  };
  EXPECT_TRUE(changed([](DataSpec& s) { s.cutoff_len = 100; }));
  EXPECT_TRUE(changed([](DataSpec& s) { s.train_on_prompt = true; }));
  EXPECT_TRUE(changed([](DataSpec& s) { s.mask_history = true; }));
  EXPECT_TRUE(changed([](DataSpec& s) { s.packing = true; }));
  EXPECT_TRUE(changed([](DataSpec& s) { s.neat_packing = true; }));
  EXPECT_TRUE(changed([](DataSpec& s) { s.max_samples = 5; }));
  EXPECT_TRUE(changed([](DataSpec& s) { s.val_size = 2; }));
  EXPECT_TRUE(changed([](DataSpec& s) {
    s.val_size = 2;
    s.seed = 8;
  }));
  EXPECT_TRUE(changed([](DataSpec& s) { s.default_system = "x"; }));
  EXPECT_TRUE(changed([](DataSpec& s) { s.template_name = "default"; }));
  write("d.jsonl", rows_text(20, "Question"));
  EXPECT_TRUE(misses(options));
}

size_t occurrences(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_F(DatasetTest, DamagedCacheFilesAreRebuilt) {
  write("d.jsonl", rows_text(30));
  const DataSpec options = spec("d.jsonl");
  const auto expected = contents(*prepare(options).train);
  const auto file = std::filesystem::directory_iterator(folder_ / "cache")->path();
  const std::string good = read_file(file);
  std::vector<std::string> damaged;
  // Coprime to the sections' alignment and to the size of an id: header, padding, ids, labels, index and ledger.
  for (size_t at = 0; at < good.size(); at += 97) {
    damaged.push_back(good);
    damaged.back()[at] = static_cast<char>(good[at] ^ 0x41);
  }
  ASSERT_GT(damaged.size(), 100U);
  damaged.push_back(good);
  damaged.back().back() = static_cast<char>(good.back() ^ 1);
  for (size_t size : {size_t{0}, size_t{10}, size_t{300}, good.size() / 2, good.size() - 1})
    damaged.push_back(good.substr(0, size));
  for (size_t i = 0; i < damaged.size(); ++i) {
    SCOPED_TRACE(i);
    write("cache/" + file.filename().string(), damaged[i]);
    ::testing::internal::CaptureStderr();
    const PreparedData data = prepare(options);
    const std::string log = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(contents(*data.train), expected);
    EXPECT_THAT(data.ledger.to_text(), HasSubstr("rebuilt ("));
    EXPECT_EQ(occurrences(log, "\n"), 1U) << log;
    EXPECT_THAT(log, AllOf(HasSubstr("[WARNING|"), HasSubstr(file.string()), HasSubstr("the data is tokenised again")));
  }
  EXPECT_EQ(read_file(file), good);
}

TEST_F(DatasetTest, ACacheOfSeveralBlocksIsHeldAgainstItsChecksum) {
  write("d.jsonl", rows_text(20000));
  const DataSpec options = spec("d.jsonl");
  const auto expected = contents(*prepare(options).train);
  const auto file = std::filesystem::directory_iterator(folder_ / "cache")->path();
  const std::string good = read_file(file);
  ASSERT_GT(good.size(), size_t{4} << 20);
  for (const size_t at : {(size_t{1} << 20) - 1, size_t{1} << 20, good.size() / 2, good.size() - 100}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    write_file_atomically(file, bad);
    const PreparedData data = prepare(options);
    EXPECT_THAT(data.ledger.to_text(), HasSubstr("rebuilt (")) << at;
    EXPECT_EQ(contents(*data.train), expected);
  }
  EXPECT_THAT(prepare(options).ledger.to_text(), Not(HasSubstr("rebuilt (")));
}

TEST_F(DatasetTest, WorksWithoutACacheFolder) {
  write("d.jsonl", rows_text(10));
  DataSpec options = spec("d.jsonl");
  const auto expected = contents(*prepare(options).train);
  options.cache_dir = write("a-file", "") / "below";
  const PreparedData data = prepare(options);
  EXPECT_EQ(contents(*data.train), expected);
  EXPECT_THAT(data.ledger.to_text(), HasSubstr("cache: none"));
}

TEST_F(DatasetTest, ResultDoesNotDependOnTheThreads) {
  write("d.jsonl", rows_text(3000));
  DataSpec options = spec("d.jsonl");
  const auto serial = contents(*prepare(options).train);
  options.overwrite_cache = true;
  EXPECT_EQ(contents(*prepare_data(options, golden_tokenizer(), run_on_threads).train), serial);
}

TEST_F(DatasetTest, SplitIsAPartitionBySeed) {
  write("d.jsonl", rows_text(40));
  DataSpec options = spec("d.jsonl");
  const auto lines = [&](double val_size, uint64_t seed) {
    options.val_size = val_size;
    options.seed = seed;
    const PreparedData data = prepare(options);
    return std::pair{lines_of(*data.train), lines_of(*data.eval)};
  };
  const auto [train, eval] = lines(10, 1);
  EXPECT_EQ(eval.size(), 10u);
  std::vector<int64_t> all = train;
  all.insert(all.end(), eval.begin(), eval.end());
  std::sort(all.begin(), all.end());
  for (size_t i = 0; i < 40; ++i) EXPECT_EQ(all[i], static_cast<int64_t>(i + 1));
  EXPECT_NE(lines(10, 2).second, eval);
  EXPECT_EQ(lines(0.25, 1).second, eval);
  EXPECT_EQ(lines(0.26, 1).second.size(), 11u);
  EXPECT_EQ(lines(1, 1).second.size(), 1u);
}

TEST_F(DatasetTest, SeveralDatasetsAreConcatenatedAndEachIsLimited) {
  write("a.jsonl", rows_text(10, "a"));
  write("b.jsonl", rows_text(10, "b"));
  DataSpec options = spec("a.jsonl");
  options.datasets = {"a.jsonl", "b.jsonl"};
  options.eval_datasets = {"b.jsonl"};
  options.max_samples = 3;
  const PreparedData data = prepare(options);
  EXPECT_THAT(lines_of(*data.train), ElementsAre(1, 2, 3, 1, 2, 3));
  EXPECT_THAT(lines_of(*data.eval), ElementsAre(1, 2, 3));
  EXPECT_THAT(data.train->files()[static_cast<size_t>(data.train->row(4).documents[0].file)], HasSubstr("b.jsonl"));
  ASSERT_EQ(data.ledger.datasets.size(), 3u);
  EXPECT_EQ(data.ledger.datasets[1].rows_read, 3);
  options.datasets.clear();
  const PreparedData only_eval = prepare(options);
  EXPECT_FALSE(only_eval.train);
  EXPECT_EQ(only_eval.eval->size(), 3);
}

TEST_F(DatasetTest, PackingLosesNoTokenAndMasksDocumentStarts) {
  write("d.jsonl", rows_text(60));
  DataSpec options = spec("d.jsonl");
  options.train_on_prompt = true;
  const PreparedData plain = prepare(options);
  options.cutoff_len = 150;
  for (const bool neat : {false, true}) {
    options.packing = !neat;
    options.neat_packing = neat;
    const PreparedData packed = prepare(options);
    EXPECT_EQ(packed.train->layout(), neat ? RowLayout::kBlockDiagonal : RowLayout::kRestarting);
    EXPECT_EQ(packed.train->total_tokens(), plain.train->total_tokens());
    EXPECT_EQ(packed.train->documents(), 60);
    EXPECT_LT(packed.train->size(), 30);
    int64_t targets = 0;
    for (int64_t i = 0; i < packed.train->size(); ++i) {
      const EncodedRow row = packed.train->row(i);
      EXPECT_LE(row.ids.size(), 150u);
      targets += count_targets(row.labels);
      size_t at = 0;
      for (const DocumentRecord& document : row.documents) {
        const EncodedRow source = plain.train->row(document.line - 1);
        const auto ids = row.ids.subspan(at, static_cast<size_t>(document.length));
        EXPECT_TRUE(std::equal(ids.begin(), ids.end(), source.ids.begin(), source.ids.end()));
        if (at > 0) {
          EXPECT_EQ(row.labels[at] == kIgnoredLabel, neat);
        }
        at += static_cast<size_t>(document.length);
      }
      EXPECT_EQ(at, row.ids.size());
      EXPECT_EQ(row.segment_lengths(packed.train->layout()).size(), neat ? row.documents.size() : 1u);
    }
    EXPECT_EQ(packed.train->total_supervised_tokens(), targets);
    const int64_t joins = 60 - packed.train->size();
    EXPECT_EQ(targets, plain.train->total_supervised_tokens() + (neat ? 0 : joins));
  }
}

TEST_F(DatasetTest, PromptsAreTheEvalRowsWithoutTheirAnswers) {
  write("d.jsonl", rows_text(20));
  DataSpec options = spec("d.jsonl");
  options.val_size = 5;
  options.neat_packing = true;
  const PreparedData data = prepare(options);
  const auto prompts = load_prompts(options, data, *data.eval, -1);
  ASSERT_EQ(prompts.size(), 5u);
  for (const PromptRow& prompt : prompts) {
    const std::string number = std::to_string(prompt.line - 1);
    EXPECT_EQ(prompt.prompt, "<|im_start|>user\nquestion " + number + "<|im_end|>\n<|im_start|>assistant\n");
    EXPECT_EQ(prompt.prompt_ids, golden_tokenizer()->encode(prompt.prompt));
    EXPECT_THAT(prompt.label, ::testing::EndsWith(number));
    EXPECT_THAT(prompt.file, HasSubstr("d.jsonl"));
  }
  EXPECT_EQ(load_prompts(options, data, *data.eval, 2).size(), 2u);
  write("d.jsonl", "{}");
  EXPECT_THROW(load_prompts(options, data, *data.eval, -1), Error);
}

TEST_F(DatasetTest, DescriptionsShowMaskAndPositions) {
  write("d.jsonl", rows_text(4));
  DataSpec options = spec("d.jsonl");
  options.neat_packing = true;
  options.cutoff_len = 64;
  const PreparedData data = prepare(options);
  const std::string text = describe_rows(*data.train, 2, *golden_tokenizer());
  EXPECT_THAT(text, AllOf(HasSubstr("row 0 from"), HasSubstr("row 1 from"), HasSubstr("masked  [0,"),
                          HasSubstr("trained ["), HasSubstr("<|im_end|>\\n"), HasSubstr("positions 0-")));
  const nlohmann::json rows = describe_rows_json(*data.train, 100, *golden_tokenizer());
  ASSERT_EQ(static_cast<int64_t>(rows.size()), data.train->size());
  for (const auto& row : rows) {
    EXPECT_EQ(row.at("ids").size(), row.at("loss_mask").size());
    EXPECT_EQ(row.at("ids").size(), row.at("positions").size());
    EXPECT_EQ(row.at("positions")[0], 0);
    EXPECT_EQ(row.at("segments").size(), row.at("documents").size());
    for (size_t i = 0; i < row.at("ids").size(); ++i)
      EXPECT_EQ(row.at("labels")[i] == kIgnoredLabel, row.at("loss_mask")[i] == 0);
  }
}

}  // namespace
}  // namespace ftrun::testing
