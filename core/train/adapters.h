// Which low-rank adapters a run has: read from the configuration and adapter folders, added to the model.
// Leaves out: their arithmetic (core/model/adapted_linear.h), values (core/model/adapter_weights.h), files
// (core/io/peft_adapter.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config/resolve.h"
#include "core/io/peft_adapter.h"
#include "core/model/network_model.h"
#include "core/model/pissa.h"
#include "core/model/weight_source.h"

namespace ftrun {

/// What becomes of the base model's weights, and what is trained beside them.
struct AdapterPlan {
  /// Merged into the base while it is loaded, in this order.
  std::vector<std::shared_ptr<const PeftAdapter>> merged;
  /// The adapter whose training goes on; NULL: new pairs, or none.
  std::shared_ptr<const PeftAdapter> continued;
  /// Pairs were added to the model.
  bool is_trained = false;
  /// What adapter_config.json says of the pairs.
  PeftConfig config;
  /// What the pairs started as and the base lacks (pissa_init); NULL: pairs started at zero.
  std::shared_ptr<PrincipalPairs> principal;
  /// Parameters of the network that are trained and saved whole (additional_target).
  std::vector<int32_t> whole_parameters;

  /// The last of adapter_name_or_path, or NULL: a head that was trained stands beside it.
  const PeftAdapter* last() const noexcept {
    return continued ? continued.get() : merged.empty() ? nullptr : merged.back().get();
  }
};

/// Reads adapter_name_or_path and, with finetuning_type lora, the lora keys; adds pairs to `model`. Of several adapters
/// all but the last are merged and the last is trained on, with create_new_adapter all are merged; with `for_inference`
/// too. Throws INVALID_ARGUMENT or NOT_FOUND naming key, module and nearest name: an unknown target, a rank above a
/// matrix's, keys that disagree with the adapter that is trained on, an adapter of another base, one name of a tied
/// pair in additional_target. Source: LLaMA-Factory model/adapter.py (_setup_lora_tuning); PEFT's match of target
/// names.
AdapterPlan plan_adapters(const ResolvedConfig& config, NetworkModel& model, bool for_inference = false);

/// Adds the pairs of an opened adapter to `model`. INVALID_ARGUMENT where they do not fit it.
void add_pairs(NetworkModel& model, const PeftAdapter& adapter);

/// `base` with the plan's adapters: merged ones, then values of the pairs. `model` outlives the result.
std::unique_ptr<WeightSource> adapted_weights(const AdapterPlan& plan, const NetworkModel& model,
                                              std::unique_ptr<WeightSource> base, uint64_t seed);

}  // namespace ftrun
