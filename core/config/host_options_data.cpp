// Host keys about data.
#include "core/config/host_option_tables.h"

namespace ftrun::host_tables {

std::span<const ftrun_option> data_options() {
  static constexpr ftrun_option kOptions[] = {
      paths("dataset", FTRUN_OPTION_STRING_LIST, "names in dataset_dir/dataset_info.json, or paths of .json, .jsonl"),
      sdk::with_aliases(paths("eval_dataset", FTRUN_OPTION_STRING_LIST, "likewise, for evaluation"), "val_dataset"),
      sdk::option("dataset_dir", FTRUN_OPTION_PATH, "data", "folder with dataset_info.json", kFlat),
      unset("template", FTRUN_OPTION_STRING,
            "chat template by name; unset: the one that writes chats as the tokenizer's chat_template does, else (and "
            "where that has generation marks) that chat_template itself, or 'empty' where there is none"),
      unset("template_dir", FTRUN_OPTION_PATH, "folder with further chat templates (YAML)"),
      sdk::with_aliases(integer("cutoff_len", "2048", 1, "tokens per example; longer ones are cut"), "max_length"),
      integer("max_samples", "", 1, "use only the first so many rows of each data set"),
      sdk::with_aliases(number("val_size", "0", {0, kNoLimit},
                               "share of rows kept for evaluation (below 1), or their number (whole, from 1)"),
                        "split_dataset_ratio"),
      sdk::with_aliases(unset("default_system", FTRUN_OPTION_STRING, "system message where a row has none"), "system"),
      flag("enable_thinking", "true",
           "reasoning templates: an empty thought is trained (true), or part of the prompt and thoughts left "
           "out (false), or thoughts trained and empty ones part of the prompt (null: mixed data)"),
      flag("preserve_thinking", "false", "reasoning templates: keep thoughts of earlier turns"),
      integer("max_bad_rows", "0", 0, "rows that do not fit the format and are dropped; more are an error"),
      flag("disable_shuffling", "false", "keep the rows in file order"),
      choice("mix_strategy", "concat", "concat", "several data sets are laid end to end"),
      unset("cache_dir", FTRUN_OPTION_PATH, "folder of the tokenised data; $XDG_CACHE_HOME/ftrun unless given"),
      flag("overwrite_cache", "false", "tokenise again although the cache has the data"),
  };
  return kOptions;
}

}  // namespace ftrun::host_tables
