// The one place where predict and chat compose a model.
#include "core/inference/inference_model.h"

#include "core/base/error.h"
#include "core/io/model_weights.h"
#include "core/train/adapter_bases.h"
#include "core/train/adapters.h"
#include "core/train/memory_estimate.h"

namespace ftrun {

InferenceModel::InferenceModel(const InferenceSetup& setup, RankLink& link)
    : setup_(setup),
      model_(open_network(setup.run, link.host_services())),
      instance_(setup.run, link.host_services(), link.devices(), &link.communicator(), nullptr, &services_) {
  load(setup, link);
}

void InferenceModel::load(const InferenceSetup& setup, RankLink& link) {
  const AdapterPlan adapters = plan_adapters(setup.config(), *model_, true);
  if (link.communicator().is_main()) warn_of_other_bases(setup.config(), adapters);
  auto files = std::make_shared<ModelWeights>(setup.run.arguments.model_name_or_path);
  auto base = std::make_unique<FileWeights>(std::move(files), *model_);
  rank().add_role("policy", model_, {}, adapted_weights(adapters, *model_, std::move(base), 0));
  try {
    require_memory_for(rank().schedule(), link.devices().device(), link.devices().host_device(), link.local_world(),
                       "");
  } catch (const Error& error) {
    // A plugin that announces nothing is refused by what it allocates.
    if (error.code() != FTRUN_UNIMPLEMENTED) throw;
  }
  rank().attach();
  rank().release_weight_sources();
}

GenerationRequest InferenceModel::request() const {
  GenerationRequest request;
  request.max_new_tokens = setup_.generation.max_new_tokens;
  request.sampling = setup_.generation.sampling;
  request.seed = setup_.generation.seed;
  request.stop_ids = setup_.stop_ids;
  request.with_logprobs = false;
  return request;
}

}  // namespace ftrun
