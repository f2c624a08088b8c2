// A strategy trained for a few updates on threads as ranks, and everything one can see of it afterwards.
// Leaves out: the run's composition (core/train); ranks are driven at the level of core/model's Rank.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/collectives/communicator.h"
#include "core/model/rank.h"

namespace ftrun::test {

struct StrategyCase {
  std::string strategy = "single";
  std::map<std::string, std::string> options;  ///< of the strategy, as written in YAML
  std::map<std::string, std::string> host;     ///< keys of the run that the strategy may look at
  int32_t world = 1;
  int32_t accumulation = 1;
  std::string model = "llama";  ///< a folder of tests/golden/models
  std::string config_json;      ///< instead of it: this config with made-up weights, of the model's network
  Precision precision = Precision::f32();
  bool gradient_checkpointing = true;
  bool with_reference =
      false;  ///< a frozen copy of the model is asked in every micro-batch; with pairs: the base without them
  int32_t adapter_rank =
      0;  ///< low-rank pairs (DoRA on down_proj) on the blocks' linear weights are trained, nothing else
  bool starts_principal = false;  ///< the pairs start as PiSSA's (then without DoRA)
  std::string merged_adapter;     ///< a folder of tests/golden/models, merged into the base first
  /// By parameter name; NULL: everything is trained.
  std::function<bool(const std::string& name)> is_trained;
  std::string device = "cpu";  ///< the rank's; the host device is `cpu` beside it
  int32_t updates = 4;
  uint64_t piece_bytes = uint64_t{1} << 20;  ///< see CommunicatorArguments
  bool rehearses = false;                    ///< before the first update, as core/train/rehearsal.h does
  bool reloads = false;                      ///< after the last update, the weights as they were before the first
  int32_t failing_rank = -1;                 ///< throws inside the second update

  std::string name() const;
};

/// Those over several ranks.
inline constexpr const char* kStrategies[] = {"ddp", "zero1", "zero2", "zero3", "fsdp"};

/// A case with everything else at its default.
StrategyCase make_case(const std::string& model, const std::string& strategy, int32_t world, int32_t accumulation);

struct RankOutcome {
  ftrun_schedule schedule = {};
  std::array<CollectiveTraffic, 8> traffic = {};  ///< of the last update
  ftrun_memory_stats before_step = {};            ///< device, after the last update's gradients were finished
  ftrun_memory_stats host_before_step = {};       ///< of the host device beside it
  uint64_t gather_bytes_between_updates = 0;
};

struct Outcome {
  std::vector<double> losses;
  std::vector<double> norms;
  std::vector<double> reference;                      ///< summed log-probabilities of the frozen copy, by update
  double evaluation = 0;                              ///< loss of the first update's items after training, not recorded
  std::map<std::string, std::vector<float>> weights;  ///< by parameter
  std::vector<RankOutcome> ranks;
  std::vector<std::string> failures;  ///< by rank, "" where none
};

/// Trains. Weights are put together from every rank's owned ranges; elements that several ranks own must be equal bit
/// by bit, and none may be missing. Each rank's failure is in `failures`.
Outcome run_case(const StrategyCase& given);
/// run_case that expects no failure.
Outcome run_well(const StrategyCase& given);

/// Elements of the model, all parameters once: as declared, and with each unit padded for the case's world.
struct ModelSize {
  int64_t elements = 0;
  int64_t padded = 0;
  int64_t embedding_padded = 0;  ///< of unit 0
};
ModelSize model_size(const StrategyCase& given);

/// A config.json whose units' sizes no world divides: 0.6 M parameters, three blocks.
std::string odd_config(bool tied);

/// Same global batch, so: losses and norms within 1e-6, weights within 2e-6 over the model and 2e-4 per tensor.
void expect_equivalent(const Outcome& found, const Outcome& expected, const std::string& what);
void expect_same_bits(const Outcome& found, const Outcome& expected, const std::string& what);

}  // namespace ftrun::test
