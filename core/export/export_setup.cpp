// The order of checks is the order in which a user can mend things.
#include "core/export/export_setup.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/config/document.h"
#include "core/config/folder_setting.h"
#include "core/data/chat_template.h"
#include "core/data/replaced_tokenizer.h"
#include "core/data/template_detection.h"
#include "core/export/former_export.h"
#include "core/io/model_weights.h"
#include "core/model/untied_weights.h"
#include "core/parallel/thread_pool.h"
#include "core/train/adapter_as_model.h"
#include "core/train/adapter_bases.h"
#include "core/train/data_service.h"
#include "core/train/input_folders.h"
#include "core/train/scalar_heads.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 19> kUsed = {"model_name_or_path",
                                                    "tokenizer_name_or_path",
                                                    "adapter_name_or_path",
                                                    "finetuning_type",
                                                    "template",
                                                    "template_dir",
                                                    "default_system",
                                                    "enable_thinking",
                                                    "preserve_thinking",
                                                    "export_dir",
                                                    "export_size",
                                                    "export_tolerance",
                                                    "tie_word_embeddings",
                                                    "save_dtype",
                                                    "overwrite_output_dir",
                                                    "threads",
                                                    "network",
                                                    "device",
                                                    "plugin_path"};

void require_used_keys(const ResolvedConfig& config) {
  std::vector<std::string> lines;
  for (const auto& [key, value] : config.host().entries()) {
    if (!config.is_given(key) || std::ranges::find(kUsed, key) != kUsed.end()) continue;
    lines.push_back(fmt::format("{}: {}: 'export' has no use for it: remove it", value.origin, key));
  }
  if (!lines.empty()) throw invalid_argument("{}", fmt::join(lines, "\n"));
}

void require_usable_export_dir(const ResolvedConfig& config, const fs::path& folder) {
  const std::string& origin = config.origin("export_dir");
  if (fs::exists(folder) && !fs::is_directory(folder)) {
    throw invalid_argument("{}: export_dir: '{}' is not a folder", origin, folder.string());
  }
  if (!fs::exists(folder) || fs::is_empty(folder)) return;
  require_inputs_apart(config, "export_dir", folder, true);
  if (config.get_bool("overwrite_output_dir")) return require_former_export(config, folder);
  throw invalid_argument("{}: export_dir: '{}' is not empty: choose another, or set overwrite_output_dir: true", origin,
                         folder.string());
}

StoredDtype export_dtype(const ResolvedConfig& config, const ModelConfig& model, const fs::path& folder) {
  const std::string& wanted = config.get_string("save_dtype");
  if (wanted != "auto") return *parse_config_dtype_name(wanted);
  return model.dtype ? *model.dtype : ModelWeights(folder).main_dtype();
}

/// Training saves the tokenizer with its template beside an adapter; it wins over the base's.
fs::path tokenizer_folder(const ResolvedConfig& config, const AdapterPlan& adapters, const fs::path& model) {
  if (const auto given = config.find_string("tokenizer_name_or_path")) return *given;
  if (!adapters.merged.empty() && fs::is_regular_file(adapters.merged.back()->folder() / "tokenizer.json")) {
    return adapters.merged.back()->folder();
  }
  return model;
}

std::shared_ptr<const TemplateEncoder> encoder_of(RunSetup& setup) {
  DataSpec& spec = setup.data;
  spec = read_data_spec(setup.config());
  if (spec.template_name.empty()) {
    try {
      spec.template_name = template_of_tokenizer(spec, setup.tokenizer);
      spec.is_own_template = true;
    } catch (const Error& error) {
      log_warning("the Modelfile has no TEMPLATE: {}", error.what());
      return nullptr;
    }
  }
  if (spec.template_name.empty()) {
    log_warning("the Modelfile has no TEMPLATE: no template here writes chats as the chat_template of '{}' does",
                setup.tokenizer->config().chat_template_file);
    return nullptr;
  }
  return make_template_encoder(spec, setup.tokenizer);
}

std::shared_ptr<NetworkModel> with_score(const ExportSetup& setup, std::shared_ptr<NetworkModel> model) {
  if (is_sequence_classifier(setup.run.model)) add_scalar_head(*model, setup.run.model, kScoreHead);
  return model;
}

std::shared_ptr<NetworkModel> network_of_base(const ExportSetup& setup) {
  return with_score(setup, open_network(setup.run, host_services()));
}

std::shared_ptr<NetworkModel> network_as_written(const ExportSetup& setup) {
  if (!setup.changed_tie) return network_of_base(setup);
  ModelConfigChanges changes;
  changes.tie_word_embeddings = setup.changed_tie;
  const ModelConfig written = with_changes(setup.run.model, changes);
  return with_score(setup, open_network(setup.run, host_services(), written, written.to_json_text()));
}

std::optional<bool> changed_tie(const ResolvedConfig& config, const ModelConfig& model) {
  if (!config.is_set("tie_word_embeddings")) return {};
  if (is_sequence_classifier(model)) {
    throw invalid_argument("{}: tie_word_embeddings: a classifier's head of words is in no file: remove it",
                           config.origin("tie_word_embeddings"));
  }
  const bool wanted = config.get_bool("tie_word_embeddings");
  return wanted == model.tie_word_embeddings ? std::nullopt : std::optional(wanted);
}

/// One of two tensors that differ would be lost.
void require_same_tensors(const ResolvedConfig& config, const ModelWeights& weights, const NetworkModel& tied) {
  for (const ModelParameter& parameter : tied.parameters()) {
    const TensorEntry* own = weights.find(parameter.name);
    for (const ParameterTie& tie : parameter.ties) {
      const TensorEntry* other = weights.find(tie.name);
      if (own == nullptr || other == nullptr || std::ranges::equal(own->bytes, other->bytes)) continue;
      throw invalid_argument(
          "{}: tie_word_embeddings: is true, and '{}' and '{}' of '{}' are two different tensors: "
          "remove it",
          config.origin("tie_word_embeddings"), parameter.name, tie.name, weights.folder().string());
    }
  }
}

}  // namespace

std::shared_ptr<NetworkModel> network_before(const ExportSetup& setup) {
  return setup.changed_tie == false ? network_as_written(setup) : network_of_base(setup);
}

std::unique_ptr<WeightSource> base_weights(const ExportSetup& setup, const NetworkModel& model) {
  auto files = std::make_shared<ModelWeights>(setup.run.arguments.model_name_or_path);
  if (setup.changed_tie != false) return std::make_unique<FileWeights>(std::move(files), model);
  const std::shared_ptr<NetworkModel> tied = network_of_base(setup);
  return std::make_unique<UntiedWeights>(std::make_unique<FileWeights>(std::move(files), *tied), tied);
}

ExportSetup prepare_export(const CommandContext& context) {
  ConfigSources sources = read_config(context.config_file, context.override_arguments);
  take_adapter_as_model(sources);
  ExportSetup setup;
  RunSetup& run = setup.run;
  run.registry = std::make_unique<Registry>(open_registry(sources));
  run.plugins = std::make_unique<OpenedPlugins>(open_plugins(*run.registry, sources, Needs::kOneProcess));
  const ResolvedConfig& config = run.config();
  for (const std::string& notice : config.notices()) log_info("{}", notice);
  require_used_keys(config);
  for (const char* key : {"model_name_or_path", "export_dir"}) {
    if (!config.is_set(key)) throw invalid_argument("{}: it is not set, and 'export' needs it", key);
  }
  require_model_folder(config.origin("model_name_or_path"), "model_name_or_path",
                       config.get_string("model_name_or_path"));
  const fs::path folder = config.get_string("model_name_or_path");
  setup.export_dir = config.get_string("export_dir");
  require_usable_export_dir(config, setup.export_dir);
  setup.max_shard_bytes = static_cast<uint64_t>(config.get_float("export_size") * 1e9);
  configure_threads(static_cast<int32_t>(config.get_int("threads")));
  run.arguments.model_name_or_path = folder;
  run.model = read_model_config(folder / "config.json");
  check_network(run);
  run.generation = generation_config_of(folder, run.model);
  setup.devices = std::make_unique<OpenedDevices>(*run.plugins, host_services());
  setup.changed_tie = changed_tie(config, run.model);
  setup.model = network_as_written(setup);
  if (setup.changed_tie == true) require_same_tensors(config, ModelWeights(folder), *setup.model);
  setup.adapters = plan_adapters(config, *setup.model, true);
  warn_of_other_bases(config, setup.adapters);
  setup.dtype = export_dtype(config, run.model, folder);
  setup.tolerance = config.find_float("export_tolerance").value_or(setup.dtype == StoredDtype::kF32 ? 1e-3 : 2e-2);
  run.arguments.tokenizer_name_or_path = tokenizer_folder(config, setup.adapters, folder);
  run.tokenizer = Tokenizer::load(run.arguments.tokenizer_name_or_path);
  warn_of_replaced_tokenizer(*run.tokenizer, run.arguments.tokenizer_name_or_path);
  setup.encoder = encoder_of(run);
  if (setup.encoder) run.saved_template = setup.encoder->saved_template();
  return setup;
}

}  // namespace ftrun
