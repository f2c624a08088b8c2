// Flags through the same option machinery as configuration keys.
#include "core/bench/bench_options.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/base/path_text.h"
#include "core/bench/flag_specs.h"
#include "core/config/config_errors.h"
#include "core/config/document.h"
#include "core/config/option_value.h"

namespace ftrun {
namespace {

constexpr const char* kDefaultModel = "configs/models/default";

std::vector<OptionSpec> own_options() {
  return {count_flag("seq", "1024"),
          count_flag("batch", "2"),
          count_flag("steps", "5"),
          choice_flag("torch_dtype", "bf16", {"bf16", "fp32"}),
          choice_flag("finetuning_type", "full", {"full", "lora"}),
          choice_flag("gradient_checkpointing", "false", {"false", "true"})};
}

/// Configuration keys that pass through.
constexpr std::array<std::string_view, 8> kPassed = {
    "model_name_or_path", "model", "threads", "strategy", "device", "network", "plugin_path", "seed"};
/// Those that only finetuning_type lora has a use for.
constexpr std::array<std::string_view, 8> kPassedWithLora = {"lora_rank",   "lora_alpha",     "lora_dropout",
                                                             "lora_target", "target_modules", "additional_target",
                                                             "use_rslora",  "use_dora"};

bool contains(std::span<const std::string_view> keys, std::string_view key) {
  return std::ranges::find(keys, key) != keys.end();
}

std::filesystem::path shipped_model() {
  const std::filesystem::path executable = std::filesystem::read_symlink("/proc/self/exe");
  return executable.parent_path().parent_path() / "share/ftrun" / kDefaultModel;
}

std::vector<std::string> known_flags(const std::vector<OptionSpec>& own) {
  std::vector<std::string> names(kPassed.begin(), kPassed.end());
  names.insert(names.end(), kPassedWithLora.begin(), kPassedWithLora.end());
  for (const OptionSpec& spec : own) names.push_back(spec.key);
  return names;
}

}  // namespace

BenchOptions read_bench_options(const CommandContext& context) {
  if (!context.positional.empty()) {
    throw invalid_argument("unexpected argument '{}': expected ftrun bench [--model DIR] [--FLAG VALUE]...",
                           context.positional.front());
  }
  if (!context.config_file.empty()) {
    throw invalid_argument(
        "--config: 'bench' takes no configuration file ('{}'): give the shape as --model DIR and what "
        "differs as flags",
        context.config_file.string());
  }
  const std::vector<OptionSpec> own = own_options();
  OptionValues values;
  for (const OptionSpec& spec : own) values.set(spec.key, default_value(spec));
  BenchOptions options;
  ConfigErrors errors;
  bool has_model = false;
  std::vector<std::string> lora_keys;
  for (Setting& setting : read_config({}, context.override_arguments).overrides) {
    const auto spec = std::ranges::find(own, setting.key, &OptionSpec::key);
    const std::string_view first = std::string_view(setting.key).substr(0, setting.key.find('.'));
    if (spec != own.end()) {
      errors.collect([&] { values.set(spec->key, convert_value(*spec, setting.value)); });
    } else if (contains(kPassed, first) || contains(kPassedWithLora, first)) {
      has_model = has_model || first.starts_with("model");
      if (contains(kPassedWithLora, first)) lora_keys.push_back(setting.key);
      options.sources.overrides.push_back(std::move(setting));
    } else {
      const std::vector<std::string> known = known_flags(own);
      errors.add(fmt::format("--{}: 'bench' has no use for it{}; it takes: {}", setting.key,
                             did_you_mean(setting.key, known), fmt::join(known, ", ")));
    }
  }
  for (const std::string& key : lora_keys) {
    if (values.get_string("finetuning_type") != "lora") {
      errors.add(fmt::format("--{}: only finetuning_type lora has a use for it", key));
    }
  }
  errors.throw_if_any();
  if (!has_model) {
    options.sources.overrides.push_back(
        scalar_setting("model_name_or_path", unexpanded_path(shipped_model().string()), "default"));
  }
  options.finetuning_type = values.get_string("finetuning_type");
  options.sources.overrides.push_back(scalar_setting("finetuning_type", options.finetuning_type, "bench"));
  options.seq = values.get_int("seq");
  options.batch = values.get_int("batch");
  options.steps = values.get_int("steps");
  options.bf16 = values.get_string("torch_dtype") == "bf16";
  options.gradient_checkpointing = values.get_string("gradient_checkpointing") == "true";
  return options;
}

}  // namespace ftrun
