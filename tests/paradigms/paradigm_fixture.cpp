// As core/train's loop, without schedule, logs and checkpoints.
#include "tests/paradigms/paradigm_fixture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>

#include "core/base/error.h"
#include "core/base/failure_detail.h"
#include "core/config/document.h"
#include "core/config/host_options.h"
#include "core/config/option_api.h"
#include "core/model/abi_struct.h"
#include "core/model/adapter_weights.h"
#include "core/model/api_tables.h"
#include "core/model/rank.h"
#include "core/model/start_weights.h"
#include "core/optim/optimizer.h"
#include "core/plugin/table_slots.h"
#include "core/train/adapters.h"
#include "ftrun/kinds/paradigm.h"
#include "tests/collectives/rank_team.h"
#include "tests/strategies/low_rank_pairs.h"
#include "tests/strategies/weight_collector.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;

const ftrun_host* paradigm_host() {
  static const ftrun_host host = [] {
    ftrun_host table = *team_host();
    table.option = option_api();
    table.tensor = tensor_api_table();
    table.context = context_api_table();
    table.shard = shard_api_table();
    table.collectives = collectives_api_table();
    table.data = row_service_api();
    table.metric = row_service_metric;
    table.cancelled = [](const ftrun_host*) noexcept -> int32_t { return 0; };
    return table;
  }();
  return &host;
}

SettingValue written(const std::string& text) {
  return parse_config_text("k: " + text + "\n", "case.yaml").front().value;
}

/// What a plugin of the case is created with.
class PluginOptions {
 public:
  PluginOptions(const ftrun_plugin& plugin, const std::map<std::string, std::string>& own,
                const std::map<std::string, std::string>& host) {
    fill(read_option_table(plugin.options, std::string(text_of(plugin.id))), own, own_);
    const auto specs = host_options();
    fill({specs.begin(), specs.end()}, host, host_);
  }
  const ftrun_options* get() const { return &options_; }

 private:
  static void fill(const std::vector<OptionSpec>& specs, std::map<std::string, std::string> wanted,
                   OptionValues& values) {
    for (const OptionSpec& spec : specs) {
      const auto found = wanted.find(spec.key);
      values.set(spec.key, found == wanted.end() ? default_value(spec) : convert_value(spec, written(found->second)));
      if (found != wanted.end()) wanted.erase(found);
    }
    if (!wanted.empty()) throw internal_error("there is no option '{}'", wanted.begin()->first);
  }
  OptionValues own_;
  OptionValues host_;
  ftrun_options options_ = {&own_, &host_};
};

fs::path model_folder(const ParadigmCase& given) {
  return fs::path(FTRUN_SOURCE_DIR) / "tests/golden/models" / given.model;
}

constexpr const char* kHeadWeight = "score.weight";
constexpr const char* kHeadBias = "score.bias";

/// As the head of a sequence classifier, which may have a bias here.
void add_head(NetworkModel& model, bool has_bias) {
  ModelParameter parameter;
  parameter.unit = model.head_unit();
  parameter.origin = ParameterOrigin::kScalarHead;
  parameter.role = FTRUN_PARAMETER_LINEAR;
  parameter.name = kHeadWeight;
  parameter.shape = {1, model.info().hidden_size};
  ScalarHead head = {"score", model.add_parameter(parameter), -1};
  if (has_bias) {
    parameter.role = FTRUN_PARAMETER_BIAS;
    parameter.name = kHeadBias;
    parameter.shape = {1};
    head.bias = model.add_parameter(parameter);
  }
  model.add_scalar_head(head);
}

bool is_trained(const ParadigmCase& given, const ModelParameter& parameter) {
  if (given.tuner == "full" || parameter.origin == ParameterOrigin::kScalarHead) return true;
  if (given.tuner == "lora") return parameter.origin == ParameterOrigin::kAdapter;
  if (given.tuner != "freeze") throw internal_error("there is no tuner '{}'", given.tuner);
  return parameter.name.find("layers.1.") != std::string::npos || parameter.name == "model.norm.weight";
}

std::shared_ptr<NetworkModel> open_model(const ParadigmCase& given) {
  const fs::path config = model_folder(given) / "config.json";
  std::ifstream in(config, std::ios::binary);
  const std::string json{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::string network = given.model.substr(0, given.model.find('_'));
  const auto* table = static_cast<const ftrun_network*>(load_plugin("network", network)->table);
  return std::make_shared<NetworkModel>(table, paradigm_host(), nullptr, json, config);
}

std::shared_ptr<const PeftAdapter> opened_adapter(const ParadigmCase& given) {
  return std::make_shared<PeftAdapter>(fs::path(FTRUN_SOURCE_DIR) / "tests/golden/preference" / given.adapter);
}

/// The host would look at what the paradigm declares.
bool keeps_start(const ParadigmCase& given) {
  const auto reference = given.options.find("ref_model");
  return given.tuner == "lora" && reference != given.options.end() && reference->second == "start" &&
         !given.options.contains("precompute_ref_log_probs");
}

/// With what the case trains beside the network's parameters.
std::shared_ptr<const NetworkModel> policy_model(const ParadigmCase& given) {
  const std::shared_ptr<NetworkModel> model = open_model(given);
  if (!given.head.empty()) add_head(*model, !given.head_bias.empty());
  if (given.tuner == "lora" && given.adapter.empty()) add_low_rank_pairs(*model, {});
  if (given.tuner == "lora" && !given.adapter.empty()) add_pairs(*model, *opened_adapter(given));
  if (!keeps_start(given)) return model;
  const auto count = static_cast<int32_t>(model->parameters().size());
  for (int32_t id = 0; id < count; ++id) {
    if (is_trained(given, model->parameter(id))) model->add_start_copy(id);
  }
  return model;
}

std::unique_ptr<WeightSource> scaled_weights(const ParadigmCase& given, double scale) {
  const auto file = std::make_shared<SafetensorsFile>(model_folder(given) / "model.safetensors");
  return std::make_unique<HostWeights>([file, scale, head = given.head, bias = given.head_bias](
                                           const ModelParameter& parameter, int64_t begin, std::span<float> values) {
    if (parameter.name == kHeadWeight) {
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<float>(head.at(static_cast<size_t>(begin) + i));
      }
      return;
    }
    if (parameter.name == kHeadBias) {
      values[0] = static_cast<float>(bias.at(0));
      return;
    }
    const TensorEntry& entry = file->require(parameter.name);
    std::memcpy(values.data(), entry.bytes.data() + static_cast<size_t>(begin) * sizeof(float), values.size_bytes());
    for (float& value : values) value *= static_cast<float>(scale);
  });
}

std::unique_ptr<WeightSource> start_weights(const ParadigmCase& given, const NetworkModel& model) {
  std::unique_ptr<WeightSource> base = scaled_weights(given, given.weight_scale);
  if (!given.adapter.empty() && given.tuner == "lora") {
    return std::make_unique<AdapterFileWeights>(std::move(base), opened_adapter(given));
  }
  if (!given.adapter.empty()) return std::make_unique<MergedWeights>(std::move(base), opened_adapter(given), model);
  if (given.tuner != "lora") return base;
  return std::make_unique<NewAdapterWeights>(std::move(base), model, 11);
}

std::unique_ptr<WeightSource> policy_weights(const ParadigmCase& given, const NetworkModel& model) {
  if (keeps_start(given)) return std::make_unique<StartWeights>(start_weights(given, model), model);
  return start_weights(given, model);
}

struct Declared {
  std::vector<std::string> roles;
  std::vector<std::string> model_keys;
  std::vector<std::string> heads;
  std::vector<ftrun_role_flags> flags;
  int32_t denominators = 0;
};

ftrun_status add_role(const ftrun_declaration* declaration, const ftrun_role_request* role, int32_t* index) {
  auto& declared = *static_cast<Declared*>(declaration->self);
  *index = static_cast<int32_t>(declared.roles.size());
  declared.roles.emplace_back(text_of(role->name));
  declared.model_keys.emplace_back(text_of(role->model_key));
  declared.heads.emplace_back(text_of(role->scalar_heads));
  declared.flags.push_back(role->flags);
  return FTRUN_OK;
}

ftrun_status add_denominator(const ftrun_declaration* declaration, ftrun_str, int32_t* index) {
  *index = static_cast<Declared*>(declaration->self)->denominators++;
  return FTRUN_OK;
}

/// A paradigm's instance on one rank.
class Instance {
 public:
  Instance(const ParadigmCase& given, const ftrun_options* options)
      : table_(copy_table<ftrun_paradigm>(load_plugin("paradigm", given.paradigm)->table, nullptr)) {
    check_status(table_.create(paradigm_host(), options, &self_), "create");
    auto declaration = make_abi_struct<ftrun_declaration>(FTRUN_DECLARATION_TAG);
    declaration.self = &declared_;
    declaration.add_role = add_role;
    declaration.add_denominator = add_denominator;
    check_status(table_.declare(self_, &declaration), "declare");
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance() { table_.destroy(self_); }
  const ftrun_paradigm& table() const { return table_; }
  void* self() const { return self_; }
  const Declared& declared() const { return declared_; }

 private:
  ftrun_paradigm table_;
  void* self_ = nullptr;
  Declared declared_;
};

class ParadigmRank {
 public:
  ParadigmRank(const ParadigmCase& given, TeamRank& team, std::shared_ptr<const NetworkModel> model)
      : given_(given),
        team_(team),
        model_(std::move(model)),
        strategy_(static_cast<const ftrun_strategy*>(load_plugin("strategy", given.strategy)->table)),
        strategy_options_(*load_plugin("strategy", given.strategy), given.strategy_options, {}),
        options_(*load_plugin("paradigm", given.paradigm), given.options, host_keys(given)),
        optimizer_(make_optimizer("adamw_torch", {0.9, 0.999, given.adam_epsilon})) {
    service_.rows[0] = given.rows;
    service_.rows[1] = given.eval_rows;
    service_.shape = {given.world, per_device(given), given.accumulation};
    service_.rank = team.communicator.rank();
    service_.cache_folder = given.cache_folder;
    check_status(strategy_->create(paradigm_host(), strategy_options_.get(), &strategy_instance_), "create");
  }
  ParadigmRank(const ParadigmRank&) = delete;
  ParadigmRank& operator=(const ParadigmRank&) = delete;
  ~ParadigmRank() {
    paradigm_.reset();
    if (strategy_instance_ != nullptr) strategy_->destroy(strategy_instance_);
  }

  /// Collects the policy's weights before the first update and after the last.
  void run(ParadigmOutcome& outcome, WeightCollector& before, WeightCollector& after) {
    const RowServiceScope serving(service_);
    paradigm_ = std::make_unique<Instance>(given_, options_.get());
    if (paradigm_->declared().heads.front().empty() != given_.head.empty()) throw internal_error("a head for nothing");
    make_rank();
    before.add(*rank_);
    auto plan = make_abi_struct<ftrun_paradigm_plan>(FTRUN_PLAN_TAG);
    check_status(table().begin(paradigm_->self(), &ctx(), &plan), "begin");
    check_status(table().prepare(paradigm_->self(), &ctx()), "prepare");
    if (is_main()) {
      outcome.data_format = service_.opened_format;
      outcome.roles = paradigm_->declared().roles;
    }
    for (size_t update = 0; update < given_.learning_rates.size(); ++update) {
      train(static_cast<int64_t>(update), plan.updates_per_epoch, outcome);
    }
    after.add(*rank_);
    for (int64_t update = 0; update < plan.eval_updates; ++update) evaluate(update, outcome);
  }

 private:
  static int64_t per_device(const ParadigmCase& given) {
    return given.rows_per_update / (given.world * given.accumulation);
  }
  static std::map<std::string, std::string> host_keys(const ParadigmCase& given) {
    auto keys = given.host;
    const std::string batch = std::to_string(per_device(given));
    keys.insert({{"per_device_train_batch_size", batch},
                 {"per_device_eval_batch_size", batch},
                 {"finetuning_type", given.tuner},
                 {"do_eval", "true"},
                 {"model_name_or_path", model_folder(given).string()}});
    return keys;
  }

  ftrun_context& ctx() { return rank_->context(); }
  const ftrun_paradigm& table() const { return paradigm_->table(); }
  bool is_main() const { return team_.communicator.is_main(); }

  void make_rank() {
    RankArguments arguments;
    arguments.rank = team_.communicator.rank();
    arguments.world = team_.communicator.world();
    arguments.communicator = &team_.communicator;
    arguments.device = team_.ctx.device;
    arguments.host_device = team_.ctx.host_device;
    arguments.strategy = strategy_;
    arguments.strategy_instance = strategy_instance_;
    arguments.precision = given_.precision;
    arguments.accumulation = given_.accumulation;
    arguments.optimizer = optimizer_.get();
    arguments.weight_decay = given_.weight_decay;
    rank_ = std::make_unique<Rank>(arguments);
    add_roles();
    rank_->attach();
    rank_->release_weight_sources();
  }

  void add_roles() {
    const Declared& declared = paradigm_->declared();
    for (size_t i = 0; i < declared.roles.size(); ++i) {
      if ((declared.flags[i] & FTRUN_ROLE_ADAPTER_OFF) != 0) {
        rank_->add_adapter_off_role(declared.roles[i], 0);
      } else if ((declared.flags[i] & FTRUN_ROLE_AT_START) != 0) {
        rank_->add_at_start_role(declared.roles[i], 0);
      } else if ((declared.flags[i] & FTRUN_ROLE_TRAINED) != 0) {
        rank_->add_role(
            declared.roles[i], model_, [this](int32_t id) { return is_trained(given_, model_->parameter(id)); },
            policy_weights(given_, *model_));
      } else {
        const bool is_other = declared.model_keys[i] == "ref_model";
        rank_->add_role(declared.roles[i], open_model(given_), nullptr,
                        scaled_weights(given_, is_other ? given_.reference_scale : given_.weight_scale));
      }
    }
  }

  ftrun_update next_update(ftrun_split split, int64_t epoch, int64_t index) {
    auto request = make_abi_struct<ftrun_update_request>(FTRUN_UPDATE_REQUEST_TAG);
    request.split = split;
    request.epoch = epoch;
    request.update = index;
    auto update = make_abi_struct<ftrun_update>(FTRUN_UPDATE_TAG);
    service_.metrics.clear();
    check_status(table().next_update(paradigm_->self(), &ctx(), &request, &update), "next_update");
    return update;
  }

  std::array<double, FTRUN_MAX_DENOMINATORS> denominators(const ftrun_update& update) {
    std::array<double, FTRUN_MAX_DENOMINATORS> result;
    std::copy_n(update.denominators, result.size(), result.begin());
    team_.communicator.sum_host(result);
    return result;
  }

  Tensor loss_of(const ftrun_update& update, int32_t micro_batch, const double* denominators) {
    ftrun_tensor* loss = nullptr;
    check_status(table().loss(paradigm_->self(), &ctx(), &update, micro_batch, denominators, &loss), "loss");
    return Tensor::adopt(loss);
  }

  double summed(double value) {
    team_.communicator.sum_host(std::span(&value, 1));
    return value;
  }

  void train(int64_t index, int64_t per_epoch, ParadigmOutcome& outcome) {
    ftrun_update update = next_update(FTRUN_SPLIT_TRAIN, index / per_epoch, index % per_epoch);
    const auto totals = denominators(update);
    double loss = 0;
    for (int32_t micro = 0; micro < update.n_micro_batches; ++micro) {
      const Tensor scalar = rank_->train_micro_batch(micro, update.n_micro_batches,
                                                     [&] { return loss_of(update, micro, totals.data()); });
      loss += static_cast<double>(read_floats(ctx(), scalar).at(0));
    }
    table().release_update(paradigm_->self(), &update);
    const double norm = rank_->finish_grads();
    if (index == 0 && given_.strategy == "single") keep_gradients(outcome);
    rank_->step(std::min(1.0, 1.0 / (norm + 1e-6)), given_.learning_rates[static_cast<size_t>(index)]);
    loss = summed(loss);
    if (!is_main()) return;
    outcome.losses.push_back(loss);
    outcome.norms.push_back(norm);
    outcome.metrics.push_back(service_.metrics);
  }

  void keep_gradients(ParadigmOutcome& outcome) {
    for (size_t id = 0; id < model_->parameters().size(); ++id) {
      if (!is_trained(given_, model_->parameters()[id])) continue;
      outcome.gradients[model_->parameters()[id].name] =
          read_floats(ctx(), rank_->role(0).gradient(static_cast<int32_t>(id)));
    }
  }

  void evaluate(int64_t index, ParadigmOutcome& outcome) {
    ftrun_update update = next_update(FTRUN_SPLIT_EVAL, 0, index);
    const auto totals = denominators(update);
    double loss = 0;
    for (int32_t micro = 0; micro < update.n_micro_batches; ++micro) {
      const Tensor scalar = rank_->evaluate([&] { return loss_of(update, micro, totals.data()); });
      loss += static_cast<double>(read_floats(ctx(), scalar).at(0));
    }
    table().release_update(paradigm_->self(), &update);
    loss = summed(loss);
    if (!is_main()) return;
    outcome.evaluation += loss;
    outcome.evaluation_metrics = service_.metrics;
  }

  const ParadigmCase& given_;
  TeamRank& team_;
  std::shared_ptr<const NetworkModel> model_;
  const ftrun_strategy* strategy_;
  PluginOptions strategy_options_;
  PluginOptions options_;
  std::unique_ptr<Optimizer> optimizer_;
  void* strategy_instance_ = nullptr;
  RowService service_;
  std::unique_ptr<Rank> rank_;
  std::unique_ptr<Instance> paradigm_;
};

}  // namespace

std::string ParadigmCase::name() const {
  std::string text = paradigm + " " + tuner + " " + strategy + " world " + std::to_string(world) + " accumulation " +
                     std::to_string(accumulation) + (precision.compute == FTRUN_BF16 ? " bf16" : "") + " on " + device;
  for (const auto& [key, value] : strategy_options) text += " " + key + "=" + value;
  return text;
}

ParadigmOutcome run_paradigm(const ParadigmCase& given) {
  ParadigmOutcome outcome;
  TeamOptions options;
  options.device = given.device;
  const std::shared_ptr<const NetworkModel> model = policy_model(given);
  WeightCollector before(*model);
  WeightCollector after(*model);
  const auto failures = run_team(given.world, options,
                                 [&](TeamRank& team) { ParadigmRank(given, team, model).run(outcome, before, after); });
  for (const TeamFailure& failure : failures) outcome.failures.push_back(failure.message);
  const bool complete = std::ranges::all_of(outcome.failures, [](const std::string& text) { return text.empty(); });
  if (!complete) return outcome;
  outcome.changes = after.take();
  for (const auto& [name, began] : before.take()) {
    std::ranges::transform(outcome.changes.at(name), began, outcome.changes.at(name).begin(), std::minus<>());
  }
  return outcome;
}

ParadigmOutcome run_paradigm_well(const ParadigmCase& given) {
  ParadigmOutcome outcome = run_paradigm(given);
  for (const std::string& failure : outcome.failures) EXPECT_EQ(failure, "") << given.name();
  return outcome;
}

SafetensorsFile preference_golden(const std::string& name) {
  return SafetensorsFile(fs::path(FTRUN_SOURCE_DIR) / "tests/golden/preference" / (name + ".safetensors"));
}

std::vector<double> golden_series(const SafetensorsFile& golden, const std::string& name) {
  const TensorEntry& entry = golden.require(name);
  std::vector<double> values;
  const auto append = [&]<typename T>(T) {
    for (size_t at = 0; at < entry.bytes.size(); at += sizeof(T)) {
      T value;
      std::memcpy(&value, entry.bytes.data() + at, sizeof(T));
      values.push_back(static_cast<double>(value));
    }
  };
  if (entry.dtype == StoredDtype::kI32) append(int32_t{});
  if (entry.dtype == StoredDtype::kF32) append(float{});
  if (entry.dtype == StoredDtype::kF64) append(double{});
  return values;
}

std::vector<TestRow> golden_rows(const SafetensorsFile& golden) {
  const auto ids = golden_series(golden, "rows.input_ids");
  const auto labels = golden_series(golden, "rows.labels");
  const auto lengths = golden_series(golden, "rows.document_lengths");
  const auto annotations = golden_series(golden, "rows.annotation");
  const auto per_row = static_cast<size_t>(golden_series(golden, "rows.documents_per_row").at(0));
  std::vector<TestRow> rows;
  size_t at = 0;
  for (size_t document = 0; document < lengths.size(); ++document) {
    if (document % per_row == 0) {
      TestRow& row = rows.emplace_back();
      row.block_diagonal = per_row > 1;
      row.margin = annotations[rows.size() - 1];
      row.desirable = annotations[rows.size() - 1] != 0;
    }
    const auto length = static_cast<size_t>(lengths[document]);
    TestRow& row = rows.back();
    row.document_lengths.push_back(static_cast<int32_t>(length));
    for (size_t i = at; i < at + length; ++i) {
      row.ids.push_back(static_cast<int32_t>(ids[i]));
      row.labels.push_back(static_cast<int32_t>(labels[i]));
    }
    at += length;
  }
  return rows;
}

}  // namespace ftrun::test
