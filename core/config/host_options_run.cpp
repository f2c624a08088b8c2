// Host keys that compose a run: which plugins, how many ranks and threads, and the seed.
#include "core/config/host_option_tables.h"

namespace ftrun::host_tables {

std::span<const ftrun_option> run_options() {
  static constexpr ftrun_option kOptions[] = {
      unset("stage", FTRUN_OPTION_STRING, "what is learned: a paradigm plugin, or a map {name: ..., option: ...}"),
      sdk::option("strategy", FTRUN_OPTION_STRING, "single",
                  "how training is distributed: a strategy plugin, or a map {name: ..., option: ...}", kFlat),
      sdk::option("device", FTRUN_OPTION_STRING, "cpu",
                  "where it is computed: a device plugin, or a map {name: ..., option: ...}", kFlat),
      sdk::option("collectives", FTRUN_OPTION_STRING, "inproc",
                  "how ranks talk: a collectives plugin, or a map {name: ..., option: ...}", kFlat),
      unset("network", FTRUN_OPTION_STRING, "the network plugin; found from the model's config.json unless given"),
      unset("reward", FTRUN_OPTION_STRING, "reward plugin, or a list of maps {name: ..., weight: 1.0, option: ...}"),
      flag("do_train", "true", "train; false, with do_eval: true: only evaluate the model as it is"),
      flag("do_eval", "false", "evaluate after training; true by itself when eval_strategy is not 'no'"),
      integer("seed", "42", 0, "seed of initial weights, data order, splits, dropout and sampling"),
      integer("nproc", "1", 1, "number of in-process ranks"),
      integer("collective_timeout_s", "1800", 1,
              "seconds that a rank waits for a peer before the run ends with what each rank was doing"),
      integer("threads", "0", 0, "threads of all ranks together; 0: every core this process may use"),
      paths("plugin_path", FTRUN_OPTION_STRING_LIST, "further folders or files to look for plugins in"),
  };
  return kOptions;
}

}  // namespace ftrun::host_tables
