// Files of a predict run: generated_predictions.jsonl and predict_results.json.
// Leaves out: answering.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace ftrun {

/// One answered row.
struct Prediction {
  std::string prompt;                ///< as text, special tokens included
  std::string predict;               ///< the answer, without special tokens
  std::optional<std::string> label;  ///< nullopt: the data has none
  int64_t new_tokens = 0;
};

/// One line {"prompt", "predict", "label"} per row, as LLaMA-Factory writes it ("" where there is no label). Written
/// whole or not at all.
void write_predictions(const std::filesystem::path& file, const std::vector<Prediction>& predictions);

/// predict_rouge-1, predict_rouge-2, predict_rouge-l and predict_bleu-4 in percent, the mean over rows with a label;
/// empty when no row has one.
nlohmann::json similarity_results(const std::vector<Prediction>& predictions);

}  // namespace ftrun
