// Lists of what is read; everything else on a command line is a mistake.
#include "core/inference/idle_flags.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/inference/held_out_rows.h"
#include "ftrun/plugin.h"

namespace ftrun {
namespace {

// stage and finetuning_type are on command lines that were written for other programs; they are harmless.
const std::vector<std::string>& common_keys() {
  static const std::vector<std::string> keys = {"model_name_or_path",
                                                "tokenizer_name_or_path",
                                                "adapter_name_or_path",
                                                "finetuning_type",
                                                "stage",
                                                "strategy",
                                                "device",
                                                "collectives",
                                                "network",
                                                "plugin_path",
                                                "nproc",
                                                "threads",
                                                "collective_timeout_s",
                                                "seed",
                                                "template",
                                                "template_dir",
                                                "default_system",
                                                "enable_thinking",
                                                "flash_attn",
                                                "preserve_thinking",
                                                "bf16",
                                                "pure_bf16",
                                                "infer_dtype",
                                                "do_sample",
                                                "temperature",
                                                "top_p",
                                                "top_k",
                                                "repetition_penalty",
                                                "max_new_tokens",
                                                "stop"};
  return keys;
}

/// `splits`: predict answers the rows that training holds out, and what shapes that split is read.
std::vector<std::string> keys_of(std::string_view command, bool splits) {
  std::vector<std::string> keys = common_keys();
  if (command != "predict") return keys;
  for (const char* key :
       {"dataset", "eval_dataset", "dataset_dir", "max_samples", "max_bad_rows", "val_size", "output_dir",
        "overwrite_output_dir", "per_device_eval_batch_size", "do_predict", "predict_with_generate"}) {
    keys.emplace_back(key);
  }
  if (!splits) return keys;
  for (const char* key : {"cutoff_len", "train_on_prompt", "mask_history", "cache_dir", "overwrite_cache"}) {
    keys.emplace_back(key);
  }
  return keys;
}

}  // namespace

void refuse_idle_flags(const ResolvedConfig& config, std::string_view command) {
  const std::vector<std::string> used = keys_of(command, holds_out_rows(config));
  std::vector<std::string> lines;
  const auto refuse = [&](const std::string& key, const OptionValue& value) {
    if (value.source != ValueSource::kCommandLine || std::ranges::find(used, key) != used.end()) return;
    lines.push_back(fmt::format("{}: {}: '{}' has no use for it{}: remove it", value.origin, key, command,
                                did_you_mean(key, used)));
  };
  for (const auto& [key, value] : config.host().entries()) refuse(key, value);
  for (size_t i = 0; i < config.plugin_count(); ++i) {
    const ResolvedConfig::PluginPart& part = config.plugin(i);
    if (part.kind != FTRUN_KIND_PARADIGM && part.kind != FTRUN_KIND_REWARD) continue;
    for (const auto& [key, value] : part.values.entries()) refuse(key, value);
  }
  if (!lines.empty()) throw invalid_argument("{}", fmt::join(lines, "\n"));
}

}  // namespace ftrun
