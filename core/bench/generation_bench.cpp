// The engine of predict and chat itself, told to go on for a fixed number of tokens.
#include "core/bench/generation_bench.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/bench/flag_specs.h"
#include "core/bench/gemm_peak.h"
#include "core/bench/memory_bandwidth.h"
#include "core/bench/op_profile.h"
#include "core/config/config_errors.h"
#include "core/config/document.h"
#include "core/config/option_value.h"
#include "core/generate/generator.h"
#include "core/io/hf_config.h"
#include "core/model/weight_source.h"
#include "core/parallel/thread_pool.h"
#include "core/train/run.h"

namespace ftrun {
namespace {

using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr const char* kDefaultModel = "share/ftrun/configs/models/default";
constexpr std::array<std::string_view, 8> kPassed = {
    "model_name_or_path", "model", "threads", "strategy", "device", "network", "plugin_path", "seed"};

struct Options {
  int64_t seq = 1024;    ///< tokens of the prompt that is prefilled
  int64_t batch = 16;    ///< sequences decoded together
  int64_t steps = 32;    ///< new tokens of each, measured after one that is not
  int64_t context = 64;  ///< tokens of the prompts that are decoded from
  bool bf16 = true;
  ConfigSources sources;
};

Options read_options(const CommandContext& context) {
  const std::vector<OptionSpec> own = {choice_flag("generate", "true", {"true"}),
                                       count_flag("seq", "1024"),
                                       count_flag("batch", "16"),
                                       count_flag("steps", "32"),
                                       count_flag("context", "64"),
                                       choice_flag("torch_dtype", "bf16", {"bf16", "fp32"})};
  OptionValues values;
  for (const OptionSpec& spec : own) values.set(spec.key, default_value(spec));
  std::vector<std::string> known(kPassed.begin(), kPassed.end());
  for (const OptionSpec& spec : own) known.push_back(spec.key);
  Options options;
  ConfigErrors errors;
  bool has_model = false;
  for (Setting& setting : read_config({}, context.override_arguments).overrides) {
    const auto spec = std::ranges::find(own, setting.key, &OptionSpec::key);
    const std::string_view first = std::string_view(setting.key).substr(0, setting.key.find('.'));
    if (spec != own.end()) {
      errors.collect([&] { values.set(spec->key, convert_value(*spec, setting.value)); });
    } else if (std::ranges::find(kPassed, first) != kPassed.end()) {
      has_model = has_model || first.starts_with("model");
      options.sources.overrides.push_back(std::move(setting));
    } else {
      errors.add(fmt::format("--{}: 'bench --generate' has no use for it{}; it takes: {}", setting.key,
                             did_you_mean(setting.key, known), fmt::join(known, ", ")));
    }
  }
  errors.throw_if_any();
  if (!has_model) {
    const auto executable = std::filesystem::read_symlink("/proc/self/exe");
    options.sources.overrides.push_back(scalar_setting(
        "model_name_or_path", (executable.parent_path().parent_path() / kDefaultModel).string(), "default"));
  }
  options.sources.overrides.push_back(scalar_setting("finetuning_type", "full", "bench"));
  options.seq = values.get_int("seq");
  options.batch = values.get_int("batch");
  options.steps = values.get_int("steps");
  options.context = values.get_int("context");
  options.bf16 = values.get_string("torch_dtype") == "bf16";
  return options;
}

/// A model without optimizer and data.
class GenerationBench {
 public:
  explicit GenerationBench(const Options& options) : options_(options), host_services_(host_services()) {
    setup_.registry = std::make_unique<Registry>(open_registry(options.sources));
    setup_.plugins =
        std::make_unique<OpenedPlugins>(open_plugins(*setup_.registry, options.sources, Needs::kOneProcess));
    const OpenedPlugins& plugins = *setup_.plugins;
    configure_threads(static_cast<int32_t>(plugins.config.get_int("threads")));
    TrainingArguments& a = setup_.arguments;
    a.pure_bf16 = options.bf16;
    a.gradient_checkpointing = false;
    a.seed = static_cast<uint64_t>(plugins.config.get_int("seed"));
    a.model_name_or_path = plugins.config.get_string("model_name_or_path");
    setup_.model = read_model_config(a.model_name_or_path / "config.json");
    devices_ = std::make_unique<OpenedDevices>(plugins, host_services_);
    model_ = open_network(setup_, host_services_);
    instance_ = std::make_unique<RankInstance>(setup_, host_services_, *devices_, nullptr, nullptr, &services_);
    rank().add_role("policy", model_, {}, std::make_unique<InitialWeights>(a.seed));
    rank().attach();
    rank().release_weight_sources();
  }

  Rank& rank() { return instance_->rank(); }
  ftrun_context& context() { return rank().context(); }
  const NetworkModel& model() const { return *model_; }
  const std::filesystem::path& model_config() const { return setup_.model.file; }

  /// Weights that a token is multiplied with: all but an embedding that the head does not share.
  int64_t multiplied_weights() const {
    int64_t weights = 0;
    for (const ModelParameter& parameter : model_->parameters()) {
      if (parameter.role != FTRUN_PARAMETER_EMBEDDING || !parameter.ties.empty()) weights += parameter.elements;
    }
    return weights;
  }
  int64_t head_weights() const { return model_->info().vocab_size * model_->info().hidden_size; }

  /// Seconds from the start to the first token of a prompt of `tokens`.
  double prefill_seconds(int64_t tokens) {
    const auto begin = Clock::now();
    run(1, tokens, 1, {});
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

  /// Seconds per step of `sequences` answers; the median step of those after the first. `profile`, where given, sees
  /// the ops of the steps behind the first.
  double step_seconds(int64_t sequences, OpProfile* profile = nullptr) {
    std::vector<Clock::time_point> times;
    run(sequences, options_.context, options_.steps + 1, [&](size_t prompt, int32_t) {
      if (prompt == 0) times.push_back(Clock::now());
      context().observer = profile;
      return true;
    });
    context().observer = nullptr;
    std::vector<double> steps;
    for (size_t i = 1; i < times.size(); ++i) {
      steps.push_back(std::chrono::duration<double>(times[i] - times[i - 1]).count());
    }
    std::ranges::sort(steps);
    return steps.at(steps.size() / 2);
  }

 private:
  void run(int64_t sequences, int64_t tokens, int64_t new_tokens, std::function<bool(size_t, int32_t)> on_token) {
    std::vector<std::vector<int32_t>> prompts(static_cast<size_t>(sequences));
    GenerationRequest request;
    for (size_t i = 0; i < prompts.size(); ++i) {
      for (int64_t t = 0; t < tokens; ++t) {
        prompts[i].push_back(static_cast<int32_t>((t * 7919 + static_cast<int64_t>(i)) % model_->info().vocab_size));
      }
      request.prompts.emplace_back(prompts[i]);
      request.prompt_keys.push_back(i);
    }
    request.max_new_tokens = new_tokens;
    request.max_sequences = static_cast<int32_t>(sequences);
    request.with_logprobs = false;
    request.on_token = std::move(on_token);
    generate(rank(), request);
  }

  Options options_;
  HostServices host_services_;
  RunSetup setup_;
  std::unique_ptr<OpenedDevices> devices_;
  std::shared_ptr<const NetworkModel> model_;
  RankServices services_;
  std::unique_ptr<RankInstance> instance_;
};

double gemm_peak(GenerationBench& bench, bool bf16) {
  const GemmShape shapes[] = {{4096, 4096, 4096}, {1024, 4864, 896}};
  double best = 0;
  for (const ftrun_dtype dtype : {FTRUN_F32, FTRUN_BF16}) {
    if (dtype == FTRUN_BF16 && !bf16) continue;
    for (const GemmMeasure& measure : measure_gemm(bench.context(), dtype, shapes))
      best = std::max(best, measure.tflops);
  }
  return best;
}

ordered_json describe_ops(const OpProfile& profile, int64_t steps) {
  ordered_json ops = ordered_json::array();
  for (const OpShare& share : profile.shares()) {
    ops.push_back(
        {{"op", share.name}, {"calls", share.calls / steps}, {"ms", share.seconds * 1e3 / static_cast<double>(steps)}});
  }
  return ops;
}

/// Where the time of a step goes.
ordered_json profile_step(GenerationBench& bench, int64_t sequences, int64_t steps) {
  OpProfile profile;
  bench.step_seconds(sequences, &profile);
  return describe_ops(profile, steps);
}

ordered_json measure(const Options& options) {
  GenerationBench bench(options);
  if (!bench.context().device->host_accessible()) {
    throw invalid_argument("bench --generate: device '{}' keeps its memory from the host: expected device cpu",
                           bench.context().device->name());
  }
  const double element_bytes = options.bf16 ? 2 : 4;
  const auto weights = static_cast<double>(bench.multiplied_weights());
  const ftrun_network_info& info = bench.model().info();
  const auto seq = static_cast<double>(options.seq), batch = static_cast<double>(options.batch);
  // 2 per weight and token, the head for one row only, and causal attention's two products counted half.
  const double attention = 2.0 * info.n_layers * info.n_heads * info.head_dim * seq;
  const double prefill_flops = 2 * (weights - static_cast<double>(bench.head_weights())) * seq + attention * seq;

  bench.prefill_seconds(options.seq);  // warms up
  const double prefill = std::min(bench.prefill_seconds(options.seq), bench.prefill_seconds(options.seq));
  const double one = bench.step_seconds(1), many = bench.step_seconds(options.batch);
  const double bandwidth = read_bandwidth(bench.context());
  const double peak = gemm_peak(bench, options.bf16) * 1e12;

  ordered_json r;
  r["model"] = {{"config", bench.model_config().string()}, {"multiplied_weights", bench.multiplied_weights()}};
  r["run"] = {{"seq", options.seq},        {"batch", options.batch},
              {"steps", options.steps},    {"context", options.context},
              {"threads", thread_count()}, {"torch_dtype", options.bf16 ? "bf16" : "fp32"}};
  r["limits"] = {{"read_gb_per_second", bandwidth * 1e-9}, {"gemm_tflops", peak * 1e-12}};
  r["prefill"] = {{"tokens_per_second", seq / prefill}, {"of_gemm_peak", prefill_flops / prefill / peak}};
  r["decode_1"] = {{"tokens_per_second", 1 / one}, {"of_bandwidth", weights * element_bytes / one / bandwidth}};
  r["decode_batch"] = {{"tokens_per_second", batch / many},
                       {"times_decode_1", batch / many * one},
                       {"of_gemm_peak", 2 * weights * batch / many / peak}};
  r["decode_1_ops"] = profile_step(bench, 1, options.steps);
  r["decode_batch_ops"] = profile_step(bench, options.batch, options.steps);
  return r;
}

void print_ops(const char* what, const ordered_json& ops) {
  fmt::print("\n{:<32} calls   ms/step\n", fmt::format("op, decoding {}", what));
  for (const ordered_json& op : ops) {
    fmt::print("{:<32} {:5} {:9.3f}\n", op["op"].get<std::string>(), op["calls"].get<int64_t>(),
               op["ms"].get<double>());
  }
}

void print_table(const ordered_json& r) {
  const auto number = [&](const char* part, const char* key) { return r[part][key].get<double>(); };
  fmt::print("{}, {}, {} threads\n", r["model"]["config"].get<std::string>(),
             r["run"]["torch_dtype"].get<std::string>(), r["run"]["threads"].get<int>());
  fmt::print("memory is read at {:.1f} GB/s, matrix products reach {:.4f} TFLOP/s\n\n",
             number("limits", "read_gb_per_second"), number("limits", "gemm_tflops"));
  fmt::print("prefill of {} tokens   {:9.1f} tokens/s  {:.3f} of the GEMM peak\n", r["run"]["seq"].get<int64_t>(),
             number("prefill", "tokens_per_second"), number("prefill", "of_gemm_peak"));
  fmt::print("decoding 1 sequence      {:9.1f} tokens/s  {:.3f} of reading all weights at that bandwidth\n",
             number("decode_1", "tokens_per_second"), number("decode_1", "of_bandwidth"));
  fmt::print("decoding {:3} sequences   {:9.1f} tokens/s  {:.2f} times one sequence, {:.3f} of the GEMM peak\n",
             r["run"]["batch"].get<int64_t>(), number("decode_batch", "tokens_per_second"),
             number("decode_batch", "times_decode_1"), number("decode_batch", "of_gemm_peak"));
  print_ops("one sequence", r["decode_1_ops"]);
  print_ops("the batch", r["decode_batch_ops"]);
}

}  // namespace

bool asks_for_generation(const CommandContext& context) {
  const auto settings = read_config({}, context.override_arguments).overrides;
  return std::ranges::find(settings, "generate", &Setting::key) != settings.end();
}

int generation_bench(const CommandContext& context) {
  if (!context.positional.empty()) {
    throw invalid_argument("unexpected argument '{}': expected ftrun bench --generate [--FLAG VALUE]...",
                           context.positional.front());
  }
  const ordered_json result = measure(read_options(context));
  if (context.json) {
    fmt::print("{}\n", result.dump());
  } else {
    print_table(result);
  }
  return 0;
}

}  // namespace ftrun
