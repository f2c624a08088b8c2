// Configuration to a validated setup, in the order in which a user can mend things.
#include "core/inference/inference_setup.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/config/document.h"
#include "core/config/folder_setting.h"
#include "core/data/replaced_tokenizer.h"
#include "core/inference/idle_flags.h"
#include "core/io/model_weights.h"
#include "core/plugin/launcher.h"
#include "core/train/adapter_as_model.h"
#include "core/train/scalar_heads.h"

namespace ftrun {
namespace {

void check_folders(const ResolvedConfig& config) {
  if (!config.is_set("model_name_or_path")) {
    throw invalid_argument("model_name_or_path: it is not set: give --model DIR, or a configuration that names it");
  }
  for (const char* key : {"model_name_or_path", "tokenizer_name_or_path"}) {
    if (config.is_set(key)) require_model_folder(config.origin(key), key, config.get_string(key));
  }
}

void check_weights(const ResolvedConfig& config, const TrainingArguments& arguments) {
  if (has_model_weights(arguments.model_name_or_path)) return;
  if (!config.get_bool("train_from_scratch")) {
    // Opening says exactly what is wrong with the folder.
    const ModelWeights weights(arguments.model_name_or_path);
  }
  throw not_found("{}: model_name_or_path: '{}' has no weights: give the folder that training wrote{}",
                  config.origin("model_name_or_path"), arguments.model_name_or_path.string(),
                  config.is_set("output_dir") ? fmt::format(": --model {}", config.get_string("output_dir")) : "");
}

/// Training saves the tokenizer with its template beside an adapter; it wins over the base's.
std::filesystem::path tokenizer_folder(const ResolvedConfig& config) {
  if (const auto given = config.find_string("tokenizer_name_or_path")) return *given;
  if (config.is_set("adapter_name_or_path")) {
    const std::filesystem::path adapter = config.get_list("adapter_name_or_path").back();
    if (std::filesystem::is_regular_file(adapter / "tokenizer.json")) return adapter;
  } else if (config.is_given("finetuning_type") && config.get_string("finetuning_type") == "lora") {
    log_warning("{}: finetuning_type: is lora, and adapter_name_or_path is not set: the base model answers",
                config.origin("finetuning_type"));
  }
  return config.get_string("model_name_or_path");
}

TrainingArguments read_arguments(const ResolvedConfig& config) {
  TrainingArguments a;
  a.model_name_or_path = config.get_string("model_name_or_path");
  a.tokenizer_name_or_path = tokenizer_folder(config);
  if (config.is_set("output_dir")) a.output_dir = config.get_string("output_dir");
  a.per_device_eval_batch_size = config.get_int("per_device_eval_batch_size");
  a.seed = static_cast<uint64_t>(config.get_int("seed"));
  a.gradient_checkpointing = false;
  return a;
}

/// There are no master weights to keep, so bf16 is bf16 throughout.
bool computes_in_bf16(const RunSetup& run) {
  const ResolvedConfig& config = run.config();
  const std::string& chosen = config.get_string("infer_dtype");
  if (chosen != "auto") return chosen == "bfloat16";
  if (config.get_bool("bf16") || config.get_bool("pure_bf16")) return true;
  if (run.model.dtype) return *run.model.dtype == StoredDtype::kBF16;
  return ModelWeights(run.arguments.model_name_or_path).main_dtype() == StoredDtype::kBF16;
}

std::shared_ptr<const ConversationEncoder> choose_prompts(RunSetup& run) {
  const ResolvedConfig& config = run.config();
  const TokenizerConfig& tokenizer = run.tokenizer->config();
  if (run.data.template_name.empty() && !tokenizer.chat_template.empty()) {
    const bool reads_it = tokenizer.chat_template.find("preserve_thinking") != std::string::npos;
    if (config.is_given("preserve_thinking") && !reads_it) {
      log_warning("{}: preserve_thinking: has no effect: the chat_template of '{}' decides",
                  config.origin("preserve_thinking"), tokenizer.chat_template_file);
    }
    leave_thinking_to_template(run.data, config, tokenizer);
    return make_conversation_encoder(run.data, run.tokenizer);
  }
  if (run.data.template_name.empty()) {
    log_warning(
        "template: not set, and the tokenizer has no chat_template: 'empty' writes texts without marks between turns");
    run.data.template_name = "empty";
  }
  return make_conversation_encoder(run.data, run.tokenizer);
}

void add_unique(std::vector<int32_t>& ids, int64_t id) {
  if (std::ranges::find(ids, id) == ids.end()) ids.push_back(static_cast<int32_t>(id));
}

}  // namespace

InferenceSetup prepare_inference(const CommandContext& context, std::string_view command) {
  ConfigSources sources = read_config(context.config_file, context.override_arguments);
  add_environment_settings(sources);
  take_adapter_as_model(sources);
  InferenceSetup setup;
  RunSetup& run = setup.run;
  run.registry = std::make_unique<Registry>(open_registry(sources));
  run.plugins = std::make_unique<OpenedPlugins>(open_plugins(*run.registry, sources, Needs::kNoParadigm));
  const ResolvedConfig& config = run.config();
  for (const std::string& notice : config.notices()) log_info("{}", notice);
  refuse_idle_flags(config, command);
  check_folders(config);
  run.arguments = read_arguments(config);
  set_ranks(run);
  run.model = read_model_config(run.arguments.model_name_or_path / "config.json");
  check_network(run);
  require_language_model(run.model, "model");
  const std::filesystem::path generation_file = run.arguments.model_name_or_path / "generation_config.json";
  run.generation = generation_config_of(run.arguments.model_name_or_path, run.model);
  setup.generation = read_generation_settings(config, run.generation, generation_file);
  run.tokenizer = Tokenizer::load(run.arguments.tokenizer_name_or_path);
  warn_of_replaced_tokenizer(*run.tokenizer, run.arguments.tokenizer_name_or_path);
  check_vocabulary(run);
  check_weights(config, run.arguments);
  run.arguments.pure_bf16 = computes_in_bf16(run);
  run.data = read_data_spec(config);
  setup.prompts = choose_prompts(run);
  if (const auto eos = run.tokenizer->eos_id()) add_unique(setup.stop_ids, *eos);
  for (const int64_t id : run.generation.eos_token_ids) add_unique(setup.stop_ids, id);
  for (const int32_t id : setup.prompts->stop_ids()) add_unique(setup.stop_ids, id);
  return setup;
}

}  // namespace ftrun
