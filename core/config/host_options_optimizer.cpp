// Host keys about batches, learning rate and optimizer.
#include "core/config/host_option_tables.h"

namespace ftrun::host_tables {

std::span<const ftrun_option> optimizer_options() {
  static constexpr ftrun_option kOptions[] = {
      integer("per_device_train_batch_size", "8", 1, "rows per rank and micro-batch"),
      integer("per_device_eval_batch_size", "8", 1, "rows per rank and micro-batch in evaluation"),
      integer("gradient_accumulation_steps", "1", 1, "micro-batches per update"),
      number("num_train_epochs", "3.0", {0, kNoLimit, FTRUN_OPTION_ABOVE_MIN}, "passes over the data"),
      integer("max_steps", "-1", -1, "updates in all (from 1), instead of num_train_epochs; -1: not set"),
      number("learning_rate", "5.0e-5", {0, kNoLimit}, "peak learning rate"),
      choice("lr_scheduler_type", "linear",
             "linear,cosine,cosine_with_min_lr,constant,constant_with_warmup,inverse_sqrt",
             "how the learning rate goes on after warm-up"),
      number("lr_scheduler_kwargs.min_lr", "", {0, kNoLimit}, "floor of cosine_with_min_lr, as a learning rate"),
      number("lr_scheduler_kwargs.min_lr_rate", "", {0, 1}, "floor of cosine_with_min_lr, as a share of learning_rate"),
      number("warmup_ratio", "0", {0, 1}, "share of the updates over which the learning rate rises from 0"),
      number("warmup_steps", "0", {0, kNoLimit}, "number of such updates (wins over the ratio); below 1: a share"),
      choice("optim", "adamw_torch", "adamw_torch,adamw_torch_fused", "the optimizer; both names are one AdamW"),
      number("weight_decay", "0", {0, kNoLimit}, "decoupled weight decay; not on biases and norms"),
      number("adam_beta1", "0.9", {0, 1, FTRUN_OPTION_BELOW_MAX}, "decay of the first moment"),
      number("adam_beta2", "0.999", {0, 1, FTRUN_OPTION_BELOW_MAX}, "decay of the second moment"),
      number("adam_epsilon", "1.0e-8", {0, kNoLimit, FTRUN_OPTION_ABOVE_MIN}, "added to the denominator"),
      number("max_grad_norm", "1.0", {0, kNoLimit}, "gradients are scaled down to this global norm; 0: never"),
  };
  return kOptions;
}

}  // namespace ftrun::host_tables
