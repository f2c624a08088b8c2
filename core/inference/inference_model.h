// One rank's model that answers: network, strategy and weights, composed as in training, with nothing to train.
// Leaves out: prompts and text.
#pragma once

#include <memory>

#include "core/generate/generator.h"
#include "core/inference/inference_setup.h"
#include "core/train/rank_link.h"
#include "core/train/rank_services.h"
#include "core/train/run.h"

namespace ftrun {

/// [rank-thread]. Borrowed: setup and link, which outlive it.
class InferenceModel {
 public:
  /// Loads the weights, with the adapters of adapter_name_or_path merged in. Throws what does not fit, in messages that
  /// training uses too.
  InferenceModel(const InferenceSetup& setup, RankLink& link);
  InferenceModel(const InferenceModel&) = delete;
  InferenceModel& operator=(const InferenceModel&) = delete;

  Rank& rank() noexcept { return instance_.rank(); }
  int64_t max_positions() const noexcept { return model_->info().max_position_embeddings; }
  /// A request with the setup's settings and no prompts.
  GenerationRequest request() const;

 private:
  void load(const InferenceSetup& setup, RankLink& link);

  const InferenceSetup& setup_;
  RankServices services_;
  std::shared_ptr<NetworkModel> model_;
  RankInstance instance_;
};

}  // namespace ftrun
