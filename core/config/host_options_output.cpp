// Host keys about logging, evaluation, checkpoints and what is written.
#include "core/config/host_option_tables.h"

namespace ftrun::host_tables {
namespace {

template <size_t K, size_t V, size_t D>
constexpr ftrun_option steps(const char (&key)[K], const char (&value)[V], const char (&doc)[D]) {
  return number(key, value, {0, kNoLimit, FTRUN_OPTION_ABOVE_MIN}, doc);
}

}  // namespace

std::span<const ftrun_option> output_options() {
  static constexpr ftrun_option kOptions[] = {
      unset("output_dir", FTRUN_OPTION_PATH, "folder for the model, logs and checkpoints"),
      flag("overwrite_output_dir", "false", "use output_dir although it is not empty"),
      paths("resume_from_checkpoint", FTRUN_OPTION_STRING,
            "true: continue from the newest checkpoint in output_dir; or the path of one"),
      steps("logging_steps", "500", "updates between log lines; below 1: a share of all updates"),
      flag("logging_first_step", "false", "log the first update too"),
      choice("eval_strategy", "no", "no,steps,epoch", "when to evaluate during training"),
      steps("eval_steps", "", "updates between evaluations, likewise; logging_steps unless given"),
      choice("save_strategy", "steps", "no,steps,epoch", "when to write checkpoints"),
      steps("save_steps", "500", "updates between checkpoints, likewise"),
      integer("save_total_limit", "", 1, "how many checkpoints to keep, the best one among them"),
      flag("save_only_model", "false", "checkpoints without optimizer state; they cannot be resumed"),
      flag("load_best_model_at_end", "false",
           "save the weights of the best evaluation as the result; every new best is saved as a checkpoint"),
      unset("metric_for_best_model", FTRUN_OPTION_STRING,
            "measure that 'best' means: loss, perplexity or what the paradigm measures; loss unless given"),
      flag("greater_is_better", "", "whether more of it is better; unless given: true if it does not end in 'loss'"),
      sdk::with_aliases(integer("early_stopping_steps", "", 1, "stop after so many evaluations without a better one"),
                        "early_stop_interval"),
      flag("plot_loss", "false", "write the loss curve as an image"),
      sdk::option("report_to", FTRUN_OPTION_STRING_LIST, "none", "trackers to report to; none is built in", kFlat),
  };
  return kOptions;
}

}  // namespace ftrun::host_tables
