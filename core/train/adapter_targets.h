// Names of modules in a configuration or an adapter's file, against what the network declared.
// Leaves out: what is done to what they name (adapters.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/resolve.h"
#include "core/model/network_model.h"

namespace ftrun {

/// The part of a module's name behind its last dot, as PEFT's configuration has it.
std::string last_part(const std::string& module);

/// Ids of the weights that lora_target names: linear layers of the blocks. The head's cannot carry a pair: logits are
/// never held, so nothing could be added to them. Throws INVALID_ARGUMENT with the nearest name for one that is none.
std::vector<int32_t> weights_of_targets(const ResolvedConfig& config, const NetworkModel& model);

/// Ids of the parameters of the modules that are trained whole. Throws INVALID_ARGUMENT, beginning with `place`, for a
/// name that is none and for one name of a tied tensor without the others.
std::vector<int32_t> whole_parameters(const std::string& place, const NetworkModel& model,
                                      const std::vector<std::string>& targets);

/// `targets`, sorted, by names that PEFT finds the modules of the parameters `whole` by and no others: it takes every
/// module whose name ends so, even within a word, and `norm` would be q_norm too. Such a target becomes the whole names
/// of what it stands for.
std::vector<std::string> unambiguous(const NetworkModel& model, const std::vector<std::string>& targets,
                                     const std::vector<int32_t>& whole);

}  // namespace ftrun
