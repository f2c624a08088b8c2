// The subcommands that let a model answer: predict, chat.
// Leaves out: parsing the command line and printing errors (core/cli).
#pragma once

#include "core/config/command_context.h"

namespace ftrun {

/// Answers every row of a data set; writes generated_predictions.jsonl and predict_results.json into output_dir. With
/// context.json the results go to stdout too. Returns the exit code; throws Error. [control-thread]
int predict_command(const CommandContext& context);

/// A conversation on stdin and stdout, a terminal or a pipe. [control-thread]
int chat_command(const CommandContext& context);

}  // namespace ftrun
