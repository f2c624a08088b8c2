// Which parameters a run trains: all of them, those that finetuning_type 'freeze' leaves free, or low-rank pairs.
// Leaves out: which pairs there are (adapters.h), and what follows from a parameter being frozen (core/model).
#pragma once

#include <vector>

#include "core/config/resolve.h"
#include "core/model/network_model.h"
#include "core/train/adapters.h"

namespace ftrun {

/// By parameter id; scalar heads always. finetuning_type lora: the pairs and the plan's whole parameters. full: every
/// one. freeze: in the last freeze_trainable_layers blocks (the first ones for a negative number) the modules
/// freeze_trainable_modules (`all`, or exact names of a block's children such as `mlp` and `self_attn`), and outside of
/// the blocks the modules freeze_extra_modules (`embed_tokens`, `norm`, `lm_head`; a tied head is the embedding).
/// Throws INVALID_ARGUMENT naming the key, the nearest name and the choices. Source: LLaMA-Factory model/adapter.py,
/// _setup_freeze_tuning; its names match as substrings, these exactly.
std::vector<bool> trained_parameters(const ResolvedConfig& config, const NetworkModel& model, const AdapterPlan& plan);

/// Elements of the parameters that are trained.
int64_t trained_elements(const NetworkModel& model, const std::vector<bool>& trained);

}  // namespace ftrun
