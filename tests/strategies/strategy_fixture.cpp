// Ranks as threads; each opens its own strategy instance.
#include "tests/strategies/strategy_fixture.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/base/error.h"
#include "core/base/failure_detail.h"
#include "core/config/document.h"
#include "core/config/host_options.h"
#include "core/config/option_api.h"
#include "core/model/abi_struct.h"
#include "core/model/adapter_weights.h"
#include "core/model/api_tables.h"
#include "core/model/pissa.h"
#include "core/parallel/thread_pool.h"
#include "tests/collectives/rank_team.h"
#include "tests/strategies/low_rank_pairs.h"
#include "tests/strategies/weight_collector.h"

namespace ftrun::test {
namespace {

/// Divides by every world x accumulation that is tested.
constexpr int32_t kItemsPerUpdate = 36;

const ftrun_host* strategy_host() {
  static const ftrun_host host = [] {
    ftrun_host table = *team_host();
    table.option = option_api();
    table.tensor = tensor_api_table();
    table.context = context_api_table();
    table.shard = shard_api_table();
    table.collectives = collectives_api_table();
    return table;
  }();
  return &host;
}

SettingValue written(const std::string& text) {
  return parse_config_text("k: " + text + "\n", "case.yaml").front().value;
}

/// The options a strategy is created with.
class CaseOptions {
 public:
  CaseOptions(const StrategyCase& given, const ftrun_plugin& plugin) {
    auto wanted = given.options;
    for (const OptionSpec& spec : read_option_table(plugin.options, given.strategy)) {
      const auto found = wanted.find(spec.key);
      own_.set(spec.key, found == wanted.end() ? default_value(spec) : convert_value(spec, written(found->second)));
      if (found != wanted.end()) wanted.erase(found);
    }
    if (!wanted.empty()) throw internal_error("{} has no option '{}'", given.strategy, wanted.begin()->first);
    for (const OptionSpec& spec : host_options()) {
      const auto found = given.host.find(spec.key);
      host_.set(spec.key,
                found == given.host.end() ? default_value(spec) : convert_value(spec, written(found->second)));
    }
  }
  const ftrun_options* get() const { return &options_; }

 private:
  OptionValues own_;
  OptionValues host_;
  ftrun_options options_ = {&own_, &host_};
};

std::shared_ptr<const NetworkModel> open_model(const StrategyCase& given) {
  const std::filesystem::path folder = std::filesystem::path(FTRUN_SOURCE_DIR) / "tests/golden/models" / given.model;
  const std::string network = given.model.substr(0, given.model.find('_'));
  std::string json = given.config_json;
  if (json.empty()) {
    std::ifstream in(folder / "config.json", std::ios::binary);
    json = {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  const auto* table = static_cast<const ftrun_network*>(load_plugin("network", network)->table);
  const auto model = std::make_shared<NetworkModel>(table, strategy_host(), nullptr, json, folder / "config.json");
  if (given.adapter_rank > 0) add_low_rank_pairs(*model, {given.adapter_rank, 0.1, !given.starts_principal});
  return model;
}

std::unique_ptr<WeightSource> open_base(const StrategyCase& given, const NetworkModel& model) {
  if (!given.config_json.empty()) {
    return std::make_unique<HostWeights>([](const ModelParameter& parameter, int64_t begin, std::span<float> values) {
      const float centre = parameter.role == FTRUN_PARAMETER_NORM ? 1.0f : 0.0f;
      for (size_t i = 0; i < values.size(); ++i) {
        const auto mixed = static_cast<uint32_t>(begin + static_cast<int64_t>(i)) * 2654435761u;
        values[i] = centre + 0.02f * (static_cast<float>(mixed >> 16) / 32768.0f - 1.0f);
      }
    });
  }
  const std::filesystem::path folder = std::filesystem::path(FTRUN_SOURCE_DIR) / "tests/golden/models" / given.model;
  return std::make_unique<FileWeights>(std::make_shared<ModelWeights>(folder), model);
}

std::unique_ptr<WeightSource> open_weights(const StrategyCase& given, const NetworkModel& model) {
  std::unique_ptr<WeightSource> base = open_base(given, model);
  if (!given.merged_adapter.empty()) {
    const std::filesystem::path models = std::filesystem::path(FTRUN_SOURCE_DIR) / "tests/golden/models";
    base = std::make_unique<MergedWeights>(std::move(base),
                                           std::make_shared<PeftAdapter>(models / given.merged_adapter), model);
  }
  if (given.adapter_rank == 0) return base;
  if (given.starts_principal) {
    return std::make_unique<PissaWeights>(std::move(base), model, std::make_shared<PrincipalPairs>(model, -1));
  }
  return std::make_unique<NewAdapterWeights>(std::move(base), model, 11);
}

/// Rows of made-up tokens with uneven masks, end to end.
struct MicroBatchData {
  std::vector<int32_t> ids;
  std::vector<int32_t> positions;
  std::vector<int32_t> offsets = {0};
  std::vector<int32_t> targets;

  /// Item `item` of the run: 2 to 9 tokens; every fifth has no target at all, others lack some.
  void add(int32_t item, int64_t vocabulary) {
    const int32_t length = 2 + item * 7 % 8;
    for (int32_t i = 0; i < length; ++i) {
      const auto token = [&](int32_t at) { return static_cast<int32_t>((item * 31 + at * at * 17 + 5) % vocabulary); };
      ids.push_back(token(i));
      positions.push_back(i);
      const bool masked = item % 5 == 4 || (item + i) % 3 == 0 || i + 1 == length;
      targets.push_back(masked ? -100 : token(i + 1));
    }
    offsets.push_back(static_cast<int32_t>(ids.size()));
  }
  int64_t target_count() const {
    return std::ranges::count_if(targets, [](int32_t target) { return target >= 0; });
  }
  ftrun_batch batch() const {
    auto result = make_abi_struct<ftrun_batch>(FTRUN_BATCH_TAG);
    result.n_tokens = static_cast<int64_t>(ids.size());
    result.input_ids = ids.data();
    result.position_ids = positions.data();
    result.n_segments = static_cast<int32_t>(offsets.size()) - 1;
    result.segment_offsets = offsets.data();
    return result;
  }
};

/// One rank of a case.
class CaseRank {
 public:
  CaseRank(const StrategyCase& given, TeamRank& team, const std::shared_ptr<const NetworkModel>& model)
      : given_(given),
        team_(team),
        model_(model),
        plugin_(*load_plugin("strategy", given.strategy)),
        options_(given, plugin_),
        optimizer_(make_optimizer("adamw_torch", {0.9, 0.95, 1e-8})) {
    // The registry hands out completed tables; these plugins fill every slot.
    table_ = static_cast<const ftrun_strategy*>(plugin_.table);
    check_status(table_->create(strategy_host(), options_.get(), &instance_), "create");
  }
  CaseRank(const CaseRank&) = delete;
  CaseRank& operator=(const CaseRank&) = delete;
  ~CaseRank() {
    if (instance_ != nullptr) table_->destroy(instance_);
  }

  void run(Outcome& outcome, WeightCollector& collector) {
    RankOutcome& mine = outcome.ranks[static_cast<size_t>(team_.communicator.rank())];
    make_rank();
    mine.schedule = rank_->schedule();
    rank_->attach();
    rank_->release_weight_sources();
    if (given_.rehearses) rehearse();
    for (int32_t update = 0; update < given_.updates; ++update) train(update, outcome, mine);
    if (given_.reloads) rank_->load_values(0, *open_weights(given_, *model_));
    const double evaluation = evaluate();
    if (team_.communicator.is_main()) outcome.evaluation = evaluation;
    collector.add(*rank_);
  }

 private:
  void make_rank() {
    RankArguments arguments;
    arguments.rank = team_.communicator.rank();
    arguments.world = team_.communicator.world();
    arguments.communicator = &team_.communicator;
    arguments.device = team_.ctx.device;
    arguments.host_device = team_.ctx.host_device;
    arguments.strategy = table_;
    arguments.strategy_instance = instance_;
    arguments.precision = given_.precision;
    arguments.gradient_checkpointing = given_.gradient_checkpointing;
    arguments.accumulation = given_.accumulation;
    arguments.optimizer = optimizer_.get();
    arguments.weight_decay = 0.05;
    rank_ = std::make_unique<Rank>(arguments);
    const auto trained = [this](int32_t id) {
      if (given_.adapter_rank > 0) return model_->parameter(id).origin == ParameterOrigin::kAdapter;
      return !given_.is_trained || given_.is_trained(model_->parameter(id).name);
    };
    rank_->add_role("policy", model_, trained, open_weights(given_, *model_));
    if (!given_.with_reference) return;
    if (given_.adapter_rank > 0) {
      rank_->add_adapter_off_role("reference", 0);
    } else {
      rank_->add_role("reference", model_, nullptr, open_weights(given_, *model_));
    }
    rank_->walked_role(1).add_infer_walks(1);
  }

  /// Items of micro-batch `micro`: item i goes to micro-batch i / (N B), rank (i / B) mod N.
  MicroBatchData data(int32_t update, int32_t micro, int32_t accumulation) const {
    const int32_t world = given_.world;
    const int32_t per_rank = kItemsPerUpdate / (world * accumulation);
    MicroBatchData result;
    for (int32_t b = 0; b < per_rank; ++b) {
      const int32_t item = (micro * world + team_.communicator.rank()) * per_rank + b;
      result.add(update * kItemsPerUpdate + item, model_->info().vocab_size);
    }
    return result;
  }

  double summed(double value) {
    team_.communicator.sum_host(std::span(&value, 1));
    return value;
  }

  double targets(int32_t update) {
    double count = 0;
    for (int32_t micro = 0; micro < given_.accumulation; ++micro) {
      count += static_cast<double>(data(update, micro, given_.accumulation).target_count());
    }
    return summed(count);
  }

  Tensor loss_of(int32_t role, const MicroBatchData& data, double scale) {
    const Tensor hidden = rank_->forward(role, data.batch());
    return rank_->head_cross_entropy_sum(role, hidden, data.targets, {}, scale);
  }

  double number(const Tensor& scalar) { return static_cast<double>(read_floats(rank_->context(), scalar).at(0)); }

  void train(int32_t update, Outcome& outcome, RankOutcome& mine) {
    Communicator& communicator = team_.communicator;
    communicator.set_step(update + 1);
    const double denominator = targets(update);
    communicator.reset_traffic();
    double loss = 0;
    double reference = 0;
    for (int32_t micro = 0; micro < given_.accumulation; ++micro) {
      const MicroBatchData batch = data(update, micro, given_.accumulation);
      loss += number(rank_->train_micro_batch(micro, given_.accumulation, [&] {
        if (update == 1 && micro == 0 && given_.failing_rank == communicator.rank()) {
          rank_->forward(0, batch.batch());
          throw internal_error("made to fail");
        }
        if (given_.with_reference) reference += number(loss_of(1, batch, 1.0));
        return loss_of(0, batch, 1.0 / denominator);
      }));
    }
    const double norm = rank_->finish_grads();
    mine.before_step = team_.ctx.device->memory_stats();
    mine.host_before_step = team_.ctx.host_device->memory_stats();
    rank_->step(std::min(1.0, 1.0 / (norm + 1e-6)), 1e-3);
    mine.traffic = communicator.traffic();
    mine.gather_bytes_between_updates = team_.ctx.device->memory_stats().category_bytes[FTRUN_MEMORY_GATHER];
    const double total = summed(loss);
    const double total_reference = summed(reference);
    if (!communicator.is_main()) return;
    outcome.losses.push_back(total);
    outcome.norms.push_back(norm);
    outcome.reference.push_back(total_reference);
  }

  double evaluate() {
    const double denominator = targets(0);
    double loss = 0;
    for (int32_t micro = 0; micro < given_.accumulation; ++micro) {
      const MicroBatchData batch = data(0, micro, given_.accumulation);
      loss += number(rank_->evaluate([&] { return loss_of(0, batch, 1.0 / denominator); }));
    }
    return summed(loss);
  }

  void rehearse() {
    const SkipParallelWork nothing_computed;
    const MicroBatchData batch = data(0, 0, 1);
    rank_->train_micro_batch(0, 1, [&] { return loss_of(0, batch, 1.0); });
    rank_->finish_grads();
    rank_->step(0, 0);
    rank_->set_steps(0);
  }

  const StrategyCase& given_;
  TeamRank& team_;
  std::shared_ptr<const NetworkModel> model_;
  const ftrun_plugin& plugin_;
  CaseOptions options_;
  std::unique_ptr<Optimizer> optimizer_;
  const ftrun_strategy* table_ = nullptr;
  void* instance_ = nullptr;
  std::unique_ptr<Rank> rank_;
};

double relative(double a, double b) { return std::abs(a - b) / std::max(std::abs(b), 1e-30); }

}  // namespace

std::string StrategyCase::name() const {
  std::string text = model + " " + strategy + " world " + std::to_string(world) + " accumulation " +
                     std::to_string(accumulation) + (gradient_checkpointing ? " recompute" : "") +
                     (precision.compute == FTRUN_BF16 ? " bf16" : "") + " on " + device;
  for (const auto& [key, value] : options) text += " " + key + "=" + value;
  return text;
}

StrategyCase make_case(const std::string& model, const std::string& strategy, int32_t world, int32_t accumulation) {
  StrategyCase made;
  made.model = model;
  made.strategy = strategy;
  made.world = world;
  made.accumulation = accumulation;
  return made;
}

Outcome run_case(const StrategyCase& given) {
  static const bool configured = [] {
    // Ranks are threads already, and there are more of them than cores.
    configure_threads(1);
    return true;
  }();
  static_cast<void>(configured);
  const std::shared_ptr<const NetworkModel> model = open_model(given);
  WeightCollector collector(*model);
  Outcome outcome;
  outcome.ranks.resize(static_cast<size_t>(given.world));
  TeamOptions team;
  team.device = given.device;
  team.piece_bytes = given.piece_bytes;
  for (const TeamFailure& failure :
       run_team(given.world, team, [&](TeamRank& rank) { CaseRank(given, rank, model).run(outcome, collector); })) {
    outcome.failures.push_back(failure.message);
  }
  const bool complete = std::ranges::all_of(outcome.failures, [](const std::string& text) { return text.empty(); });
  if (complete) outcome.weights = collector.take();
  return outcome;
}

Outcome run_well(const StrategyCase& given) {
  Outcome outcome = run_case(given);
  for (const std::string& failure : outcome.failures) EXPECT_EQ(failure, "") << given.name();
  return outcome;
}

ModelSize model_size(const StrategyCase& given) {
  const auto model = open_model(given);
  const ParameterLayout layout(*model, given.world, [](int32_t) { return true; });
  ModelSize size;
  size.elements = model->total_elements();
  for (int32_t unit = 0; unit < layout.unit_count(); ++unit) {
    size.padded += layout.part(unit, FTRUN_PART_TRAINED).padded_elements;
  }
  size.embedding_padded = layout.part(0, FTRUN_PART_TRAINED).padded_elements;
  return size;
}

std::string odd_config(bool tied) {
  return std::string(R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
    "hidden_size": 132, "intermediate_size": 345, "num_hidden_layers": 3, "num_attention_heads": 6, "head_dim": 22,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "vocab_size": 509, "initializer_range": 0.02, "tie_word_embeddings": )") +
         (tied ? "true}" : "false}");
}

void expect_equivalent(const Outcome& found, const Outcome& expected, const std::string& what) {
  ASSERT_EQ(found.losses.size(), expected.losses.size()) << what;
  for (size_t i = 0; i < found.losses.size(); ++i) {
    EXPECT_LE(relative(found.losses[i], expected.losses[i]), 1e-6) << what << ": loss of update " << i;
    EXPECT_LE(relative(found.norms[i], expected.norms[i]), 1e-6) << what << ": grad_norm of update " << i;
    EXPECT_LE(relative(found.reference[i], expected.reference[i]), 1e-6) << what << ": reference of update " << i;
  }
  EXPECT_LE(relative(found.evaluation, expected.evaluation), 1e-6) << what << ": evaluation";
  double all_difference = 0;
  double all_norm = 0;
  ASSERT_EQ(found.weights.size(), expected.weights.size()) << what;
  for (const auto& [name, values] : expected.weights) {
    const std::vector<float>& mine = found.weights.at(name);
    double difference = 0;
    double norm = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      difference += std::pow(static_cast<double>(mine[i]) - static_cast<double>(values[i]), 2);
      norm += std::pow(static_cast<double>(values[i]), 2);
    }
    EXPECT_LE(std::sqrt(difference / norm), 2e-4) << what << ": " << name;
    all_difference += difference;
    all_norm += norm;
  }
  EXPECT_LE(std::sqrt(all_difference / all_norm), 2e-6) << what << ": all weights";
}

void expect_same_bits(const Outcome& found, const Outcome& expected, const std::string& what) {
  EXPECT_EQ(found.losses, expected.losses) << what;
  EXPECT_EQ(found.norms, expected.norms) << what;
  EXPECT_EQ(found.reference, expected.reference) << what;
  EXPECT_EQ(found.evaluation, expected.evaluation) << what;
  ASSERT_EQ(found.weights.size(), expected.weights.size()) << what;
  for (const auto& [name, values] : expected.weights) {
    const std::vector<float>& mine = found.weights.at(name);
    ASSERT_EQ(mine.size(), values.size()) << what;
    EXPECT_EQ(std::memcmp(mine.data(), values.data(), values.size() * sizeof(float)), 0) << what << ": " << name;
  }
}

}  // namespace ftrun::test
