// Host keys about the model and its precision.
#include "core/config/host_option_tables.h"

namespace ftrun::host_tables {

std::span<const ftrun_option> model_options() {
  static constexpr ftrun_option kOptions[] = {
      sdk::with_aliases(unset("model_name_or_path", FTRUN_OPTION_PATH, "folder of the Hugging Face model"), "model"),
      sdk::with_aliases(
          unset("tokenizer_name_or_path", FTRUN_OPTION_PATH, "folder with tokenizer.json; the model's unless given"),
          "tokenizer_name"),
      flag("train_from_scratch", "false", "initialise weights from config.json instead of reading them"),
      flag("bf16", "false", "compute in bf16 with fp32 master weights"),
      flag("pure_bf16", "false", "bf16 throughout, without fp32 master weights"),
      choice("flash_attn", "auto", "auto,disabled,sdpa,fa2,fa3",
             "attention is always the memory-saving one, whatever is named"),
      flag("disable_gradient_checkpointing", "false",
           "keep all activations instead of recomputing each block in backward: faster, more memory"),
      flag("offload_activations", "false",
           "keep each block's input on the host until backward recomputes the block; not with "
           "disable_gradient_checkpointing"),
      choice("save_dtype", "auto", "auto,float32,bfloat16", "dtype of saved weights; auto: that of the model folder"),
  };
  return kOptions;
}

}  // namespace ftrun::host_tables
