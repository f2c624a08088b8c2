// Settings that were given and change nothing because of other settings.
// Leaves out: keys that no run uses (core/config/foreign_keys.h) and combinations that are refused.
#pragma once

#include <string>
#include <vector>

#include "core/train/training_arguments.h"

namespace ftrun {

struct IdleContext {
  bool has_evaluation_data = false;
  bool template_reasons = true;      ///< the chat template writes thoughts
  bool has_turns = true;             ///< false: plain text
  bool template_ends_texts = false;  ///< the template names the token that ends a text
};

/// One line "ORIGIN: KEY: has no effect: REASON" for each key that was given explicitly and is read by nothing in this
/// run. Files of the field often carry such keys, so they are not refused.
std::vector<std::string> idle_settings(const ResolvedConfig& config, const TrainingArguments& arguments,
                                       const IdleContext& context);

}  // namespace ftrun
