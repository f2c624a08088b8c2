// ROUGE and BLEU against rouge_chinese, nltk and jieba (tests/golden/text_metrics.py).
#include "core/metrics/text_similarity.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/metrics/word_segmentation.h"

namespace ftrun {
namespace {

nlohmann::json golden() {
  std::ifstream file(std::string(FTRUN_SOURCE_DIR) + "/tests/golden/text_metrics.json");
  return nlohmann::json::parse(file);
}

TEST(TextSimilarity, EqualsTheReferenceToTheLastDecimal) {
  MeanTextSimilarity mean;
  double rouge_l_sum = 0;
  const nlohmann::json cases = golden();
  ASSERT_GT(cases.size(), 100u);
  for (const auto& the_case : cases) {
    const auto prediction = the_case.at("prediction").get<std::string>(),
               label = the_case.at("label").get<std::string>();
    const TextSimilarity ours = text_similarity(prediction, label);
    const std::vector<double> scores = {ours.rouge_1, ours.rouge_2, ours.rouge_l, ours.bleu_4};
    for (size_t i = 0; i < 4; ++i)
      EXPECT_NEAR(scores[i], the_case.at("scores")[i].get<double>(), 1e-9) << i << " of " << the_case;
    mean.add(ours);
    rouge_l_sum += the_case.at("scores")[2].get<double>();
  }
  EXPECT_EQ(mean.num_rows(), cases.size());
  EXPECT_NEAR(mean.mean().rouge_l, rouge_l_sum / static_cast<double>(cases.size()), 1e-9);
}

TEST(TextSimilarity, CutsAsJiebaAndChineseByCharacter) {
  for (const auto& the_case : golden())
    EXPECT_EQ(segment_words(the_case.at("prediction").get<std::string>()),
              the_case.at("words").get<std::vector<std::string>>());
  EXPECT_TRUE(segment_words("").empty());
}

TEST(TextSimilarity, NoRowsHaveNoScore) {
  EXPECT_EQ(MeanTextSimilarity().num_rows(), 0u);
  EXPECT_EQ(MeanTextSimilarity().mean().bleu_4, 0);
}

TEST(TextSimilarity, BytesThatAreNoTextAreCompared) {
  EXPECT_GT(text_similarity("\xff\xfe abc", "\xff abc").bleu_4, 0);
}

}  // namespace
}  // namespace ftrun
