// Scalar heads of a role: added to the model, their values found beside the weights, and how they are named when saved.
// Leaves out: computing them (core/model/rank.h, head_scalar).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/io/hf_config.h"
#include "core/io/model_weights.h"
#include "core/model/network_model.h"
#include "core/model/weight_source.h"

namespace ftrun {

/// File of a head beside a model or adapter, with v_head.summary.weight [1, D] and v_head.summary.bias [1].
/// Source: TRL's AutoModelForCausalLMWithValueHead as LLaMA-Factory saves it.
inline constexpr const char* kValueHeadFile = "value_head.safetensors";

/// Does the config.json say that the folder is a sequence classifier, whose score.weight is the head?
bool is_sequence_classifier(const ModelConfig& config);

/// Adds a head called `name` to `model`, linear from hidden states to one number: score.weight of a sequence
/// classifier, else v_head.summary with initial values as torch.nn.Linear draws them (uniform within 1 / sqrt(D)),
/// keyed by name.
void add_scalar_head(NetworkModel& model, const ModelConfig& config, const std::string& name);

/// Throws INVALID_ARGUMENT when the folder is a sequence classifier and the role asks for no scalar head: `role` would
/// talk with a model that has no words.
void require_language_model(const ModelConfig& config, const std::string& role);

/// Heads from the first of `folders` that has a kValueHeadFile, initial values keyed by `seed` where none has;
/// everything else from the base.
class ScalarHeadWeights : public WeightSource {
 public:
  /// With `is_required`, NOT_FOUND when no folder has a head. INVALID_ARGUMENT naming file and shapes for one of
  /// another width.
  ScalarHeadWeights(std::unique_ptr<WeightSource> base, const NetworkModel& model,
                    const std::vector<std::filesystem::path>& folders, uint64_t seed, bool is_required);
  void fill(ExecutionContext& ctx, const ModelParameter& parameter, int64_t begin, int64_t end,
            const Tensor& destination) override;

 private:
  std::unique_ptr<WeightSource> base_;
  std::unique_ptr<SafetensorsFile> file_;
  InitialWeights initial_;
};

}  // namespace ftrun
