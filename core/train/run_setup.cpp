// Configuration to a validated setup; the order of checks is the order in which a user can mend things.
#include "core/train/run_setup.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/collectives/transport.h"
#include "core/config/document.h"
#include "core/config/folder_setting.h"
#include "core/data/chat_template.h"
#include "core/data/replaced_tokenizer.h"
#include "core/data/template_detection.h"
#include "core/io/model_weights.h"
#include "core/model/api_tables.h"
#include "core/model/context.h"
#include "core/parallel/thread_pool.h"
#include "core/plugin/launcher.h"
#include "core/train/adapter_as_model.h"
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

void check_weights_exist(const TrainingArguments& arguments, const ResolvedConfig& config) {
  if (arguments.train_from_scratch || has_model_weights(arguments.model_name_or_path)) return;
  // Opening says exactly what is wrong with the folder.
  const ModelWeights weights(arguments.model_name_or_path);
  throw not_found("{}: model_name_or_path: '{}' has no weights", config.origin("model_name_or_path"),
                  arguments.model_name_or_path.string());
}

// LLaMA-Factory takes whole numbers for rows and the rest for shares, and 1.0 would be all rows.
void check_val_size(const ResolvedConfig& config) {
  const std::string& text = config.host().find("val_size")->text;
  if (config.get_float("val_size") != 1 || text.find_first_of(".eE") == std::string::npos) return;
  throw invalid_argument(
      "{}: val_size: '{}' leaves no row to train on: expected a share below 1, or a whole number of rows ('1' is one "
      "row)",
      config.origin("val_size"), text);
}

bool reads_plain_text(const RunSetup& setup) {
  return setup.plugins->paradigm.plugin->data_format() == row_kind_name(RowKind::kPlain);
}

// The chat_template is saved as it is, and the caller of apply_chat_template has to know what was set around it.
void warn_of_unsaved_settings(const RunSetup& setup) {
  const ResolvedConfig& config = setup.config();
  const std::string& file = setup.tokenizer->config().chat_template_file;
  if (setup.data.default_system && !setup.data.default_system->empty()) {
    log_warning(
        "{}: default_system: the chat_template of '{}' is saved as it is: give the text to whoever asks the model",
        config.origin("default_system"), file);
  }
  for (const char* key : {"enable_thinking", "preserve_thinking"}) {
    const bool reads_it = setup.tokenizer->config().chat_template.find(key) != std::string::npos;
    if (!config.is_given(key)) continue;
    if (reads_it) {
      log_warning("{}: {}: the chat_template of '{}' is saved as it is: give the same to whoever asks the model",
                  config.origin(key), key, file);
    } else {
      log_warning("{}: {}: has no effect: the chat_template of '{}' does not read it", config.origin(key), key, file);
    }
  }
}

// Nobody should train on texts without marks and not know it. Plain text has none anyway.
void choose_template(RunSetup& setup) {
  if (!setup.data.template_name.empty()) return;
  if (reads_plain_text(setup)) {
    setup.data.template_name = "empty";
    return;
  }
  setup.data.template_name = training_template_of(setup.data, setup.tokenizer);
  setup.data.is_own_template = true;
  if (setup.data.template_name == "empty") {
    log_warning(
        "template: not set, and the tokenizer has no chat_template: 'empty' writes texts without marks between turns "
        "and without an end");
  } else if (setup.data.template_name.empty()) {
    leave_thinking_to_template(setup.data, setup.config(), setup.tokenizer->config());
    require_learnable_template(setup.data, setup.tokenizer);
    log_info("template: not set: the {}", make_conversation_encoder(setup.data, setup.tokenizer)->description());
    warn_of_unsaved_settings(setup);
  } else {
    log_info("template: not set: '{}' writes chats as the tokenizer's chat_template does", setup.data.template_name);
  }
}

constexpr int64_t kMostLayers = 100000;
constexpr int64_t kMostThreads = 1024;

void check_threads(const ResolvedConfig& config) {
  if (config.get_int("threads") <= kMostThreads) return;
  throw invalid_argument("{}: threads: {}: expected at most {}", config.origin("threads"), config.get_int("threads"),
                         kMostThreads);
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
  context.has_turns = !reads_plain_text(setup);
  // Read only when a key depends on it; what is wrong with the template is said when the data is opened.
  const bool thinks = config.is_given("enable_thinking") || config.is_given("preserve_thinking");
  if (setup.data.template_name.empty()) {
    context.template_reasons = true;  // the chat_template decides, see warn_of_unsaved_settings
  } else if (thinks || !context.has_turns) {
    const ChatTemplate chat =
        find_chat_template(setup.data.template_name, setup.data.template_search_path, setup.data.place_of("template"));
    context.template_reasons = chat.reasoning;
    context.template_ends_texts = !chat.document_end.empty();
  }
  for (const std::string& line : idle_settings(config, setup.arguments, context)) log_warning("{}", line);
}

}  // namespace

void check_vocabulary(const RunSetup& setup) {
  const int32_t needed = setup.tokenizer->vocabulary_size();
  if (setup.model.vocab_size >= needed) return;
  throw invalid_argument(
      "{} is {}, but the tokenizer in '{}' has ids up to {}: the embedding would be too small by {} "
      "rows",
      place_of_key(setup.model.file, "vocab_size"), setup.model.vocab_size,
      setup.arguments.tokenizer_name_or_path.string(), needed - 1, needed - setup.model.vocab_size);
}

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

// Ranks are this process's own threads, or a launcher made it one of its world.
void set_ranks(RunSetup& setup) {
  const ResolvedConfig& config = setup.config();
  check_threads(config);
  const Plugin* transport = setup.plugins->collectives.plugin;
  setup.nproc = static_cast<int32_t>(config.get_int("nproc"));
  if (transport != nullptr) {
    setup.launched_world =
        probe_world(transport->collectives(), make_host_table("collectives/" + transport->id(), host_services()));
  }
  if (setup.launched_world > 0) {
    if (setup.nproc != 1 && setup.nproc != setup.launched_world) {
      throw invalid_argument("{}: nproc: {} ranks, but the launcher started {}: remove nproc", config.origin("nproc"),
                             setup.nproc, setup.launched_world);
    }
    setup.nproc = 1;
  } else if (setup.nproc > 1 && transport == nullptr) {
    throw invalid_argument("{}: nproc: {} ranks need a collectives plugin, and there is no '{}' on the search path",
                           config.origin("nproc"), setup.nproc, config.get_string("collectives"));
  }
  configure_threads(static_cast<int32_t>(config.get_int("threads")), setup.nproc);
}

DataSpec read_data_spec(const ResolvedConfig& config) {
  check_val_size(config);
  DataSpec spec;
  if (config.is_set("dataset")) spec.datasets = config.get_list("dataset");
  if (config.is_set("eval_dataset")) spec.eval_datasets = config.get_list("eval_dataset");
  spec.dataset_dir = config.get_string("dataset_dir");
  spec.template_name = config.find_string("template").value_or("");
  spec.template_search_path = template_search_path(config);
  spec.cutoff_len = static_cast<int32_t>(config.get_int("cutoff_len"));
  spec.max_samples = config.find_int("max_samples");
  spec.val_size = config.get_float("val_size");
  spec.seed = static_cast<uint64_t>(config.get_int("seed"));
  spec.enable_thinking = config.find_bool("enable_thinking");
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

void leave_thinking_to_template(DataSpec& spec, const ResolvedConfig& config, const TokenizerConfig& tokenizer) {
  if (config.is_given("enable_thinking") || !has_own_default(tokenizer, "enable_thinking")) return;
  spec.enable_thinking.reset();
  log_info("enable_thinking: not given: the chat_template of '{}' says it", tokenizer.chat_template_file);
}

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

RunSetup prepare_setup(const CommandContext& context, bool writes) {
  ConfigSources sources = read_config(context.config_file, context.override_arguments);
  add_environment_settings(sources);
  take_adapter_to_train(sources);
  RunSetup setup;
  setup.registry = std::make_unique<Registry>(open_registry(sources));
  setup.plugins = std::make_unique<OpenedPlugins>(open_plugins(*setup.registry, sources));
  const ResolvedConfig& config = setup.config();
  for (const std::string& notice : config.notices()) log_info("{}", notice);
  check_rewards(*setup.plugins);
  if (writes) config.get_string("output_dir");  // says what is missing
  setup.arguments = read_training_arguments(config);
  for (const char* key : {"model_name_or_path", "tokenizer_name_or_path"}) {
    if (config.is_set(key)) require_model_folder(config.origin(key), key, config.get_string(key));
  }
  set_ranks(setup);
  setup.model = read_model_config(setup.arguments.model_name_or_path / "config.json");
  require_trainable(setup.model);
  check_network(setup);
  setup.generation = generation_config_of(setup.arguments.model_name_or_path, setup.model);
  setup.tokenizer = Tokenizer::load(setup.arguments.tokenizer_name_or_path);
  warn_of_replaced_tokenizer(*setup.tokenizer, setup.arguments.tokenizer_name_or_path);
  check_vocabulary(setup);
  check_weights_exist(setup.arguments, config);
  setup.data = read_data_spec(config);
  choose_template(setup);
  // What was trained on plain text does not know how to talk, and its tokenizer must not say it does.
  if (!reads_plain_text(setup)) {
    setup.saved_template = make_conversation_encoder(setup.data, setup.tokenizer)->saved_template();
  }
  check_evaluation(setup);
  warn_of_idle_settings(setup);
  return setup;
}

}  // namespace ftrun
