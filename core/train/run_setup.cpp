// Configuration to a validated setup; the order of checks is the order in which a user can mend things.
#include "core/train/run_setup.h"

#include <unistd.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/config/document.h"
#include "core/io/checkpoint.h"
#include "core/io/model_weights.h"
#include "core/model/api_tables.h"
#include "core/model/context.h"
#include "core/parallel/thread_pool.h"
#include "core/train/data_service.h"
#include "core/train/generate_service.h"
#include "core/train/rank_services.h"
#include "core/train/stop_request.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

ftrun_status record_metric(ftrun_context* ctx, ftrun_str name, double value) {
  services_of(ctx).metrics[std::string(name.data, name.size)] = value;
  return FTRUN_OK;
}

void check_vocabulary(const RunSetup& setup) {
  const int32_t needed = setup.tokenizer->vocabulary_size();
  if (setup.model.vocab_size >= needed) return;
  throw invalid_argument(
      "{}: key 'vocab_size' is {}, but the tokenizer in '{}' has ids up to {}: the embedding would be too small by {} "
      "rows",
      setup.model.file.string(), setup.model.vocab_size, setup.arguments.tokenizer_name_or_path.string(), needed - 1,
      needed - setup.model.vocab_size);
}

void check_weights_exist(const TrainingArguments& arguments, const ResolvedConfig& config) {
  if (arguments.train_from_scratch || has_model_weights(arguments.model_name_or_path)) return;
  // Opening says exactly what is wrong with the folder.
  const ModelWeights weights(arguments.model_name_or_path);
  throw not_found("{}: model_name_or_path: '{}' has no weights", config.origin("model_name_or_path"),
                  arguments.model_name_or_path.string());
}

bool is_empty_or_missing(const fs::path& folder) {
  std::error_code ignored;
  return !fs::exists(folder, ignored) || fs::is_empty(folder, ignored);
}

std::optional<fs::path> find_resume_checkpoint(const TrainingArguments& arguments, const ResolvedConfig& config) {
  if (!arguments.resume_from_checkpoint) return {};
  const std::string& wanted = *arguments.resume_from_checkpoint;
  const std::string& origin = config.origin("resume_from_checkpoint");
  if (wanted == "true" || wanted == "True") {
    const auto newest = newest_complete_checkpoint(arguments.output_dir);
    if (!newest) {
      throw not_found("{}: resume_from_checkpoint: '{}' has no complete checkpoint-N folder", origin,
                      arguments.output_dir.string());
    }
    return newest->path;
  }
  if (!fs::is_directory(wanted)) {
    throw not_found("{}: resume_from_checkpoint: '{}' is not a folder: expected true or the path of a checkpoint",
                    origin, wanted);
  }
  if (const std::string reason = incomplete_reason(wanted); !reason.empty()) {
    throw invalid_argument("{}: resume_from_checkpoint: '{}' is not a complete checkpoint: {}", origin, wanted, reason);
  }
  if (!fs::exists(fs::path(wanted) / "optimizer.safetensors")) {
    throw invalid_argument(
        "{}: resume_from_checkpoint: '{}' has no optimizer state (was save_only_model on?): it cannot be "
        "resumed; use it as model_name_or_path instead",
        origin, wanted);
  }
  return fs::path(wanted);
}

void check_output_dir(const TrainingArguments& arguments, const ResolvedConfig& config) {
  const fs::path& folder = arguments.output_dir;
  if (fs::exists(folder) && !fs::is_directory(folder)) {
    throw invalid_argument("{}: output_dir: '{}' is a file", config.origin("output_dir"), folder.string());
  }
  fs::path existing = fs::absolute(folder);
  std::error_code ignored;
  while (!fs::exists(existing, ignored) && existing.has_relative_path()) existing = existing.parent_path();
  if (!fs::is_directory(existing, ignored) || ::access(existing.c_str(), W_OK) != 0) {
    throw invalid_argument("{}: output_dir: '{}' cannot be made: '{}' is not a folder one may write to",
                           config.origin("output_dir"), folder.string(), existing.string());
  }
  if (arguments.resume_from_checkpoint || arguments.overwrite_output_dir || is_empty_or_missing(folder)) return;
  throw Error(
      FTRUN_ALREADY_EXISTS,
      fmt::format("{}: output_dir: '{}' is not empty: set overwrite_output_dir: true, resume_from_checkpoint: true, or "
                  "another output_dir",
                  config.origin("output_dir"), folder.string()));
}

DataSpec read_data_spec(const ResolvedConfig& config) {
  DataSpec spec;
  if (config.is_set("dataset")) spec.datasets = config.get_list("dataset");
  if (config.is_set("eval_dataset")) spec.eval_datasets = config.get_list("eval_dataset");
  spec.dataset_dir = config.get_string("dataset_dir");
  spec.template_name = config.find_string("template").value_or("empty");
  spec.template_search_path = template_search_path(config);
  spec.cutoff_len = static_cast<int32_t>(config.get_int("cutoff_len"));
  spec.max_samples = config.find_int("max_samples");
  spec.val_size = config.get_float("val_size");
  spec.seed = static_cast<uint64_t>(config.get_int("seed"));
  spec.enable_thinking = config.get_bool("enable_thinking");
  spec.preserve_thinking = config.get_bool("preserve_thinking");
  spec.default_system = config.find_string("default_system");
  spec.max_bad_rows = config.get_int("max_bad_rows");
  if (const auto folder = config.find_string("cache_dir")) spec.cache_dir = *folder;
  spec.overwrite_cache = config.get_bool("overwrite_cache");
  return spec;
}

constexpr int64_t kMostLayers = 100000;
constexpr int64_t kMostThreads = 1024;

// A named network must be the one that config.json says the folder is, or what is saved would open as another model.
void check_network(const RunSetup& setup) {
  const Plugin& network = *setup.plugins->network.plugin;
  const std::vector<std::string> claimed = network.architectures();
  const auto& wanted = setup.model.architectures;
  const bool fits = std::any_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
    return std::find(claimed.begin(), claimed.end(), name) != claimed.end();
  });
  if (!fits) {
    throw invalid_argument(
        "{}: key 'architectures' is [{}], but network '{}' is [{}]: remove `network` to have it found",
        setup.model.file.string(), fmt::join(wanted, ", "), network.id(), fmt::join(claimed, ", "));
  }
  if (setup.model.num_hidden_layers > kMostLayers) {
    throw invalid_argument("{}: key 'num_hidden_layers' is {}: expected at most {}", setup.model.file.string(),
                           setup.model.num_hidden_layers, kMostLayers);
  }
}

void check_evaluation(const RunSetup& setup) {
  if (setup.arguments.evaluation.unit == Period::Unit::kNever) return;
  if (!setup.data.eval_datasets.empty() || setup.data.val_size > 0) return;
  throw invalid_argument("{}: eval_strategy: '{}' needs evaluation data: set eval_dataset or val_size",
                         setup.config().origin("eval_strategy"), setup.config().get_string("eval_strategy"));
}

void check_threads(const ResolvedConfig& config) {
  if (config.get_int("threads") <= kMostThreads) return;
  throw invalid_argument("{}: threads: {}: expected at most {}", config.origin("threads"), config.get_int("threads"),
                         kMostThreads);
}

void check_ranks(const ResolvedConfig& config) {
  if (config.get_int("nproc") != 1) {
    throw unimplemented("{}: nproc: {} ranks need a distributed strategy; this build trains on one",
                        config.origin("nproc"), config.get_int("nproc"));
  }
}

}  // namespace

RankServices& services_of(ftrun_context* ctx) {
  if (ctx->services == nullptr) throw internal_error("this context has no run services");
  return *ctx->services;
}

HostServices host_services() {
  HostServices services;
  services.metric = record_metric;
  services.cancelled = stop_requested;
  services.tensor = tensor_api_table();
  services.context = context_api_table();
  services.shard = shard_api_table();
  services.collectives = collectives_api_table();
  services.data = data_api();
  services.generate = generate_api();
  return services;
}

std::vector<fs::path> template_search_path(const ResolvedConfig& config) {
  std::vector<fs::path> folders;
  if (const auto given = config.find_string("template_dir")) {
    if (!fs::is_directory(*given)) {
      throw not_found("{}: template_dir: '{}' is not a folder", config.origin("template_dir"), *given);
    }
    folders.emplace_back(*given);
  }
  const fs::path executable = fs::read_symlink("/proc/self/exe");
  const fs::path shipped = executable.parent_path().parent_path() / "share/ftrun/configs/templates";
  if (fs::is_directory(shipped)) folders.push_back(shipped);
  return folders;
}

RunSetup prepare_setup(const CommandContext& context, bool for_training) {
  const ConfigSources sources = read_config(context.config_file, context.override_arguments);
  RunSetup setup;
  setup.registry = std::make_unique<Registry>(open_registry(sources));
  setup.plugins = std::make_unique<OpenedPlugins>(open_plugins(*setup.registry, sources));
  const ResolvedConfig& config = setup.config();
  for (const std::string& notice : config.notices()) log_info("{}", notice);
  setup.arguments = read_training_arguments(config);
  check_ranks(config);
  check_threads(config);
  configure_threads(static_cast<int32_t>(config.get_int("threads")));
  setup.model = read_model_config(setup.arguments.model_name_or_path / "config.json");
  require_trainable(setup.model);
  check_network(setup);
  setup.generation = generation_config_of(setup.arguments.model_name_or_path, setup.model);
  setup.tokenizer = Tokenizer::load(setup.arguments.tokenizer_name_or_path);
  check_vocabulary(setup);
  check_weights_exist(setup.arguments, config);
  setup.data = read_data_spec(config);
  check_evaluation(setup);
  if (for_training) {
    check_output_dir(setup.arguments, config);
    setup.resume_from = find_resume_checkpoint(setup.arguments, config);
  }
  return setup;
}

}  // namespace ftrun
