// Everything that a model's answers are made from, validated, before anything is allocated.
// Leaves out: devices and weights (inference_model.h), data (predict_rows.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config/command_context.h"
#include "core/data/conversation_encoder.h"
#include "core/inference/generation_settings.h"
#include "core/train/run_setup.h"

namespace ftrun {

/// Movable; outlives what is built from it.
struct InferenceSetup {
  RunSetup run;  ///< without paradigm and saved template
  GenerationSettings generation;
  std::shared_ptr<const ConversationEncoder> prompts;
  /// Of the tokenizer, generation_config.json and the template, without duplicates.
  std::vector<int32_t> stop_ids;

  const ResolvedConfig& config() const { return run.config(); }
};

/// Reads a training configuration's keys too, which then have no effect, so that one file serves both; as flags of
/// `command` ("predict" or "chat") they are refused. A model that is the folder of an adapter is its base with it.
/// Prompts are
/// written by `template` where it is given, else by the tokenizer's chat_template, else by 'empty' with a warning.
/// Throws with file, line and key for everything that can be known now. [control-thread]
InferenceSetup prepare_inference(const CommandContext& context, std::string_view command);

}  // namespace ftrun
