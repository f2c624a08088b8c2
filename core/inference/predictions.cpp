// Rows and their scores.
#include "core/inference/predictions.h"

#include "core/base/files.h"
#include "core/data/python_json.h"
#include "core/metrics/text_similarity.h"

namespace ftrun {

void write_predictions(const std::filesystem::path& file, const std::vector<Prediction>& predictions) {
  AtomicFile out(file);
  for (const Prediction& row : predictions) {
    out.write(python_json({{"prompt", row.prompt}, {"predict", row.predict}, {"label", row.label.value_or("")}}) +
              "\n");
  }
  out.commit();
}

nlohmann::json similarity_results(const std::vector<Prediction>& predictions) {
  MeanTextSimilarity mean;
  for (const Prediction& row : predictions) {
    if (row.label) mean.add(text_similarity(row.predict, *row.label));
  }
  if (mean.num_rows() == 0) return nlohmann::json::object();
  const TextSimilarity scores = mean.mean();
  return {{"predict_rouge-1", scores.rouge_1},
          {"predict_rouge-2", scores.rouge_2},
          {"predict_rouge-l", scores.rouge_l},
          {"predict_bleu-4", scores.bleu_4}};
}

}  // namespace ftrun
