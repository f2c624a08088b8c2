// Keys of DeepSpeed's configuration.
#include "sharding/deepspeed_config.h"

#include <algorithm>
#include <array>
#include <vector>

#include "sharding/foreign_keys.h"

namespace ftrun::sharding {
namespace {

using Kind = ForeignKeyRule::Kind;

constexpr std::array<const char*, 4> kStrategyOfStage = {"ddp", "zero1", "zero2", "zero3"};

constexpr ForeignKeyRule kTopKeys[] = {
    {"train_batch_size"},
    {"train_micro_batch_size_per_gpu"},
    {"gradient_accumulation_steps"},
    {"gradient_clipping"},
    {"bf16"},
    {"bfloat16"},
    {"fp16"},
    {"optimizer"},
    {"scheduler"},
    {"zero_optimization"},
    {"communication_data_type"},
    {"amp"},
    {"data_types"},
    {"steps_per_print", Kind::kIgnored},
    {"wall_clock_breakdown", Kind::kIgnored},
    {"memory_breakdown", Kind::kIgnored},
    {"dump_state", Kind::kIgnored},
    {"comms_config", Kind::kIgnored},
    {"comms_logger", Kind::kIgnored},
    {"monitor_config", Kind::kIgnored},
    {"tensorboard", Kind::kIgnored},
    {"csv_monitor", Kind::kIgnored},
    {"wandb", Kind::kIgnored},
    {"comet", Kind::kIgnored},
    {"flops_profiler", Kind::kIgnored},
    {"checkpoint", Kind::kIgnored},
    {"aio", Kind::kIgnored},
    {"zero_allow_untested_optimizer", Kind::kIgnored},
    {"zero_force_ds_cpu_optimizer", Kind::kIgnored},
    {"gradient_predivide_factor", Kind::kAccepted, "1", "gradients are summed as they are; leave it out"},
    {"prescale_gradients", Kind::kAccepted, "false", "gradients are summed as they are; leave it out"},
    {"sparse_gradients", Kind::kAccepted, "false", "gradients travel dense; leave it out"},
    {"disable_allgather", Kind::kAccepted, "false", "leave it out"},
    {"activation_checkpointing", Kind::kIgnored},
    {"autotuning", Kind::kAccepted, "", "'ftrun plan' answers what fits; leave it out"},
    {"elasticity", Kind::kAccepted, "", "a run resumes at another number of ranks as it is; leave it out"},
    {"compression_training", Kind::kAccepted, "", "there is no compression here; leave it out"},
    {"sparse_attention", Kind::kAccepted, "", "there is no sparse attention here; leave it out"},
    {"data_efficiency", Kind::kAccepted, "", "data is taken as given; leave it out"},
    {"curriculum_learning", Kind::kAccepted, "", "data is taken as given; leave it out"},
    {"pipeline", Kind::kAccepted, "", "there is no pipeline parallelism here; leave it out"},
    {"tensor_parallel", Kind::kAccepted, "", "there is no tensor parallelism here; leave it out"},
    {"sequence_parallel_size", Kind::kAccepted, "1", "there is no sequence parallelism here; leave it out"},
    {"hybrid_engine", Kind::kAccepted, "", "generation needs no engine of its own here; leave it out"},
};

constexpr ForeignKeyRule kZeroKeys[] = {
    {"stage"},
    {"offload_optimizer"},
    {"offload_param"},
    {"cpu_offload"},
    {"cpu_offload_params"},
    {"reduce_bucket_size"},
    {"stage3_param_persistence_threshold"},
    {"stage3_prefetch_bucket_size"},
    {"allgather_bucket_size", Kind::kIgnored},
    {"allgather_partitions", Kind::kIgnored},
    {"overlap_comm", Kind::kIgnored},
    {"contiguous_gradients", Kind::kIgnored},
    {"reduce_scatter", Kind::kIgnored},
    {"round_robin_gradients", Kind::kIgnored},
    {"use_multi_rank_bucket_allreduce", Kind::kIgnored},
    {"sub_group_size", Kind::kIgnored},
    {"cpu_offload_use_pin_memory", Kind::kIgnored},
    {"stage3_max_live_parameters", Kind::kIgnored},
    {"stage3_max_reuse_distance", Kind::kIgnored},
    {"stage3_model_persistence_threshold", Kind::kIgnored},
    {"stage3_module_granularity_threshold", Kind::kIgnored},
    {"stage3_gather_16bit_weights_on_model_save", Kind::kIgnored},
    {"stage3_gather_fp16_weights_on_model_save", Kind::kIgnored},
    {"stage3_use_all_reduce_for_fetch_params", Kind::kIgnored},
    {"ignore_unused_parameters", Kind::kIgnored},
    {"load_from_fp32_weights", Kind::kIgnored},
    {"elastic_checkpoint", Kind::kIgnored},
    {"legacy_stage1", Kind::kIgnored},
    {"log_trace_cache_warnings", Kind::kIgnored},
    {"memory_efficient_linear", Kind::kIgnored},
    {"zero_hpz_partition_size", Kind::kAccepted, "1",
     "sharding within groups of ranks is 'strategy: {name: fsdp, sharding_strategy: hybrid_shard, shard_group_size: "
     "N}'"},
    {"mics_shard_size", Kind::kAccepted, "-1",
     "sharding within groups of ranks is 'strategy: {name: fsdp, sharding_strategy: hybrid_shard, shard_group_size: "
     "N}'"},
    {"mics_hierarchical_params_gather", Kind::kAccepted, "false", "leave it out"},
    {"zero_quantized_weights", Kind::kAccepted, "false", "weights travel in their own dtype; leave it out"},
    {"zero_quantized_nontrainable_weights", Kind::kAccepted, "false",
     "weights travel in their own dtype; leave it out"},
    {"zero_quantized_gradients", Kind::kAccepted, "false", "see the strategies' reduce_dtype; leave it out"},
};

constexpr ForeignKeyRule kOffloadKeys[] = {
    {"device"},
    {"pin_memory", Kind::kIgnored},
    {"buffer_count", Kind::kIgnored},
    {"buffer_size", Kind::kIgnored},
    {"max_in_cpu", Kind::kIgnored},
    {"fast_init", Kind::kIgnored},
    {"pipeline_read", Kind::kIgnored},
    {"pipeline_write", Kind::kIgnored},
    {"nvme_path", Kind::kIgnored},
    {"ratio", Kind::kAccepted, "1", "the optimizer is offloaded whole or not at all; leave it out"},
};

constexpr ForeignKeyRule kOptimizerKeys[] = {{"type"}, {"params"}, {"legacy_fusion", Kind::kIgnored}};
constexpr ForeignKeyRule kOptimizerParams[] = {
    {"lr"},
    {"betas"},
    {"eps"},
    {"weight_decay"},
    {"torch_adam", Kind::kIgnored},
    {"adam_w_mode", Kind::kAccepted, "true", "weight decay is decoupled here; leave it out"},
    {"bias_correction", Kind::kAccepted, "true", "leave it out"},
    {"amsgrad", Kind::kAccepted, "false", "leave it out"},
};

constexpr ForeignKeyRule kPrecisionKeys[] = {
    {"enabled"},
    {"auto_cast", Kind::kIgnored},
    {"loss_scale", Kind::kIgnored},
    {"initial_scale_power", Kind::kIgnored},
    {"loss_scale_window", Kind::kIgnored},
    {"hysteresis", Kind::kIgnored},
    {"consecutive_hysteresis", Kind::kIgnored},
    {"min_loss_scale", Kind::kIgnored},
    {"check_grad_overflow", Kind::kIgnored},
    {"immediate_grad_update", Kind::kIgnored},
    {"fp16_master_weights_and_grads", Kind::kIgnored},
    {"bf16_master_weights_and_grads", Kind::kAccepted, "false", "bf16 throughout is the run's pure_bf16: true"},
    {"bf16_optimizer_states", Kind::kAccepted, "false", "the optimizer's states are fp32; leave it out"},
};
constexpr ForeignKeyRule kDataTypeKeys[] = {{"grad_accum_dtype"}};

constexpr ForeignKeyRule kSchedulerKeys[] = {{"type"}, {"params"}};

/// A map under `key`, or nothing when it is absent.
bool has_map(const ForeignMap& map, std::string_view key) { return !map.get(key).is_null(); }
ForeignMap map_at(const ForeignMap& map, std::string_view key) {
  return {map.get(key), map.place() + std::string(key) + "."};
}

void expect(const ForeignMap& map, std::string_view key, const char* of_run, Expectations& expectations) {
  const std::string value = map.number(key);
  if (!value.empty()) expectations.add(of_run, value);
}

void read_precision(const ForeignMap& top, ImportedStrategy& imported) {
  std::vector<std::string> without_effect;  // scaling belongs to fp16, which is off
  for (const char* key : {"fp16", "bf16", "bfloat16"}) {
    if (has_map(top, key)) map_at(top, key).check(kPrecisionKeys, without_effect);
  }
  for (const char* key : {"fp16", "amp"}) {
    if (has_map(top, key) && map_at(top, key).flag("enabled", false)) {
      top.refuse(std::string(key) + ".enabled",
                 "fp16 is not supported: set \"bf16\": {\"enabled\": true}, or \"auto\"");
    }
  }
  for (const char* key : {"bf16", "bfloat16"}) {
    if (!has_map(top, key)) continue;
    const ForeignMap bf16 = map_at(top, key);
    if (!bf16.get("enabled").is_null())
      imported.expectations.add("bf16", bf16.flag("enabled", false) ? "true" : "false");
  }
}

void read_optimizer(const ForeignMap& top, ImportedStrategy& imported) {
  if (!has_map(top, "optimizer")) return;
  const ForeignMap optimizer = map_at(top, "optimizer");
  optimizer.check(kOptimizerKeys, imported.notes);
  const std::string type = optimizer.text("type");
  if (type != "AdamW" && type != "Adam") {
    optimizer.refuse("type", "'" + type + "' is not available: use AdamW, or leave optimizer out and set optim");
  }
  if (!has_map(optimizer, "params")) return;
  const ForeignMap params = map_at(optimizer, "params");
  params.check(kOptimizerParams, imported.notes);
  expect(params, "lr", "learning_rate", imported.expectations);
  expect(params, "eps", "adam_epsilon", imported.expectations);
  expect(params, "weight_decay", "weight_decay", imported.expectations);
  const nlohmann::json& betas = params.get("betas");
  if (betas.is_null()) return;
  if (!betas.is_array() || betas.size() != 2 || number_text(betas[0]).empty() || number_text(betas[1]).empty()) {
    params.refuse("betas", "expected two numbers or \"auto\", got " + shown_text(betas));
  }
  imported.expectations.add("adam_beta1", number_text(betas[0]));
  imported.expectations.add("adam_beta2", number_text(betas[1]));
}

/// DeepSpeed's schedules that the trainer has under other names.
void read_scheduler(const ForeignMap& top, ImportedStrategy& imported) {
  if (!has_map(top, "scheduler")) return;
  const ForeignMap scheduler = map_at(top, "scheduler");
  scheduler.check(kSchedulerKeys, imported.notes);
  const std::string type = scheduler.text("type");
  const char* of_run = type == "WarmupDecayLR"    ? "linear"
                       : type == "WarmupCosineLR" ? "cosine"
                       : type == "WarmupLR"       ? "constant_with_warmup"
                                                  : nullptr;
  if (of_run == nullptr) {
    scheduler.refuse("type", "'" + type + "' is not available: leave scheduler out and set lr_scheduler_type");
  }
  imported.expectations.add("lr_scheduler_type", of_run);
  if (!has_map(scheduler, "params")) return;
  const ForeignMap params = map_at(scheduler, "params");
  for (const auto& [key, value] : params.json().items()) {
    if (!is_unset(value)) {
      params.refuse(key, value_text(value) +
                             " would be a second schedule beside the run's own: write \"auto\", and set "
                             "warmup_steps and learning_rate in the run");
    }
  }
}

void read_wire(const ForeignMap& top, ImportedStrategy& imported) {
  const std::string wire = top.text("communication_data_type");
  if (wire == "bf16" || wire == "bfp16" || wire == "bfloat16") imported.options.emplace_back("reduce_dtype", "bf16");
  if (wire == "fp32" || wire == "float32") imported.options.emplace_back("reduce_dtype", "fp32");
  if (wire == "fp16") top.refuse("communication_data_type", "fp16 is not supported: use bf16 or fp32");
  if (!wire.empty() && imported.options.empty()) {
    top.refuse("communication_data_type", "expected bf16 or fp32, got " + wire);
  }
  if (!has_map(top, "data_types")) return;
  const ForeignMap types = map_at(top, "data_types");
  types.check(kDataTypeKeys, imported.notes);
  const std::string accumulator = types.text("grad_accum_dtype");
  if (!accumulator.empty() && accumulator != "fp32") {
    types.refuse("grad_accum_dtype", accumulator + " is not supported: gradients are accumulated in fp32");
  }
}

/// "cpu", "none" or, for a key that is absent, "".
std::string offload_device(const ForeignMap& zero, const char* key, ImportedStrategy& imported) {
  if (!has_map(zero, key)) return {};
  const ForeignMap offload = map_at(zero, key);
  offload.check(kOffloadKeys, imported.notes);
  const std::string device = offload.text("device");
  if (device.empty() || device == "none") return "none";
  if (device != "cpu") offload.refuse("device", "'" + device + "' is not supported: use \"cpu\" or \"none\"");
  return device;
}

void read_offload(const ForeignMap& zero, ImportedStrategy& imported) {
  const bool old_optimizer = zero.flag("cpu_offload", false);
  const bool old_param = zero.flag("cpu_offload_params", false);
  if (old_optimizer || offload_device(zero, "offload_optimizer", imported) == "cpu") {
    imported.options.emplace_back("offload_optimizer", "cpu");
  }
  if (old_param || offload_device(zero, "offload_param", imported) == "cpu") {
    imported.options.emplace_back("offload_param", "cpu");
  }
}

void read_zero(const ForeignMap& zero, ImportedStrategy& imported) {
  zero.check(kZeroKeys, imported.notes);
  const std::string stage = zero.whole_number("stage");
  if (stage.size() != 1 || stage[0] > '3') {
    zero.refuse("stage", "expected 0, 1, 2 or 3, got " + (stage.empty() ? "nothing" : stage));
  }
  const auto number = static_cast<size_t>(stage[0] - '0');
  imported.name = kStrategyOfStage[number];
  read_offload(zero, imported);
  const std::string bucket = zero.whole_number("reduce_bucket_size");
  if (!bucket.empty() && number < 2) imported.options.emplace_back("reduce_bucket_size", bucket);
  if (!bucket.empty() && number >= 2) imported.notes.push_back(zero.place() + "reduce_bucket_size");
  if (number < 3) return;
  const std::string threshold = zero.whole_number("stage3_param_persistence_threshold");
  if (!threshold.empty()) imported.options.emplace_back("param_persistence_threshold", threshold);
  if (zero.whole_number("stage3_prefetch_bucket_size") == "0") imported.options.emplace_back("prefetch", "false");
}

ImportedStrategy read_json(const nlohmann::json& json) {
  ImportedStrategy imported;
  const ForeignMap top(json, "");
  top.check(kTopKeys, imported.notes);
  imported.name = kStrategyOfStage[0];
  if (has_map(top, "zero_optimization")) read_zero(map_at(top, "zero_optimization"), imported);
  expect(top, "train_batch_size", "train_batch_size", imported.expectations);
  expect(top, "train_micro_batch_size_per_gpu", "per_device_train_batch_size", imported.expectations);
  expect(top, "gradient_accumulation_steps", "gradient_accumulation_steps", imported.expectations);
  expect(top, "gradient_clipping", "max_grad_norm", imported.expectations);
  read_precision(top, imported);
  read_optimizer(top, imported);
  read_scheduler(top, imported);
  read_wire(top, imported);
  return imported;
}

/// zero0 .. zero3, zero2_offload, zero3_offload.
ImportedStrategy read_name(std::string_view name) {
  ImportedStrategy imported;
  const bool offloads = name.size() == 13 && name.substr(5) == "_offload" && (name[4] == '2' || name[4] == '3');
  const bool known = name.substr(0, 4) == "zero" && (name.size() == 5 || offloads) && name[4] >= '0' && name[4] <= '3';
  if (!known) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT,
                     "'" + std::string(name.substr(0, std::min<size_t>(name.find('\n'), 80))) +
                         "' is neither a DeepSpeed JSON file nor one of zero0, zero1, zero2, zero3, zero2_offload, "
                         "zero3_offload");
  }
  imported.name = kStrategyOfStage[static_cast<size_t>(name[4] - '0')];
  if (offloads) imported.options.emplace_back("offload_optimizer", "cpu");
  if (offloads && name[4] == '3') imported.options.emplace_back("offload_param", "cpu");
  return imported;
}

}  // namespace

ImportedStrategy read_deepspeed_config(std::string_view given) {
  const std::string_view text = without_mark(given);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{') return read_name(text);
  return read_json(read_foreign_json(text));
}

}  // namespace ftrun::sharding
