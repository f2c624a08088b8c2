// The same rank, strategy, network and device as in training; only the data and the loss's denominator are made up.
#include "core/bench/training_bench.h"

#include <algorithm>
#include <chrono>

#include "core/io/hf_config.h"
#include "core/model/abi_struct.h"
#include "core/model/weight_source.h"
#include "core/parallel/thread_pool.h"
#include "core/train/adapters.h"
#include "core/train/trained_parameters.h"

namespace ftrun {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

uint64_t next_random(uint64_t& state) {
  // Knuth's MMIX generator; only the spread of ids matters.
  state = state * 6364136223846793005ULL + 1442695040888963407ULL;
  return state >> 33;
}

}  // namespace

TrainingBench::TrainingBench(const BenchOptions& options) : options_(options), host_services_(host_services()) {
  setup_.registry = std::make_unique<Registry>(open_registry(options.sources));
  setup_.plugins = std::make_unique<OpenedPlugins>(open_plugins(*setup_.registry, options.sources, Needs::kOneProcess));
  const OpenedPlugins& plugins = *setup_.plugins;
  configure_threads(static_cast<int32_t>(plugins.config.get_int("threads")));
  TrainingArguments& a = setup_.arguments;
  a.bf16 = options.bf16;
  a.gradient_checkpointing = options.gradient_checkpointing;
  a.seed = static_cast<uint64_t>(plugins.config.get_int("seed"));
  a.model_name_or_path = plugins.config.get_string("model_name_or_path");
  setup_.model = read_model_config(a.model_name_or_path / "config.json");
  devices_ = std::make_unique<OpenedDevices>(plugins, host_services_);
  const std::shared_ptr<NetworkModel> model = open_network(setup_, host_services_);
  const AdapterPlan adapters = plan_adapters(plugins.config, *model);
  model_ = model;
  optimizer_ = make_optimizer(a.optim, {a.adam_beta1, a.adam_beta2, a.adam_epsilon});
  rank_instance_ =
      std::make_unique<RankInstance>(setup_, host_services_, *devices_, nullptr, optimizer_.get(), &services_);
  Rank& rank = rank_instance_->rank();
  const std::vector<bool> trained = trained_parameters(plugins.config, *model_, adapters);
  rank.add_role(
      "policy", model_, [&](int32_t id) { return trained[static_cast<size_t>(id)]; },
      adapted_weights(adapters, *model_, std::make_unique<InitialWeights>(a.seed), a.seed));
  rank.attach();
  rank.release_weight_sources();
  for (int64_t row = 0; row <= options.batch; ++row) offsets_.push_back(static_cast<int32_t>(row * options.seq));
}

TrainingBench::~TrainingBench() = default;

double TrainingBench::model_flops_per_token() const noexcept {
  int64_t weights = 0;
  for (const ModelParameter& parameter : model_->parameters()) {
    const bool is_multiplied = parameter.role != FTRUN_PARAMETER_EMBEDDING || !parameter.ties.empty();
    if (is_multiplied && parameter.origin == ParameterOrigin::kNetwork) weights += parameter.elements;
  }
  const ftrun_network_info& info = model_->info();
  const double attention =
      static_cast<double>(info.n_layers) * info.n_heads * info.head_dim * static_cast<double>(options_.seq);
  const double passes = options_.finetuning_type == "lora" ? 4 : 6;
  return passes * static_cast<double>(weights) + 6 * attention;
}

Tensor TrainingBench::loss() {
  auto batch = make_abi_struct<ftrun_batch>(FTRUN_BATCH_TAG);
  batch.n_tokens = tokens_per_step();
  batch.input_ids = ids_.data();
  batch.position_ids = positions_.data();
  batch.n_segments = static_cast<int32_t>(options_.batch);
  batch.segment_offsets = offsets_.data();
  Rank& rank = rank_instance_->rank();
  const Tensor hidden_TD = rank.forward(0, batch);
  return rank.head_cross_entropy_sum(0, hidden_TD, labels_, {}, 1.0 / static_cast<double>(tokens_per_step()));
}

StepTimes TrainingBench::step() {
  StepTimes times;
  Rank& rank = rank_instance_->rank();
  const auto begin = Clock::now();
  uint64_t state = setup_.arguments.seed + static_cast<uint64_t>(steps_);
  const auto tokens = static_cast<size_t>(tokens_per_step());
  ids_.resize(tokens);
  positions_.resize(tokens);
  labels_.resize(tokens);
  const auto vocabulary = static_cast<uint64_t>(model_->info().vocab_size);
  for (size_t i = 0; i < tokens; ++i) {
    ids_[i] = static_cast<int32_t>(next_random(state) % vocabulary);
    positions_[i] = static_cast<int32_t>(static_cast<int64_t>(i) % options_.seq);
    labels_[i] = static_cast<int32_t>(next_random(state) % vocabulary);
  }
  times.data = milliseconds_since(begin);

  const auto micro_batch = Clock::now();
  Tensor value = rank.train_micro_batch(0, 1, [&] {
    Tensor result = loss();
    device().synchronize(context().stream);
    times.forward = milliseconds_since(micro_batch);
    return result;
  });
  read_floats(context(), value);
  times.backward = milliseconds_since(micro_batch) - times.forward;

  const auto optimizer = Clock::now();
  const double norm = rank.finish_grads();
  rank.step(std::min(1.0, 1.0 / (norm + 1e-6)), setup_.arguments.learning_rate);
  device().synchronize(context().stream);
  times.optimizer = milliseconds_since(optimizer);
  times.total = milliseconds_since(begin);
  times.other = times.total - times.data - times.forward - times.backward - times.optimizer;
  ++steps_;
  return times;
}

}  // namespace ftrun
