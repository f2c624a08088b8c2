// Host keys about which weights are trained and by what: low-rank adapters, frozen blocks.
#include "core/config/host_option_tables.h"

namespace ftrun::host_tables {

std::span<const ftrun_option> tuner_options() {
  static constexpr ftrun_option kOptions[] = {
      sdk::with_aliases(
          choice("finetuning_type", "lora", "full,lora,freeze,oft",
                 "which weights are trained: all, low-rank pairs beside linear layers, or some blocks; this build "
                 "has no 'oft'"),
          "tuner_type,train_type"),
      sdk::with_aliases(
          paths("adapter_name_or_path", FTRUN_OPTION_STRING_LIST,
                "adapter folders (PEFT): all but the last are merged into the model, the last is trained on"),
          "adapters"),
      flag("create_new_adapter", "false", "merge every adapter of adapter_name_or_path and train a new one"),
      integer("lora_rank", "8", 1, "finetuning_type lora: rank of the pairs"),
      sdk::with_range(
          unset("lora_alpha", FTRUN_OPTION_FLOAT,
                "finetuning_type lora: the pairs' product counts lora_alpha / lora_rank; 2 x lora_rank unless given"),
          {0, kNoLimit}),
      sdk::with_range(sdk::option("lora_dropout", FTRUN_OPTION_FLOAT, "0.0",
                                  "finetuning_type lora: share of a layer's inputs that its pair does not see", kFlat),
                      {0, 0.999}),
      sdk::with_aliases(
          sdk::option("lora_target", FTRUN_OPTION_STRING_LIST, "all",
                      "finetuning_type lora: linear layers of the blocks (q_proj, mlp.up_proj, ...), or all", kFlat),
          "target_modules"),
      sdk::with_aliases(
          unset("additional_target", FTRUN_OPTION_STRING_LIST,
                "finetuning_type lora: modules to train whole and save with the adapter (embed_tokens, norm, lm_head)"),
          "modules_to_save"),
      flag("use_rslora", "false", "finetuning_type lora: the product counts lora_alpha / sqrt(lora_rank)"),
      flag("use_dora", "false", "finetuning_type lora: train the lengths of the weights' rows too (DoRA)"),
      flag("pissa_init", "false",
           "finetuning_type lora: pairs start as the principal singular vectors of their weights (PiSSA); saved as a "
           "plain pair of "
           "twice the rank for the unchanged base"),
      integer("pissa_iter", "16", -1, "pissa_init: rounds of subspace iteration; -1: the whole decomposition"),
      sdk::with_range(
          unset("loraplus_lr_ratio", FTRUN_OPTION_FLOAT,
                "finetuning_type lora: learning rate of the second factors as a multiple of learning_rate (LoRA+)"),
          {0, kNoLimit}),
      sdk::option("freeze_trainable_layers", FTRUN_OPTION_INT, "2",
                  "finetuning_type freeze: train the last N blocks, with -N the first N", kFlat),
      sdk::option("freeze_trainable_modules", FTRUN_OPTION_STRING_LIST, "all",
                  "finetuning_type freeze: which modules of those blocks (mlp, self_attn, ...), or all", kFlat),
      unset("freeze_extra_modules", FTRUN_OPTION_STRING_LIST,
            "finetuning_type freeze: modules outside of the blocks to train too (embed_tokens, norm, lm_head)"),
  };
  return kOptions;
}

}  // namespace ftrun::host_tables
