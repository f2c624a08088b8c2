// Configuration to a validated setup; the order of checks is the order in which a user can mend things.
#include "core/train/run_setup.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/config/document.h"
#include "core/config/folder_setting.h"
#include "core/data/chat_template.h"
#include "core/data/data_source.h"
#include "core/io/checkpoint.h"
#include "core/io/model_weights.h"
#include "core/model/api_tables.h"
#include "core/model/context.h"
#include "core/parallel/thread_pool.h"
#include "core/train/data_service.h"
#include "core/train/generate_service.h"
#include "core/train/idle_settings.h"
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
      "{} is {}, but the tokenizer in '{}' has ids up to {}: the embedding would be too small by {} "
      "rows",
      place_of_key(setup.model.file, "vocab_size"), setup.model.vocab_size,
      setup.arguments.tokenizer_name_or_path.string(), needed - 1, needed - setup.model.vocab_size);
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

// The newest checkpoint of output_dir that is whole. Reads every byte of it.
fs::path find_newest_checkpoint(const TrainingArguments& arguments, const std::string& origin,
                                std::vector<Checkpoint>& damaged) {
  std::vector<Checkpoint> checkpoints = list_checkpoints(arguments.output_dir);
  std::string reasons;
  for (auto each = checkpoints.rbegin(); each != checkpoints.rend(); ++each) {
    const std::string reason = incomplete_reason(each->path);
    if (reason.empty()) return each->path;
    log_warning("'{}' is damaged and not resumed from: {}", each->path.string(), reason);
    reasons += fmt::format("; '{}': {}", each->path.filename().string(), reason);
    damaged.push_back(*each);
  }
  throw not_found("{}: resume_from_checkpoint: '{}' has no complete checkpoint-N folder{}", origin,
                  arguments.output_dir.string(), reasons);
}

std::optional<fs::path> find_resume_checkpoint(const TrainingArguments& arguments, const ResolvedConfig& config,
                                               std::vector<Checkpoint>& damaged) {
  if (!arguments.resume_from_checkpoint) return {};
  const std::string& wanted = *arguments.resume_from_checkpoint;
  const std::string& origin = config.origin("resume_from_checkpoint");
  if (wanted == "true" || wanted == "True") {
    return find_newest_checkpoint(arguments, origin, damaged);
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

// Does a run that overwrites its folder remove or replace this file of it?
bool is_replaced(const fs::path& way) {
  static constexpr std::array kOwnFiles = {"all_results.json",      "train_results.json", "eval_results.json",
                                           "trainer_state.json",    "trainer_log.jsonl",  "config.json",
                                           "generation_config.json"};
  const std::string first = way.begin()->string();
  return first == "." || first.starts_with("checkpoint-") ||
         std::find(kOwnFiles.begin(), kOwnFiles.end(), way.string()) != kOwnFiles.end();
}

// `inner` is `outer` or lies in it, links followed; the way from outer to inner, nothing when it does not.
std::optional<fs::path> path_inside(const fs::path& inner, const fs::path& outer) {
  const fs::path way = fs::weakly_canonical(inner).lexically_relative(fs::weakly_canonical(outer));
  if (way.empty() || *way.begin() == "..") return {};
  return way;
}

// What is read must not be what is written: neither the model folder nor data that an overwriting run removes.
void check_sources_outside(const RunSetup& setup) {
  const TrainingArguments& a = setup.arguments;
  const ResolvedConfig& config = setup.config();
  const std::string opening = fmt::format("{}: output_dir: '{}'", config.origin("output_dir"), a.output_dir.string());
  const auto refuse_model = [&](const char* relation) {
    throw invalid_argument(
        "{} {} model_name_or_path '{}' ({}), whose files the run could overwrite: choose another folder", opening,
        relation, a.model_name_or_path.string(), config.origin("model_name_or_path"));
  };
  const auto model_inside = path_inside(a.model_name_or_path, a.output_dir);
  if (model_inside && *model_inside == ".") refuse_model("is");
  if (!a.overwrite_output_dir) return;
  if (model_inside) refuse_model("contains");
  if (path_inside(a.output_dir, a.model_name_or_path)) refuse_model("is inside");
  for (const auto* values : {&setup.data.datasets, &setup.data.eval_datasets}) {
    for (const std::string& value : *values) {
      for (const fs::path& file : data_source_files(value, setup.data.dataset_dir)) {
        const auto way = path_inside(file, a.output_dir);
        if (!way || !is_replaced(*way)) continue;
        throw invalid_argument(
            "{} holds '{}' of data set '{}' where overwrite_output_dir removes or replaces files: move it", opening,
            way->string(), value);
      }
    }
  }
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
  require_usable_output_dir(arguments, config);
}

}  // namespace

void require_usable_output_dir(const TrainingArguments& arguments, const ResolvedConfig& config) {
  const fs::path& folder = arguments.output_dir;
  if (arguments.resume_from_checkpoint || arguments.overwrite_output_dir || is_empty_or_missing(folder)) return;
  throw Error(
      FTRUN_ALREADY_EXISTS,
      fmt::format("{}: output_dir: '{}' is not empty: set overwrite_output_dir: true, resume_from_checkpoint: true, or "
                  "another output_dir",
                  config.origin("output_dir"), folder.string()));
}

FolderLock lock_output_dir(const TrainingArguments& arguments, const ResolvedConfig& config) {
  if (auto lock = FolderLock::try_lock(arguments.output_dir)) return std::move(*lock);
  throw Error(FTRUN_ALREADY_EXISTS,
              fmt::format("{}: output_dir: '{}' is in use by another run that is still alive: wait for it, or choose "
                          "another folder",
                          config.origin("output_dir"), arguments.output_dir.string()));
}

namespace {

// LLaMA-Factory takes whole numbers for rows and the rest for shares, and 1.0 would be all rows.
void check_val_size(const ResolvedConfig& config) {
  const std::string& text = config.host().find("val_size")->text;
  if (config.get_float("val_size") != 1 || text.find_first_of(".eE") == std::string::npos) return;
  throw invalid_argument(
      "{}: val_size: '{}' leaves no row to train on: expected a share below 1, or a whole number of rows ('1' is one "
      "row)",
      config.origin("val_size"), text);
}

DataSpec read_data_spec(const ResolvedConfig& config) {
  check_val_size(config);
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
  for (const char* key : {"dataset", "eval_dataset", "template", "cutoff_len", "max_samples", "val_size"}) {
    if (config.is_given(key)) spec.origins[key] = config.origin(key);
  }
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
    throw invalid_argument("{} is [{}], but network '{}' is [{}]: remove `network` to have it found",
                           place_of_key(setup.model.file, "architectures"), fmt::join(wanted, ", "), network.id(),
                           fmt::join(claimed, ", "));
  }
  if (setup.model.num_hidden_layers > kMostLayers) {
    throw invalid_argument("{} is {}: expected at most {}", place_of_key(setup.model.file, "num_hidden_layers"),
                           setup.model.num_hidden_layers, kMostLayers);
  }
}

bool has_evaluation_data(const DataSpec& data) { return !data.eval_datasets.empty() || data.val_size > 0; }

void check_evaluation(const RunSetup& setup) {
  if (!setup.arguments.do_eval || has_evaluation_data(setup.data)) return;
  if (setup.arguments.evaluation.unit == Period::Unit::kNever) {
    throw invalid_argument("{}: do_eval: true needs evaluation data: set eval_dataset or val_size",
                           setup.config().origin("do_eval"));
  }
  throw invalid_argument("{}: eval_strategy: '{}' needs evaluation data: set eval_dataset or val_size",
                         setup.config().origin("eval_strategy"), setup.config().get_string("eval_strategy"));
}

// No paradigm of this build can ask for rewards.
void check_rewards(const OpenedPlugins& plugins) {
  if (plugins.rewards.empty()) return;
  throw invalid_argument("{}: reward: paradigm '{}' uses no reward: remove it", plugins.config.origin("reward"),
                         plugins.paradigm.plugin->id());
}

void warn_of_idle_settings(const RunSetup& setup) {
  const ResolvedConfig& config = setup.config();
  IdleContext context;
  context.has_evaluation_data = has_evaluation_data(setup.data);
  // Read only when a key depends on it; what is wrong with the template is said when the data is opened.
  if (config.is_given("enable_thinking") || config.is_given("preserve_thinking")) {
    const auto found = setup.data.origins.find("template");
    const std::string place = found == setup.data.origins.end() ? "template" : found->second + ": template";
    context.template_reasons =
        find_chat_template(setup.data.template_name, setup.data.template_search_path, place).reasoning;
  }
  for (const std::string& line : idle_settings(config, setup.arguments, context)) log_warning("{}", line);
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
  check_rewards(*setup.plugins);
  setup.arguments = read_training_arguments(config);
  for (const char* key : {"model_name_or_path", "tokenizer_name_or_path"}) {
    if (config.is_set(key)) require_model_folder(config.origin(key), key, config.get_string(key));
  }
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
  setup.saved_template = saved_template(*make_template_encoder(setup.data, setup.tokenizer));
  check_evaluation(setup);
  warn_of_idle_settings(setup);
  if (for_training) {
    check_output_dir(setup.arguments, config);
    if (fs::exists(setup.arguments.output_dir)) setup.output_lock = lock_output_dir(setup.arguments, config);
    check_sources_outside(setup);
    setup.resume_from = find_resume_checkpoint(setup.arguments, config, setup.damaged);
  }
  return setup;
}

}  // namespace ftrun
