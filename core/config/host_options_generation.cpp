// Host keys about generation.
#include "core/config/host_option_tables.h"

namespace ftrun::host_tables {

std::span<const ftrun_option> generation_options() {
  static constexpr ftrun_option kOptions[] = {
      integer("max_new_tokens", "1024", 1, "most tokens of an answer"),
      flag("do_sample", "true", "draw tokens at random; false: always the most likely one"),
      number("temperature", "0.95", {0, kNoLimit, FTRUN_OPTION_ABOVE_MIN}, "divides the logits"),
      number("top_p", "0.7", {0, 1, FTRUN_OPTION_ABOVE_MIN},
             "draw among the most likely tokens of this total probability"),
      integer("top_k", "50", 0, "draw among so many of the most likely tokens; 0: all"),
      number("repetition_penalty", "1.0", {0, kNoLimit, FTRUN_OPTION_ABOVE_MIN},
             "above 1: repeating becomes less likely"),
      sdk::with_aliases(unset("stop", FTRUN_OPTION_STRING_LIST, "texts that end an answer and do not belong to it"),
                        "stop_strings,stop_words"),
      choice("infer_dtype", "auto", "auto,float32,bfloat16",
             "what 'predict' and 'chat' compute in; auto: bf16 with bf16 or pure_bf16, else the dtype of the model's "
             "files"),
      flag("do_predict", "", "true in files that are for 'predict'; training takes false only"),
      flag("predict_with_generate", "", "likewise"),
  };
  return kOptions;
}

}  // namespace ftrun::host_tables
