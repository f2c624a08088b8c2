// Pairs are parameters of the weight's unit.
#include "core/train/adapters.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/error.h"
#include "core/io/noted_folder.h"
#include "core/model/adapter_weights.h"
#include "core/train/adapter_targets.h"

namespace ftrun {
namespace {

PeftConfig configured(const ResolvedConfig& config) {
  PeftConfig peft;
  peft.base_model_name_or_path = path_to_note(config.get_string("model_name_or_path"));
  peft.r = config.get_int("lora_rank");
  peft.lora_alpha = config.find_float("lora_alpha").value_or(2.0 * static_cast<double>(peft.r));
  peft.lora_dropout = config.get_float("lora_dropout");
  peft.use_rslora = config.get_bool("use_rslora");
  peft.use_dora = config.get_bool("use_dora");
  return peft;
}

/// Adds the pairs of one run.
class PairBuilder {
 public:
  PairBuilder(NetworkModel& model, const PeftConfig& peft, double learning_rate_ratio)
      : model_(model), peft_(peft), ratio_(learning_rate_ratio) {}

  void add(int32_t weight, int64_t rank, double scale) {
    const std::vector<int64_t> shape = model_.parameter(weight).shape;
    const std::string module = module_of_weight(model_.parameter(weight).name);
    LinearAdapter adapter;
    adapter.weight = weight;
    adapter.scale = scale;
    adapter.dropout = peft_.lora_dropout;
    const double bound = 1.0 / std::sqrt(static_cast<double>(shape[1]));
    adapter.a = parameter(weight, module + ".lora_A.weight", {rank, shape[1]}, FTRUN_INITIALIZER_UNIFORM, bound, 1.0);
    adapter.b = parameter(weight, module + ".lora_B.weight", {shape[0], rank}, FTRUN_INITIALIZER_ZEROS, 0.0, ratio_);
    if (peft_.use_dora) {
      adapter.magnitude =
          parameter(weight, module + ".lora_magnitude_vector", {shape[0]}, FTRUN_INITIALIZER_ONES, 0.0, 1.0);
    }
    model_.add_adapter(adapter);
  }

 private:
  int32_t parameter(int32_t weight, std::string name, std::vector<int64_t> shape, ftrun_initializer initializer,
                    double initializer_std, double learning_rate_ratio) {
    ModelParameter added;
    added.name = std::move(name);
    added.role = FTRUN_PARAMETER_LINEAR;
    added.unit = model_.parameter(weight).unit;
    added.shape = std::move(shape);
    added.initializer = initializer;
    added.initializer_std = initializer_std;
    added.origin = ParameterOrigin::kAdapter;
    added.learning_rate_ratio = learning_rate_ratio;
    return model_.add_parameter(std::move(added));
  }

  NetworkModel& model_;
  const PeftConfig& peft_;
  double ratio_;
};

double learning_rate_ratio(const ResolvedConfig& config) {
  return config.find_float("loraplus_lr_ratio").value_or(1.0);
}

void require_rank_fits(const ResolvedConfig& config, const ModelParameter& weight, int64_t rank) {
  if (rank <= std::min(weight.shape[0], weight.shape[1])) return;
  throw invalid_argument("{}: lora_rank: {} is more than the weight of '{}' has ({})", config.origin("lora_rank"), rank,
                         module_of_weight(weight.name), fmt::join(weight.shape, "x"));
}

void add_pairs(NetworkModel& model, const PeftAdapter& adapter, const PeftConfig& settings, double ratio) {
  PairBuilder builder(model, settings, ratio);
  for (const PeftPair& pair : adapter.pairs()) {
    builder.add(model.find(pair.module + ".weight"), pair.rank(), pair.scale);
  }
}

std::set<int32_t> as_set(const std::vector<int32_t>& ids) { return {ids.begin(), ids.end()}; }

/// Ids of the weights that the adapter has pairs on.
std::set<int32_t> paired_weights(const PeftAdapter& adapter, const NetworkModel& model) {
  std::set<int32_t> weights;
  for (const PeftPair& pair : adapter.pairs()) weights.insert(model.find(pair.module + ".weight"));
  return weights;
}

std::set<int32_t> saved_parameters(const PeftAdapter& adapter, const NetworkModel& model) {
  std::set<int32_t> parameters;
  for (const auto& [name, entry] : adapter.saved()) parameters.insert(model.find(name));
  return parameters;
}

/// The adapter's targets in words: its list or expression, its modules where keys narrow that to some layers.
std::string target_text(const PeftAdapter& adapter) {
  const PeftConfig& config = adapter.config();
  if (config.narrowing.empty() && !config.target_pattern.empty()) return config.target_pattern;
  if (config.narrowing.empty() && !config.target_modules.empty()) {
    return fmt::format("{}", fmt::join(config.target_modules, ", "));
  }
  std::vector<std::string> modules;
  for (const PeftPair& pair : adapter.pairs()) modules.push_back(pair.module);
  return fmt::format("{}", fmt::join(modules, ", "));
}

/// What the file says must be what the adapter is; silence takes the adapter's. Targets are compared by what they name
/// in the model, so that order and spelling do not count.
void require_agreement(const ResolvedConfig& config, const NetworkModel& model, const PeftAdapter& adapter) {
  const PeftConfig& has = adapter.config();
  const PeftConfig wants = configured(config);
  const auto require = [&](const char* key, bool agrees, const std::string& value) {
    if (!config.is_given(key) || agrees) return;
    throw invalid_argument(
        "{}: {}: is {}, and the adapter in '{}', whose training goes on, has {}: remove it, or set create_new_adapter: "
        "true",
        config.origin(key), key, value_text(*config.host().find(key)), adapter.folder().string(), value);
  };
  require("lora_rank", wants.r == has.r, fmt::format("{}", has.r));
  require("lora_alpha", wants.lora_alpha == has.lora_alpha, fmt::format("{}", has.lora_alpha));
  require("use_rslora", wants.use_rslora == has.use_rslora, fmt::format("{}", has.use_rslora));
  require("use_dora", wants.use_dora == has.use_dora, fmt::format("{}", has.use_dora));
  if (config.is_given("lora_target")) {
    require("lora_target", as_set(weights_of_targets(config, model)) == paired_weights(adapter, model),
            target_text(adapter));
  }
  if (config.is_given("additional_target")) {
    const std::vector<int32_t> wanted = whole_parameters(config.origin("additional_target") + ": additional_target",
                                                         model, config.get_list("additional_target"));
    std::set<int32_t> trained = saved_parameters(adapter, model);
    // Trained with every adapter of a classifier, named or not.
    const int32_t score = model.is_classifier() ? model.find(kScoreWeight) : -1;
    if (std::ranges::find(wanted, score) == wanted.end()) trained.erase(score);
    require("additional_target", as_set(wanted) == trained,
            has.modules_to_save.empty() ? "none" : fmt::format("{}", fmt::join(has.modules_to_save, ", ")));
  }
}

/// PEFT also saves what it does not train: embedding and head of a base whose vocabulary was grown.
void require_trained_whole(const PeftAdapter& adapter, const std::vector<std::string>& whole) {
  for (const std::string& module : whole) {
    const auto& trained = adapter.config().modules_to_save;
    if (std::ranges::any_of(trained, [&](const std::string& name) { return module.ends_with(name); })) continue;
    throw invalid_argument(
        "'{}': the adapter holds '{}' whole, and its modules_to_save does not name it: it was not trained, but belongs "
        "to a base whose vocabulary was grown: merge it (ftrun export) and train a new adapter on the result",
        adapter.folder().string(), module);
  }
}

void add_continued(const ResolvedConfig& config, NetworkModel& model, AdapterPlan& plan) {
  const PeftAdapter& adapter = *plan.continued;
  require_agreement(config, model, adapter);
  require_adapter_fits(adapter, model);
  plan.config = adapter.config();
  if (plan.config.lora_alpha == 0 && plan.config.alpha_pattern.empty()) {
    throw invalid_argument("{}: lora_alpha is 0, with which no pair learns",
                           (adapter.folder() / kAdapterConfigFile).string());
  }
  plan.config.base_model_name_or_path = path_to_note(config.get_string("model_name_or_path"));
  if (config.is_given("lora_dropout")) plan.config.lora_dropout = config.get_float("lora_dropout");
  add_pairs(model, adapter, plan.config, learning_rate_ratio(config));
  std::vector<std::string> whole;
  for (const auto& [name, entry] : adapter.saved()) whole.push_back(name.substr(0, name.rfind('.')));
  require_trained_whole(adapter, whole);
  plan.whole_parameters = whole_parameters("'" + adapter.folder().string() + "'", model, whole);
  plan.config.modules_to_save = unambiguous(model, plan.config.modules_to_save, plan.whole_parameters);
  if (!plan.config.target_modules.empty() || !plan.config.target_pattern.empty()) return;
  for (const PeftPair& pair : adapter.pairs()) plan.config.target_modules.push_back(pair.module);
}

void add_new(const ResolvedConfig& config, NetworkModel& model, AdapterPlan& plan) {
  plan.config = configured(config);
  const std::vector<int32_t> weights = weights_of_targets(config, model);
  std::set<std::string> targets;
  PairBuilder builder(model, plan.config, learning_rate_ratio(config));
  for (const int32_t weight : weights) {
    require_rank_fits(config, model.parameter(weight), plan.config.r);
    targets.insert(last_part(module_of_weight(model.parameter(weight).name)));
    builder.add(weight, plan.config.r, plan.config.scale(plan.config.lora_alpha, plan.config.r));
  }
  if (config.get_bool("pissa_init")) {
    plan.principal = std::make_shared<PrincipalPairs>(model, config.get_int("pissa_iter"));
  }
  plan.config.target_modules.assign(targets.begin(), targets.end());
  // A target that names single layers is kept as it was written: its last part would adapt all layers.
  const std::vector<std::string>& written = config.get_list("lora_target");
  if (std::ranges::find(written, "all") == written.end()) plan.config.target_modules = written;
  std::ranges::sort(plan.config.target_modules);
  if (!config.is_set("additional_target")) return;
  const std::vector<std::string>& whole = config.get_list("additional_target");
  plan.whole_parameters = whole_parameters(config.origin("additional_target") + ": additional_target", model, whole);
  plan.config.modules_to_save = unambiguous(model, whole, plan.whole_parameters);
  for (const int32_t id : plan.whole_parameters) {
    if (model.adapter_of(id) == nullptr) continue;
    throw invalid_argument("{}: additional_target: '{}' is in lora_target too: it is trained whole or by a pair",
                           config.origin("additional_target"), module_of_weight(model.parameter(id).name));
  }
}

std::vector<std::shared_ptr<const PeftAdapter>> opened(const ResolvedConfig& config, const NetworkModel& model) {
  std::vector<std::shared_ptr<const PeftAdapter>> adapters;
  if (!config.is_set("adapter_name_or_path")) return adapters;
  for (const std::string& folder : config.get_list("adapter_name_or_path")) {
    try {
      adapters.push_back(std::make_shared<PeftAdapter>(folder));
      const auto is_it = [&](const auto& other) {
        return std::filesystem::equivalent(other->folder(), adapters.back()->folder());
      };
      if (std::ranges::count_if(adapters, is_it) > 1) throw invalid_argument("'{}' is named twice", folder);
      require_adapter_fits(*adapters.back(), model);
    } catch (const Error& error) {
      throw Error(error.code(),
                  fmt::format("{}: adapter_name_or_path: {}", config.origin("adapter_name_or_path"), error.what()));
    }
  }
  return adapters;
}

}  // namespace

void add_pairs(NetworkModel& model, const PeftAdapter& adapter) {
  require_adapter_fits(adapter, model);
  add_pairs(model, adapter, adapter.config(), 1.0);
}

/// PEFT trains and saves a classifier's head with every adapter.
/// Source: PEFT peft_model.py, PeftModelForSequenceClassification.
void add_classifier_modules(PeftConfig& config) {
  config.task_type = "SEQ_CLS";
  std::vector<std::string>& modules = config.modules_to_save;
  for (const char* module : {"classifier", "score"}) {
    if (std::ranges::find(modules, module) == modules.end()) modules.emplace_back(module);
  }
  std::ranges::sort(modules);
}

AdapterPlan plan_adapters(const ResolvedConfig& config, NetworkModel& model, bool for_inference) {
  AdapterPlan plan;
  plan.merged = opened(config, model);
  if (for_inference || config.get_string("finetuning_type") != "lora") return plan;
  plan.is_trained = true;
  if (!plan.merged.empty() && !config.get_bool("create_new_adapter")) {
    plan.continued = plan.merged.back();
    plan.merged.pop_back();
    add_continued(config, model, plan);
  } else {
    add_new(config, model, plan);
  }
  if (model.is_classifier()) add_classifier_modules(plan.config);
  return plan;
}

/// What the factors of `adapter` stand beside.
static std::unique_ptr<WeightSource> base_under(const std::shared_ptr<const PeftAdapter>& adapter,
                                                std::unique_ptr<WeightSource> base) {
  if (!adapter->config().is_principal) return base;
  return std::make_unique<PrincipalRestWeights>(std::move(base), adapter);
}

std::unique_ptr<WeightSource> adapted_weights(const AdapterPlan& plan, const NetworkModel& model,
                                              std::unique_ptr<WeightSource> base, uint64_t seed) {
  for (const auto& adapter : plan.merged) {
    base = std::make_unique<MergedWeights>(base_under(adapter, std::move(base)), adapter, model);
  }
  if (plan.continued) {
    return std::make_unique<AdapterFileWeights>(base_under(plan.continued, std::move(base)), plan.continued);
  }
  if (plan.principal) return std::make_unique<PissaWeights>(std::move(base), model, plan.principal);
  if (plan.is_trained) return std::make_unique<NewAdapterWeights>(std::move(base), model, seed);
  return base;
}

}  // namespace ftrun
