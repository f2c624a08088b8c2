// Host keys of `ftrun export`.
#include "core/config/host_option_tables.h"

namespace ftrun::host_tables {

std::span<const ftrun_option> export_options() {
  static constexpr ftrun_option kOptions[] = {
      unset("export_dir", FTRUN_OPTION_PATH, "ftrun export: folder that is made, with adapters merged into the model"),
      number("export_size", "5", {0, kNoLimit, FTRUN_OPTION_ABOVE_MIN}, "ftrun export: largest weight file in GB"),
      number("export_tolerance", "", {0, kNoLimit, FTRUN_OPTION_ABOVE_MIN},
             "ftrun export: how far logits of the merged model may be from those with the adapter beside its base: "
             "root mean square as a share of that of the logits, and the largest difference as a share of the largest "
             "logit; 0.001 in fp32, 0.02 in narrower types unless given"),
      unset("tie_word_embeddings", FTRUN_OPTION_BOOL,
            "ftrun export: false writes embedding and head as two tensors, which adapters may have trained apart; true "
            "writes one, where both are the same; as in the model unless given"),
  };
  return kOptions;
}

}  // namespace ftrun::host_tables
