// A paradigm plugin trained for a few updates on a tiny model, on threads as ranks under any strategy, and what can be
// seen of it.
// Leaves out: data files and the run's composition (tests/e2e).
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "core/model/rank.h"
#include "tests/paradigms/row_service.h"

namespace ftrun::test {

struct ParadigmCase {
  std::string paradigm;
  std::map<std::string, std::string> options;  ///< of the paradigm, as written in YAML
  std::map<std::string, std::string> host;     ///< keys of the run that it may look at
  std::vector<TestRow> rows;
  std::vector<TestRow> eval_rows;
  std::string model = "qwen2_untied";  ///< a folder of tests/golden/models
  std::vector<double> head;            ///< weights of the scalar head that the paradigm asks for
  std::vector<double> head_bias;       ///< its bias; empty: it has none
  std::string adapter;                 ///< a folder of tests/golden/preference: trained on under lora, else merged
  double weight_scale = 1;             ///< of the model's weights
  double reference_scale = 0.875;      ///< the weights of ref_model, as a multiple of the model's
  /// full; lora: the adapter's pairs, or new ones of rank 2 on the blocks' linear weights; freeze: the second block and
  /// the final norm. A scalar head is trained in any case.
  std::string tuner = "full";
  Precision precision = Precision::f32();
  std::string device = "cpu";  ///< the rank's; the host device is `cpu` beside it
  std::string strategy = "single";
  std::map<std::string, std::string> strategy_options;
  int32_t world = 1;
  int32_t accumulation = 1;
  int32_t rows_per_update = 4;
  std::vector<double> learning_rates = std::vector<double>(10, 2e-3);  ///< one per update
  double adam_epsilon = 1e-8;  ///< far above the gradients, a step follows the gradient itself
  double weight_decay = 0.1;
  std::string cache_folder;

  std::string name() const;
};

struct ParadigmOutcome {
  std::string data_format;
  std::vector<std::string> roles;
  std::vector<double> losses;
  std::vector<double> norms;
  std::vector<std::map<std::string, double>> metrics;   ///< by update
  std::map<std::string, std::vector<float>> gradients;  ///< of the first update, by parameter; strategy single only
  std::map<std::string, std::vector<float>> changes;    ///< by all updates, by parameter of the policy
  double evaluation = 0;                                ///< loss of the evaluation rows after training
  std::map<std::string, double> evaluation_metrics;     ///< of the last evaluation update
  std::vector<std::string> failures;                    ///< by rank, "" where none
};

ParadigmOutcome run_paradigm(const ParadigmCase& given);
/// run_paradigm that expects no failure.
ParadigmOutcome run_paradigm_well(const ParadigmCase& given);

/// The rows of a file of tests/golden/preference.
std::vector<TestRow> golden_rows(const SafetensorsFile& golden);
SafetensorsFile preference_golden(const std::string& name);
std::vector<double> golden_series(const SafetensorsFile& golden, const std::string& name);

}  // namespace ftrun::test
