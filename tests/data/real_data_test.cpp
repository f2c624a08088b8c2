// The real files of ../shared/data with its tokenizers; skipped when they are absent.
#include <gmock/gmock.h>

#include <chrono>

#include "core/data/prompts.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::HasSubstr;

class RealData : public DataTest {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(shared() / "data" / "alpaca_en_demo.json"))
      GTEST_SKIP() << "no real data at " << shared().string();
  }
  static std::filesystem::path shared() { return FTRUN_SHARED_DIR; }

  DataSpec real_spec(const std::string& dataset) const {
    DataSpec spec;
    spec.datasets = {dataset};
    spec.dataset_dir = shared() / "data";
    spec.template_name = "qwen3_nothink";
    spec.template_search_path = template_folders();
    spec.cache_dir = folder_ / "cache";
    return spec;
  }
};

TEST_F(RealData, AlpacaIsReadWhole) {
  const auto tokenizer = Tokenizer::load(shared() / "tokenizers" / "minimind");
  DataSpec spec = real_spec("alpaca_en_demo");
  spec.datasets = {"alpaca_en_demo", "identity"};
  const PreparedData data = prepare_data(spec, tokenizer, run_on_threads);
  EXPECT_EQ(data.ledger.rows_read, 999 + 91);
  EXPECT_EQ(data.ledger.bad.count, 0);
  EXPECT_EQ(data.train->size(), 999 + 91);
  EXPECT_EQ(data.ledger.datasets[1].rows_kept, 91);
  spec.neat_packing = true;
  spec.cutoff_len = 1024;
  const PreparedData packed = prepare_data(spec, tokenizer, run_on_threads);
  EXPECT_LE(packed.train->longest_row(), 1024);
  EXPECT_GT(static_cast<double>(packed.train->total_tokens()),
            0.97 * 1024 * static_cast<double>(packed.train->size() - 1));
}

TEST_F(RealData, LineNumbersPointAtTheRows) {
  const auto tokenizer = Tokenizer::load(shared() / "tokenizers" / "minimind");
  DataSpec spec = real_spec("alpaca_en_demo");
  spec.max_samples = 50;
  const PreparedData data = prepare_data(spec, tokenizer, run_serially);
  std::ifstream file(shared() / "data" / "alpaca_en_demo.json");
  std::vector<std::string> lines = {""};
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  for (const DocumentRecord& document : data.train->document_records())
    EXPECT_THAT(lines.at(static_cast<size_t>(document.line)), HasSubstr("{"));
  EXPECT_EQ(load_prompts(spec, data, *data.train, -1).size(), 50u);
}

TEST_F(RealData, PreferenceSetsAreRefusedAndPlainTextTooNameTheReason) {
  const auto tokenizer = Tokenizer::load(shared() / "tokenizers" / "minimind");
  for (const auto& [name, reason] : {std::pair{"dpo_en_demo", "preference data"},
                                     {"kto_en_demo", "preference data"},
                                     {"c4_demo", "needs 'response'"}}) {
    try {
      prepare_data(real_spec(name), tokenizer, run_serially);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(reason));
      EXPECT_THAT(error.what(), HasSubstr("dataset_info.json:"));
    }
  }
}

TEST_F(RealData, PairsLabelsAndPlainTextAreReadWhereTheyAreAskedFor) {
  const auto tokenizer = Tokenizer::load(shared() / "tokenizers" / "minimind");
  DataSpec pairs = real_spec("dpo_en_demo");
  pairs.kind = RowKind::kPairwise;
  const PreparedData pair_data = prepare_data(pairs, tokenizer, run_serially);
  EXPECT_EQ(pair_data.ledger.rows_read, 299);
  EXPECT_EQ(pair_data.train->size() + pair_data.ledger.prompt_exceeds_cutoff.count, 299);
  EXPECT_GT(pair_data.train->size(), 280);
  DataSpec labels = real_spec("kto_en_demo");
  labels.kind = RowKind::kLabelled;
  const PreparedData label_data = prepare_data(labels, tokenizer, run_serially);
  EXPECT_EQ(label_data.ledger.rows_read, 300);
  EXPECT_GT(label_data.ledger.train.desirable, 50);
  EXPECT_LT(label_data.ledger.train.desirable, label_data.train->size() - 50);
  DataSpec text = real_spec("c4_demo");
  text.kind = RowKind::kPlain;
  text.packing = true;
  text.cutoff_len = 512;
  const PreparedData text_data = prepare_data(text, tokenizer, run_serially);
  EXPECT_EQ(text_data.ledger.train.documents, 300);
  EXPECT_EQ(text_data.train->longest_row(), 512);
  EXPECT_EQ(text_data.train->size(), (text_data.train->total_tokens() + 511) / 512);
}

TEST_F(RealData, MessagesOfTheKtoFileFitByPath) {
  const auto tokenizer = Tokenizer::load(shared() / "tokenizers" / "qwen2.5");
  DataSpec spec = real_spec((shared() / "data" / "kto_en_demo.json").string());
  const PreparedData data = prepare_data(spec, tokenizer, run_on_threads);
  EXPECT_EQ(data.ledger.rows_kept, 300);
  EXPECT_THAT(data.ledger.to_text(), HasSubstr("have the column 'label', which nothing reads"));
}

TEST_F(RealData, ASecondStartIsInstant) {
  const auto tokenizer = Tokenizer::load(shared() / "tokenizers" / "minimind");
  const DataSpec spec = real_spec("alpaca_en_demo");
  prepare_data(spec, tokenizer, run_on_threads);
  const auto begin = std::chrono::steady_clock::now();
  prepare_data(spec, tokenizer, run_serially);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(300));
}

}  // namespace
}  // namespace ftrun::testing
