// Composition in the order of DESIGN.md section 3: device, paradigm's declaration, networks, strategy, weights, data.
#include "core/train/run.h"

#include <algorithm>
#include <ranges>
#include <sstream>

#include "core/base/error.h"
#include "core/base/failure_detail.h"
#include "core/base/files.h"
#include "core/base/logging.h"
#include "core/config/folder_setting.h"
#include "core/config/option_api.h"
#include "core/io/model_weights.h"
#include "core/model/abi_struct.h"
#include "core/model/start_weights.h"
#include "core/model/weight_source.h"
#include "core/parallel/run_parallel.h"
#include "core/train/adapter_bases.h"
#include "core/train/futile_run.h"
#include "core/train/input_agreement.h"
#include "core/train/memory_estimate.h"
#include "core/train/scalar_heads.h"
#include "core/train/trained_parameters.h"

namespace ftrun {
namespace {

// Collects what a paradigm declares.
struct Declared {
  std::vector<ParadigmInstance::RoleRequest>* roles;
  std::vector<std::string>* denominators;
};

ftrun_status add_role(const ftrun_declaration* declaration, const ftrun_role_request* written, int32_t* index) {
  const auto role = read_abi_struct(written, FTRUN_ROLE_REQUEST_TAG, "ftrun_role_request");
  auto& roles = *static_cast<Declared*>(declaration->self)->roles;
  *index = static_cast<int32_t>(roles.size());
  std::vector<std::string> heads;
  std::istringstream names{std::string(text_of(role.scalar_heads))};
  for (std::string name; std::getline(names, name, ',');) heads.push_back(name);
  roles.push_back({std::string(text_of(role.name)), std::string(text_of(role.model_key)), std::move(heads),
                   (role.flags & FTRUN_ROLE_TRAINED) != 0, (role.flags & FTRUN_ROLE_ADAPTER_OFF) != 0,
                   (role.flags & FTRUN_ROLE_AT_START) != 0, role.infer_walks});
  return FTRUN_OK;
}

ftrun_status add_denominator(const ftrun_declaration* declaration, ftrun_str name, int32_t* index) {
  auto& denominators = *static_cast<Declared*>(declaration->self)->denominators;
  if (denominators.size() >= FTRUN_MAX_DENOMINATORS) return FTRUN_OUT_OF_RANGE;
  *index = static_cast<int32_t>(denominators.size());
  denominators.emplace_back(text_of(name));
  return FTRUN_OK;
}

/// The value of a plugin's own key or of the host's; NULL when neither has it.
const OptionValue* find_setting(const ftrun_options* options, const std::string& key) {
  const OptionValue* own = options->own->find(key);
  return own != nullptr ? own : options->host->find(key);
}

void add_unique(std::vector<int32_t>& ids, int64_t id) {
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(static_cast<int32_t>(id));
}

}  // namespace

std::shared_ptr<NetworkModel> open_network(const RunSetup& setup, const HostServices& services) {
  return open_network(setup, services, setup.model);
}

std::shared_ptr<NetworkModel> open_network(const RunSetup& setup, const HostServices& services,
                                           const ModelConfig& model) {
  const ChosenPlugin& network = setup.plugins->network;
  const std::vector<std::string> claimed = network.plugin->architectures();
  const bool fits = std::ranges::any_of(
      model.architectures, [&](const std::string& name) { return std::ranges::find(claimed, name) != claimed.end(); });
  if (!fits && &model != &setup.model) {
    throw invalid_argument("{} is [{}], but the models of a run share a network, and '{}' is [{}]",
                           place_of_key(model.file, "architectures"), fmt::join(model.architectures, ", "),
                           network.plugin->id(), fmt::join(claimed, ", "));
  }
  return open_network(setup, services, model, read_file(model.file));
}

std::shared_ptr<NetworkModel> open_network(const RunSetup& setup, const HostServices& services,
                                           const ModelConfig& model, std::string_view config_json) {
  const ChosenPlugin& network = setup.plugins->network;
  return std::make_shared<NetworkModel>(&network.plugin->network(),
                                        make_host_table("network/" + network.plugin->id(), services), network.options,
                                        config_json, model.file);
}

ParadigmInstance::ParadigmInstance(const ChosenPlugin& chosen, const ftrun_host* host) : plugin_(chosen.plugin) {
  check_plugin(table().create(host, chosen.options, &self_), *plugin_, "create");
  Declared declared = {&roles_, &denominators_};
  auto declaration = make_abi_struct<ftrun_declaration>(FTRUN_DECLARATION_TAG);
  declaration.self = &declared;
  declaration.add_role = add_role;
  declaration.add_denominator = add_denominator;
  try {
    check_plugin(table().declare(self_, &declaration), *plugin_, "declare");
  } catch (...) {
    table().destroy(self_);
    throw;
  }
}

ParadigmInstance::~ParadigmInstance() { table().destroy(self_); }

RankInstance::RankInstance(const RunSetup& setup, const HostServices& host_services, OpenedDevices& devices,
                           Communicator* communicator, const Optimizer* optimizer, RankServices* services)
    : strategy_(setup.plugins->strategy.plugin) {
  const ftrun_strategy& table = strategy_->strategy();
  const ftrun_host* strategy_host = make_host_table("strategy/" + strategy_->id(), host_services);
  check_plugin(table.create(strategy_host, setup.plugins->strategy.options, &strategy_instance_), *strategy_, "create");
  const TrainingArguments& a = setup.arguments;
  RankArguments arguments;
  if (communicator != nullptr) {
    arguments.rank = communicator->rank();
    arguments.world = communicator->world();
    arguments.communicator = communicator;
  }
  arguments.device = &devices.device();
  arguments.host_device = &devices.host_device();
  arguments.strategy = &table;
  arguments.strategy_instance = strategy_instance_;
  arguments.precision = a.bf16 ? Precision::bf16() : a.pure_bf16 ? Precision::pure_bf16() : Precision::f32();
  arguments.gradient_checkpointing = a.gradient_checkpointing;
  arguments.offload_activations = a.offload_activations;
  arguments.accumulation = static_cast<int32_t>(a.gradient_accumulation_steps);
  arguments.seed = a.seed;
  arguments.optimizer = optimizer;
  arguments.weight_decay = a.weight_decay;
  rank_ = std::make_unique<Rank>(arguments);
  rank_->context().services = services;
}

RankInstance::~RankInstance() {
  // Collectives that the strategy has not waited for need the rank's context.
  strategy_->strategy().destroy(strategy_instance_);
  rank_.reset();
}

Run::Run(const RunSetup& setup, RankLink& link, OutputClaim claim,
         const std::function<void(const DataLedger&)>& on_ledger)
    : setup_(setup), link_(link), claim_(std::move(claim)), arguments_(setup.arguments) {
  const ChosenPlugin& chosen = setup_.plugins->paradigm;
  paradigm_ = std::make_unique<ParadigmInstance>(
      chosen, make_host_table("paradigm/" + chosen.plugin->id(), link_.host_services()));
  make_model();
  make_rank();
  begin(on_ledger);
}

Run::~Run() {
  rank_instance_.reset();
  paradigm_.reset();
}

void Run::check_roles() const {
  const auto& roles = paradigm_->roles();
  const std::string& id = paradigm_->plugin().id();
  const auto trained = std::ranges::count_if(roles, [](const auto& role) { return role.trained; });
  if (trained != 1 || !roles.front().trained || roles.front().model_key != "model_name_or_path") {
    throw unimplemented("paradigm '{}' trains {} roles: expected the first one, of model_name_or_path, and no other",
                        id, trained);
  }
  for (const auto& role : roles) {
    if (!role.adapter_off) continue;
    if (!adapters_.is_trained) {
      throw invalid_argument("paradigm '{}': role '{}' is the trained model without its adapter, and there is none", id,
                             role.name);
    }
    require_switchable(role);
  }
}

// What a pair adds can be left out; what took the place of a base weight cannot, and the base's is not kept.
void Run::require_switchable(const ParadigmInstance::RoleRequest& role) const {
  const bool is_continued = adapters_.continued != nullptr;
  const bool is_principal = is_continued ? adapters_.continued->config().is_principal : adapters_.principal != nullptr;
  if (!is_principal && adapters_.whole_parameters.empty()) return;
  const std::string place = is_continued ? (adapters_.continued->folder() / kAdapterConfigFile).string() + ": " +
                                               (is_principal ? "init_lora_weights" : "modules_to_save")
                            : is_principal ? setup_.config().origin("pissa_init") + ": pissa_init"
                                           : setup_.config().origin("additional_target") + ": additional_target";
  std::vector<std::string> model_keys;
  for (size_t i = 0; i < setup_.config().plugin_count(); ++i) {
    const ResolvedConfig::PluginPart& part = setup_.config().plugin(i);
    if (part.kind != FTRUN_KIND_PARADIGM) continue;
    for (const auto& [key, value] : part.values.entries()) {
      if (value.type == FTRUN_OPTION_PATH) model_keys.push_back(key);
    }
  }
  throw invalid_argument(
      "{}: role '{}' of '{}' is the trained model with its adapter off, and {} cannot be switched off: give it a "
      "model of its own or this one's start{}",
      place, role.name, paradigm_->plugin().id(),
      is_principal ? "the part of the base that went into the pairs" : "modules that are trained whole",
      model_keys.empty() ? std::string() : fmt::format(" ({})", fmt::join(model_keys, ", ")));
}

void Run::make_model() {
  const std::shared_ptr<NetworkModel> model = open_network(setup_, link_.host_services());
  const auto& policy = paradigm_->roles().front();
  if (policy.scalar_heads.empty()) require_language_model(setup_.model, policy.name);
  for (const std::string& head : policy.scalar_heads) add_scalar_head(*model, setup_.model, head);
  adapters_ = plan_adapters(setup_.config(), *model);
  if (is_main()) warn_of_other_bases(setup_.config(), adapters_);
  check_roles();
  model_ = model;
  trained_ = trained_parameters(setup_.config(), *model_, adapters_);
  const int64_t elements = trained_elements(*model_, trained_);
  if (std::ranges::any_of(paradigm_->roles(), &ParadigmInstance::RoleRequest::at_start)) keep_start(*model);
  if (!is_main() || elements == model_->total_elements()) return;
  log_info("trained parameters: {} of {} ({:.2f} %)", elements, model_->total_elements(),
           100.0 * static_cast<double>(elements) / static_cast<double>(model_->total_elements()));
}

// New plain pairs add nothing at the start: the model without them is the model then.
static bool starts_as_base(const AdapterPlan& plan, const NetworkModel& model) {
  return plan.is_trained && !plan.continued && !plan.principal && !plan.config.use_dora &&
         plan.whole_parameters.empty() && model.scalar_heads().empty();
}

void Run::keep_start(NetworkModel& model) {
  if (starts_as_base(adapters_, model)) return;
  const auto count = static_cast<int32_t>(trained_.size());
  for (int32_t id = 0; id < count; ++id) {
    if (!trained_[static_cast<size_t>(id)]) continue;
    model.add_start_copy(id);
    start_elements_ += model.parameter(id).elements;
  }
  trained_.resize(model.parameters().size(), false);
}

void Run::check_memory() {
  try {
    schedule_ = rank().schedule();
  } catch (const Error& error) {
    // A plugin that announces nothing is refused by what it allocates.
    if (error.code() != FTRUN_UNIMPLEMENTED) throw;
    return;
  }
  OpenedDevices& devices = link_.devices();
  const std::string& origin = setup_.config().origin("device");
  require_memory_for(*schedule_, devices.device(), devices.host_device(), link_.local_world(),
                     origin == "default" ? std::string() : origin + ": ");
}

Precision Run::precision() const {
  return arguments().bf16 ? Precision::bf16() : arguments().pure_bf16 ? Precision::pure_bf16() : Precision::f32();
}

std::unique_ptr<WeightSource> Run::base_weights() const {
  if (arguments().train_from_scratch) return std::make_unique<InitialWeights>(arguments().seed);
  return std::make_unique<FileWeights>(std::make_shared<ModelWeights>(arguments().model_name_or_path), *model_);
}

std::unique_ptr<WeightSource> Run::initial_weights() const {
  auto weights = with_scalar_head(adapted_weights(adapters_, *model_, base_weights(), arguments().seed));
  if (start_elements_ == 0) return weights;
  return std::make_unique<StartWeights>(std::move(weights), *model_);
}

std::unique_ptr<WeightSource> Run::weights_without_principal() const {
  AdapterPlan plan = adapters_;
  plan.principal = nullptr;
  return with_scalar_head(adapted_weights(plan, *model_, base_weights(), arguments().seed));
}

std::unique_ptr<WeightSource> Run::with_scalar_head(std::unique_ptr<WeightSource> weights) const {
  if (model_->scalar_heads().empty()) return weights;
  std::vector<std::filesystem::path> folders;
  if (adapters_.continued) folders.push_back(adapters_.continued->folder());
  for (const auto& adapter : adapters_.merged | std::views::reverse) folders.push_back(adapter->folder());
  folders.push_back(arguments().model_name_or_path);
  // Training may begin with a new head; there is nothing to measure with one.
  const bool is_required = !arguments().do_train && !arguments().train_from_scratch;
  try {
    return std::make_unique<ScalarHeadWeights>(std::move(weights), *model_, folders, arguments().seed, is_required);
  } catch (const Error& error) {
    // A file that is there and wrong is named by its path.
    if (error.code() != FTRUN_NOT_FOUND) throw;
    throw Error(error.code(),
                fmt::format("{}: model_name_or_path: {}", setup_.config().origin("model_name_or_path"), error.what()));
  }
}

// A failure names the key of the role's folder.
std::shared_ptr<NetworkModel> Run::open_role_network(const std::string& origin,
                                                     const ParadigmInstance::RoleRequest& request,
                                                     const ModelConfig& config) const {
  try {
    if (request.scalar_heads.empty()) require_language_model(config, request.name);
    std::shared_ptr<NetworkModel> model = open_network(setup_, link_.host_services(), config);
    for (const std::string& head : request.scalar_heads) add_scalar_head(*model, config, head);
    return model;
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}: {}", origin, request.model_key, error.what()));
  }
}

// A model beside the trained one. What is merged into the trained model's base is merged here too where both are one
// folder.
void Run::add_frozen_role(const ParadigmInstance::RoleRequest& request) {
  const OptionValue* value = find_setting(setup_.plugins->paradigm.options, request.model_key);
  if (value == nullptr || !value->is_set) {
    throw invalid_argument("{}: paradigm '{}' needs a model for its role '{}': set {}", request.model_key,
                           paradigm_->plugin().id(), request.name, request.model_key);
  }
  const std::filesystem::path folder = value->text;
  require_model_folder(value->origin, request.model_key, value->text);
  const ModelConfig config = read_model_config(folder / "config.json");
  const std::shared_ptr<NetworkModel> model = open_role_network(value->origin, request, config);
  if (config.vocab_size != setup_.model.vocab_size) {
    throw invalid_argument(
        "{}: {}: its vocabulary has {} ids, that of model_name_or_path has {}: both read the same rows", value->origin,
        request.model_key, config.vocab_size, setup_.model.vocab_size);
  }
  std::unique_ptr<WeightSource> weights;
  if (arguments().train_from_scratch && request.model_key == "model_name_or_path") {
    weights = std::make_unique<InitialWeights>(arguments().seed);
  } else {
    weights = std::make_unique<FileWeights>(std::make_shared<ModelWeights>(folder), *model);
  }
  if (request.model_key == "model_name_or_path") {
    AdapterPlan merged;
    merged.merged = adapters_.merged;
    weights = adapted_weights(merged, *model, std::move(weights), arguments().seed);
  }
  if (!request.scalar_heads.empty()) {
    weights =
        std::make_unique<ScalarHeadWeights>(std::move(weights), *model, std::vector{folder}, arguments().seed, true);
  }
  rank().add_role(request.name, model, nullptr, std::move(weights));
}

void Run::add_roles() {
  int32_t index = 0;
  for (const auto& request : paradigm_->roles()) {
    if (request.adapter_off || (request.at_start && start_elements_ == 0)) {
      rank().add_adapter_off_role(request.name, trained_role());
    } else if (request.at_start) {
      rank().add_at_start_role(request.name, trained_role());
    } else if (request.trained) {
      rank().add_role(
          request.name, model_,
          [this](int32_t id) { return arguments().do_train && trained_[static_cast<size_t>(id)]; }, initial_weights());
    } else {
      add_frozen_role(request);
    }
    rank().walked_role(index++).add_infer_walks(request.infer_walks);
  }
}

void Run::make_rank() {
  const TrainingArguments& a = arguments();
  optimizer_ = make_optimizer(a.optim, {a.adam_beta1, a.adam_beta2, a.adam_epsilon});
  services_.data = &data_;
  services_.generate = &generate_;
  rank_instance_ = std::make_unique<RankInstance>(setup_, link_.host_services(), link_.devices(), &link_.communicator(),
                                                  optimizer_.get(), &services_);
  saved_dtype_ = a.bf16 || a.pure_bf16 ? StoredDtype::kBF16 : StoredDtype::kF32;
  if (a.save_dtype != "auto") {
    saved_dtype_ = *parse_config_dtype_name(a.save_dtype);
  } else if (setup_.model.dtype) {
    saved_dtype_ = *setup_.model.dtype;
  } else if (!a.train_from_scratch) {
    saved_dtype_ = ModelWeights(a.model_name_or_path).main_dtype();
  }
  add_roles();
  check_memory();
  rank().attach();
  rank().release_weight_sources();
}

// Positions restart with every document of a packed row, and run through a row of plain text.
static void warn_about_positions(const RunSetup& setup, const PreparedData& prepared) {
  const int64_t limit = setup.model.max_position_embeddings;
  if (limit == 0 || setup.data.cutoff_len <= limit) return;
  int64_t longest = 0;
  int64_t beyond = 0;
  const auto look_at = [&](int64_t length) {
    longest = std::max(longest, length);
    beyond += length > limit ? 1 : 0;
  };
  for (const auto& dataset : {prepared.train, prepared.eval}) {
    if (!dataset) continue;
    if (dataset->layout() == RowLayout::kContinuous) {
      for (int64_t row = 0; row < dataset->size(); ++row) look_at(dataset->row_length(row));
    } else {
      for (const DocumentRecord& record : dataset->document_records()) look_at(record.length);
    }
  }
  if (beyond == 0) return;
  log_warning("{}: {}: {} examples are longer (up to {} tokens) than the {} positions the model was made for ({})",
              setup.data.place_of("cutoff_len"), setup.data.cutoff_len, beyond, longest, limit,
              place_of_key(setup.model.file, "max_position_embeddings"));
}

// Rows go round the ranks, so every rank must have at least one.
static void check_examples(const RunSetup& setup, int64_t examples, int32_t world) {
  if (examples >= world) return;
  if (setup.launched_world > 0) {
    throw invalid_argument(
        "the launcher started {} ranks, which share {} training example{}: some rank would have none: "
        "start fewer ranks (mpirun -n)",
        world, examples, examples == 1 ? "" : "s");
  }
  throw invalid_argument("{}: nproc: {} ranks share {} training example{}: some rank would have none: lower nproc",
                         setup.config().origin("nproc"), world, examples, examples == 1 ? "" : "s");
}

void Run::begin_paradigm() {
  plan_ = make_abi_struct<ftrun_paradigm_plan>(FTRUN_PLAN_TAG);
  const ftrun_status began = paradigm_->table().begin(paradigm_->self(), context(), &plan_);
  // What is wrong with the data is the user's to mend, not the plugin's that asked for it.
  if (began != FTRUN_OK && data_.open_failure) std::rethrow_exception(data_.open_failure);
  check_plugin(began, paradigm_->plugin(), "begin");
  if (arguments().do_train) check_examples(setup_, plan_.num_examples, world());
}

void Run::begin(const std::function<void(const DataLedger&)>& on_ledger) {
  const TrainingArguments& a = arguments();
  data_.spec = setup_.data;
  for (const auto& [key, value] : setup_.plugins->paradigm.options->own->entries()) {
    if (value.origin != "default") data_.spec.origins[key] = value.origin;
  }
  data_.tokenizer = setup_.tokenizer;
  data_.parallel_for = run_parallel;
  data_.train_shape = {world(), a.per_device_train_batch_size, a.gradient_accumulation_steps};
  data_.eval_shape = {world(), a.per_device_eval_batch_size, 1};
  data_.rank = link_.rank();
  data_.seed = a.seed;
  data_.shuffle = !a.disable_shuffling;
  if (is_main()) {
    data_.on_ledger = [on_ledger](const DataLedger& ledger) {
      if (on_ledger) on_ledger(ledger);
      for (const std::string& line : ledger.warnings()) log_warning("{}", line);
    };
  }
  // The main rank fills the cache of encoded rows that the others then open.
  if (!is_main()) communicator().barrier("waiting for the data");
  begin_paradigm();
  if (is_main() && world() > 1) communicator().barrier("reading the data");
  require_same_inputs(*this);
  resolve_step_ratios(arguments_, setup_.config(), planned_updates(a, plan_.updates_per_epoch));
  if (const auto eos = setup_.tokenizer->eos_id()) add_unique(generate_.stop_ids, *eos);
  for (const int64_t id : setup_.generation.eos_token_ids) add_unique(generate_.stop_ids, id);
  const ftrun_data* opened = opened_data();
  if (opened == nullptr || !prepared_data(*opened).encoder) return;
  for (const int32_t id : prepared_data(*opened).encoder->stop_ids()) add_unique(generate_.stop_ids, id);
  warn_about_positions(setup_, prepared_data(*opened));
  for (const std::string& line : futile_data(prepared_data(*opened), setup_.data)) log_warning("{}", line);
}

}  // namespace ftrun
