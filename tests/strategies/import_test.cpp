// Configurations of DeepSpeed, accelerate, the trainer and ms-swift as strategies: who takes them, with which options.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "core/base/failure_detail.h"
#include "ftrun/plugin.h"
#include "tests/collectives/rank_team.h"

namespace ftrun::test {
namespace {

using ::testing::HasSubstr;
using Options = std::map<std::string, std::string>;

struct Answer {
  std::string taken_by;  ///< "" when nobody took it, "several" when more than one did
  Options options;
  std::string refusal;  ///< of the first plugin that refused
  bool failed = false;  ///< whether a plugin answered with another status than taken, not mine or refused
};

ftrun_status collect(void* sink, ftrun_str option, ftrun_str value) noexcept {
  (*static_cast<Options*>(sink))[std::string(option.data, option.size)] = std::string(value.data, value.size);
  return FTRUN_OK;
}

/// Offers a configuration to every strategy, as the host does.
Answer offer(const std::string& key, const std::string& text) {
  Answer answer;
  for (const char* id : {"ddp", "zero1", "zero2", "zero3", "fsdp", "single"}) {
    const ftrun_plugin& plugin = *load_plugin("strategy", id);
    if (plugin.get_extension == nullptr) continue;
    const auto* extension = static_cast<const ftrun_import_config*>(
        plugin.get_extension({FTRUN_IMPORT_CONFIG_EXTENSION, sizeof(FTRUN_IMPORT_CONFIG_EXTENSION) - 1}));
    Options options;
    const ftrun_status status =
        extension->import_config(team_host(), {key.data(), key.size()}, {text.data(), text.size()}, collect, &options);
    if (status == FTRUN_NOT_FOUND) continue;
    if (status != FTRUN_OK) {
      if (answer.refusal.empty()) answer.refusal = take_failure_detail();
      answer.failed = answer.failed || status != FTRUN_INVALID_ARGUMENT;
      continue;
    }
    answer.taken_by = answer.taken_by.empty() ? id : "several";
    EXPECT_EQ(options["name"], id);
    options.erase("name");
    answer.options = options;
  }
  return answer;
}

void expect_taken(const std::string& key, const std::string& text, const std::string& by, const Options& options) {
  const Answer answer = offer(key, text);
  EXPECT_EQ(answer.refusal, "") << text;
  EXPECT_EQ(answer.taken_by, by) << text;
  EXPECT_EQ(answer.options, options) << text;
}

void expect_refused(const std::string& key, const std::string& text, const std::vector<std::string>& parts) {
  const Answer answer = offer(key, text);
  EXPECT_EQ(answer.taken_by, "") << text;
  for (const std::string& part : parts) EXPECT_THAT(answer.refusal, HasSubstr(part)) << text;
}

/// The keys of LLaMA-Factory's ds_z*_config.json around a zero_optimization.
std::string deepspeed(const std::string& zero, const std::string& further = "") {
  return R"({"train_batch_size": "auto", "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto", "gradient_clipping": "auto", "zero_allow_untested_optimizer": true,
    "fp16": {"enabled": "auto", "loss_scale": 0, "loss_scale_window": 1000, "initial_scale_power": 16,
             "hysteresis": 2, "min_loss_scale": 1},
    "bf16": {"enabled": "auto"}, "steps_per_print": 2000, "wall_clock_breakdown": false,
    "comms_config": {"verbose": false}, "monitor_config": {"enabled": true, "csv_monitor": {"enabled": false}}, )" +
         further + (further.empty() ? "" : ", ") + R"("zero_optimization": )" + zero + "}";
}

constexpr const char* kBuckets = R"("allgather_partitions": true, "allgather_bucket_size": 5e8, "overlap_comm": false,
    "reduce_scatter": true, "reduce_bucket_size": 5e8, "contiguous_gradients": true, "round_robin_gradients": true)";
constexpr const char* kStage3 = R"("overlap_comm": true, "contiguous_gradients": true, "sub_group_size": 1e9,
    "reduce_bucket_size": "auto", "stage3_prefetch_bucket_size": "auto", "stage3_param_persistence_threshold": "auto",
    "stage3_max_live_parameters": 1e9, "stage3_max_reuse_distance": 1e9,
    "stage3_gather_16bit_weights_on_model_save": true)";
constexpr const char* kCpu = R"({"device": "cpu", "pin_memory": true})";

std::string zero(int stage, const std::string& keys) {
  return "{\"stage\": " + std::to_string(stage) + ", " + keys + "}";
}

TEST(DeepSpeed, EachStageIsItsStrategy) {
  expect_taken("deepspeed", deepspeed(zero(0, kBuckets)), "ddp", {{"reduce_bucket_size", "500000000"}});
  expect_taken("deepspeed", deepspeed(zero(1, kBuckets)), "zero1", {{"reduce_bucket_size", "500000000"}});
  expect_taken("deepspeed", deepspeed(zero(2, kBuckets)), "zero2", {});
  expect_taken("deepspeed", deepspeed(zero(3, kStage3)), "zero3", {});
}

TEST(DeepSpeed, OffloadIsMapped) {
  const std::string optimizer = std::string("\"offload_optimizer\": ") + kCpu + ", ";
  const std::string param = std::string("\"offload_param\": ") + kCpu + ", ";
  expect_taken("deepspeed", deepspeed(zero(2, optimizer + kBuckets)), "zero2", {{"offload_optimizer", "cpu"}});
  expect_taken("deepspeed", deepspeed(zero(3, optimizer + param + kStage3)), "zero3",
               {{"offload_optimizer", "cpu"}, {"offload_param", "cpu"}});
  expect_taken("deepspeed", deepspeed(zero(2, R"("offload_optimizer": {"device": "none", "pin_memory": true})")),
               "zero2", {});
  expect_taken("deepspeed", deepspeed(zero(2, R"("cpu_offload": true)")), "zero2", {{"offload_optimizer", "cpu"}});
}

TEST(DeepSpeed, NumbersOfStage3AreMapped) {
  expect_taken("deepspeed",
               deepspeed(zero(3, R"("stage3_param_persistence_threshold": 1e5, "stage3_prefetch_bucket_size": 0)")),
               "zero3", {{"param_persistence_threshold", "100000"}, {"prefetch", "false"}});
}

TEST(DeepSpeed, WhatItSaysAboutTheRunIsExpectedOfIt) {
  const std::string json =
      R"({"train_batch_size": 64, "train_micro_batch_size_per_gpu": 2, "gradient_accumulation_steps": 8,
          "gradient_clipping": 0.5, "bf16": {"enabled": true}, "communication_data_type": "fp32",
          "optimizer": {"type": "AdamW", "params": {"lr": 1e-05, "betas": [0.9, 0.95], "eps": "auto",
                                                    "weight_decay": 0.1, "torch_adam": true}},
          "scheduler": {"type": "WarmupDecayLR", "params": {"warmup_num_steps": "auto", "total_num_steps": "auto"}},
          "zero_optimization": {"stage": 1}})";
  expect_taken("deepspeed", json, "zero1",
               {{"reduce_dtype", "fp32"},
                {"expects",
                 "train_batch_size=64,per_device_train_batch_size=2,gradient_accumulation_steps=8,max_grad_norm=0.5,"
                 "bf16=true,learning_rate=1e-05,weight_decay=0.1,adam_beta1=0.9,adam_beta2=0.95,"
                 "lr_scheduler_type=linear"}});
}

TEST(DeepSpeed, NumbersMayBeWrittenAsText) {
  expect_taken("deepspeed",
               R"({"train_batch_size": "64", "gradient_accumulation_steps": "8", "gradient_clipping": "0.5",
                   "optimizer": {"type": "AdamW", "params": {"lr": "1e-5", "betas": ["0.9", 0.95]}},
                   "zero_optimization": {"stage": "1", "reduce_bucket_size": "5e8"}})",
               "zero1",
               {{"reduce_bucket_size", "500000000"},
                {"expects",
                 "train_batch_size=64,gradient_accumulation_steps=8,max_grad_norm=0.5,learning_rate=1e-05,"
                 "adam_beta1=0.9,adam_beta2=0.95"}});
  for (const char* text : {"\"8x\"", "\"\"", "\" 8\"", "\"0x8\"", "\"1e999\"", "\"nan\"", "[8]", "true"}) {
    expect_refused("deepspeed", std::string(R"({"gradient_accumulation_steps": )") + text + "}",
                   {"gradient_accumulation_steps: expected a number or \"auto\", got " + std::string(text)});
  }
}

TEST(DeepSpeed, NumbersWithoutEndAreRefusedWithTheirKey) {
  expect_refused("deepspeed", R"({"train_batch_size": 1e999})",
                 {"line 1, column 22", "the number 1e999 is beyond a 64-bit float"});
  for (const char* number : {"1e30", "-1", "99999999999999999999999", "1.5"}) {
    expect_refused("deepspeed", deepspeed(zero(1, std::string("\"reduce_bucket_size\": ") + number)),
                   {"zero_optimization.reduce_bucket_size: expected a whole number from 0 to 10^15"});
  }
  expect_refused("fsdp", "{\"fsdp\": \"hybrid_shard\", \"num_processes\": 18446744073709551615, \"num_machines\": 2}",
                 {"num_processes: expected a number up to 2^63, got 18446744073709551615"});
}

TEST(DeepSpeed, TextBehindAZeroByteIsNotIgnored) {
  expect_refused("deepspeed", std::string("{\"zero_optimization\": {\"stage\": 2}}\0junk", 40),
                 {"line 1, column 36: not valid JSON: a zero byte"});
  expect_refused("fsdp", std::string("{\"fsdp\": \"full_shard\"}\0junk", 27), {"a zero byte"});
}

TEST(ImportedConfig, AMarkOfUtf8IsNoText) {
  EXPECT_EQ(offer("deepspeed", "\xEF\xBB\xBF{\"zero_optimization\": {\"stage\": 2}}").taken_by, "zero2");
  EXPECT_EQ(offer("fsdp", "\xEF\xBB\xBF{\"fsdp\": \"full_shard\"}").taken_by, "fsdp");
}

TEST(ImportedConfig, OtherEncodingsAreNamed) {
  for (const char* key : {"deepspeed", "fsdp"}) {
    expect_refused(key, std::string("\xFF\xFE{\0}\0", 6), {"the text is UTF-16: save it as UTF-8"});
    expect_refused(key, std::string("\xFF\xFE\0\0{\0\0\0}\0\0\0", 12), {"the text is UTF-32: save it as UTF-8"});
    expect_refused(key, std::string("\0\0\xFE\xFF\0\0\0{\0\0\0}", 12), {"the text is UTF-32: save it as UTF-8"});
  }
}

TEST(DeepSpeed, NamesOfMsSwift) {
  expect_taken("deepspeed", "zero0", "ddp", {});
  expect_taken("deepspeed", "zero1", "zero1", {});
  expect_taken("deepspeed", "zero2", "zero2", {});
  expect_taken("deepspeed", "zero3", "zero3", {});
  expect_taken("deepspeed", "zero2_offload", "zero2", {{"offload_optimizer", "cpu"}});
  expect_taken("deepspeed", "zero3_offload", "zero3", {{"offload_optimizer", "cpu"}, {"offload_param", "cpu"}});
  for (const char* name : {"zero4", "zero", "zero1_offload", "z2", "ds.json", "", "zero3_offloads"}) {
    expect_refused("deepspeed", name, {"neither a DeepSpeed JSON file nor one of zero0"});
  }
}

TEST(DeepSpeed, WhatCannotBeHonouredIsNamed) {
  expect_refused("deepspeed", deepspeed(zero(4, kBuckets)), {"zero_optimization.stage", "expected 0, 1, 2 or 3"});
  expect_refused("deepspeed", deepspeed(zero(2, R"("reduce_buket_size": 5)")),
                 {"zero_optimization.reduce_buket_size: unknown key", "'reduce_bucket_size'"});
  expect_refused("deepspeed", R"({"zero_optimisation": {"stage": 2}})",
                 {"zero_optimisation: unknown key (did you mean 'zero_optimization'?)"});
  expect_refused("deepspeed", deepspeed(zero(3, R"("offload_param": {"device": "nvme", "nvme_path": "/x"})")),
                 {"zero_optimization.offload_param.device: 'nvme'", "\"cpu\""});
  expect_refused("deepspeed", deepspeed(zero(2, R"("offload_optimizer": {"device": "cpu", "ratio": 0.5})")),
                 {"zero_optimization.offload_optimizer.ratio: 0.5 is not supported"});
  expect_refused("deepspeed", deepspeed(zero(3, R"("zero_hpz_partition_size": 8)")),
                 {"zero_hpz_partition_size: 8", "hybrid_shard"});
  expect_refused("deepspeed", R"({"fp16": {"enabled": true}, "zero_optimization": {"stage": 2}})",
                 {"fp16.enabled", "bf16"});
  expect_refused("deepspeed", deepspeed(zero(2, kBuckets), R"("optimizer": {"type": "Lamb"})"),
                 {"optimizer.type: 'Lamb'", "optim"});
  expect_refused(
      "deepspeed",
      deepspeed(zero(2, kBuckets), R"("scheduler": {"type": "WarmupLR", "params": {"warmup_num_steps": 10}})"),
      {"scheduler.params.warmup_num_steps: 10", "warmup_steps"});
  expect_refused("deepspeed", deepspeed(zero(2, kBuckets), R"("tensor_parallel": {"autotp_size": 2})"),
                 {"tensor_parallel", "not supported"});
  expect_refused("deepspeed", R"({"train_batch_size": "big", "zero_optimization": {"stage": 2}})",
                 {"train_batch_size: expected a number"});
  expect_refused("deepspeed", "{\"zero_optimization\": {\"stage\": 2", {"not valid JSON"});
  expect_refused("deepspeed", R"({"bf16": {"enabld": true}})", {"bf16.enabld: unknown key", "'enabled'"});
  expect_refused("deepspeed", R"({"fp16": {"enable": true}})", {"fp16.enable: unknown key", "'enabled'"});
  expect_refused("deepspeed", R"({"data_types": {"grad_acum_dtype": "bf16"}})",
                 {"data_types.grad_acum_dtype: unknown key", "'grad_accum_dtype'"});
  expect_refused("deepspeed", R"({"zero_optimization": {"stage": 3}, "zero_optimization": {"stage": 1}})",
                 {"line 1, column 37: key 'zero_optimization' appears twice in one object"});
  expect_refused("deepspeed", R"({"zero_optimization": 2})", {"zero_optimization: expected a map"});
}

constexpr const char* kAccelerate = R"(compute_environment: LOCAL_MACHINE
debug: false
distributed_type: FSDP
downcast_bf16: 'no'
fsdp_config:
  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP
  fsdp_backward_prefetch: BACKWARD_PRE
  fsdp_forward_prefetch: false
  fsdp_cpu_ram_efficient_loading: true
  fsdp_offload_params: OFFLOAD
  fsdp_sharding_strategy: SHARDING
  fsdp_state_dict_type: FULL_STATE_DICT
  fsdp_sync_module_states: true
  fsdp_use_orig_params: true
machine_rank: 0
main_training_function: main
mixed_precision: bf16  # or fp16
num_machines: 2
num_processes: 16 # of all nodes
rdzv_backend: static
same_network: true
tpu_env: []
tpu_use_cluster: false
use_cpu: false
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}
std::string accelerate(const std::string& sharding, const std::string& offload = "false") {
  return replaced(replaced(kAccelerate, "SHARDING", sharding), "OFFLOAD", offload);
}

TEST(Fsdp, AcceleratesFileIsMapped) {
  expect_taken("fsdp", accelerate("FULL_SHARD"), "fsdp",
               {{"sharding_strategy", "full_shard"}, {"expects", "bf16=true"}});
  expect_taken("fsdp", accelerate("1", "true"), "fsdp",
               {{"sharding_strategy", "full_shard"},
                {"offload_optimizer", "cpu"},
                {"offload_param", "cpu"},
                {"expects", "bf16=true"}});
  expect_taken("fsdp", accelerate("SHARD_GRAD_OP"), "fsdp",
               {{"sharding_strategy", "shard_grad_op"}, {"expects", "bf16=true"}});
  expect_taken("fsdp", accelerate("NO_SHARD"), "ddp", {{"expects", "bf16=true"}});
  // The ranks of one machine share a copy.
  expect_taken("fsdp", accelerate("HYBRID_SHARD"), "fsdp",
               {{"sharding_strategy", "hybrid_shard"}, {"shard_group_size", "8"}, {"expects", "bf16=true"}});
  expect_taken("fsdp", accelerate("HYBRID_SHARD_ZERO2"), "fsdp",
               {{"sharding_strategy", "hybrid_shard"},
                {"reshard_after_forward", "false"},
                {"shard_group_size", "8"},
                {"expects", "bf16=true"}});
}

TEST(Fsdp, Version2IsMapped) {
  const std::string file =
      "distributed_type: FSDP\nfsdp_config:\n  fsdp_version: 2\n  fsdp_reshard_after_forward: RESHARD\n"
      "  fsdp_offload_params: true\n  fsdp_state_dict_type: SHARDED_STATE_DICT\n  fsdp_activation_checkpointing: true\n"
      "mixed_precision: 'no'\n";
  expect_taken("fsdp", replaced(file, "RESHARD", "true"), "fsdp",
               {{"reshard_after_forward", "true"},
                {"offload_optimizer", "cpu"},
                {"offload_param", "cpu"},
                {"expects", "disable_gradient_checkpointing=false,bf16=false"}});
  expect_taken("fsdp", replaced(file, "RESHARD", "false"), "fsdp",
               {{"reshard_after_forward", "false"},
                {"offload_optimizer", "cpu"},
                {"offload_param", "cpu"},
                {"expects", "disable_gradient_checkpointing=false,bf16=false"}});
}

TEST(Fsdp, WordsAndJsonOfTheTrainer) {
  expect_taken("fsdp", "full_shard auto_wrap", "fsdp", {{"sharding_strategy", "full_shard"}});
  expect_taken("fsdp", "fsdp2", "fsdp", {{"sharding_strategy", "full_shard"}});
  expect_taken("fsdp", "shard_grad_op,offload", "fsdp",
               {{"sharding_strategy", "shard_grad_op"}, {"offload_optimizer", "cpu"}, {"offload_param", "cpu"}});
  expect_taken("fsdp", "no_shard", "ddp", {});
  expect_taken("fsdp", R"({"fsdp": ["full_shard", "auto_wrap"]})", "fsdp", {{"sharding_strategy", "full_shard"}});
  expect_refused("fsdp", R"({"fsdp": ["full_shard", 1]})", {"fsdp: expected words, got [\"full_shard\",1]"});
  expect_taken("fsdp",
               R"({"_description": "x", "fsdp": "full_shard auto_wrap", "fsdp_config": {"version": 2,
                   "backward_prefetch": "no_prefetch", "transformer_layer_cls_to_wrap": ["A"],
                   "reshard_after_forward": true}})",
               "fsdp", {{"sharding_strategy", "full_shard"}, {"prefetch", "false"}, {"reshard_after_forward", "true"}});
}

TEST(Fsdp, WhatCannotBeHonouredIsNamed) {
  expect_refused("fsdp", "full_shart", {"'full_shart' is neither an accelerate FSDP YAML file nor one of full_shard"});
  expect_refused("fsdp", " ", {"fsdp is empty"});
  expect_refused("fsdp", replaced(accelerate("FULL_SHARD"), "mixed_precision: bf16", "mixed_precision: fp16"),
                 {"mixed_precision: fp16 is not supported"});
  expect_refused("fsdp", replaced(accelerate("FULL_SHARD"), "distributed_type: FSDP", "distributed_type: MULTI_GPU"),
                 {"distributed_type: expected FSDP, got MULTI_GPU"});
  expect_refused("fsdp", accelerate("FULL_SHRED"), {"fsdp_sharding_strategy: expected FULL_SHARD"});
  expect_refused("fsdp", replaced(accelerate("FULL_SHARD"), "fsdp_sync_module_states", "fsdp_sync_modul_states"),
                 {"fsdp_config.fsdp_sync_modul_states: unknown key (did you mean 'sync_module_states'?)"});
  expect_refused("fsdp", replaced(accelerate("FULL_SHARD"), "debug: false", "debug: false\n    a: 1"),
                 {"line 3: indented without a map above it"});
  expect_refused("fsdp", replaced(accelerate("FULL_SHARD"), "debug: false", "debug: false\ndebug: true"),
                 {"line 3: debug is given twice"});
  expect_refused("fsdp", replaced(accelerate("FULL_SHARD"), "tpu_env: []", "tpu_env: [a]"), {"line 22: '[a]'"});
  expect_refused("fsdp", "a: 1\n- b\n", {"line 2: expected 'key: value', got '- b'"});
  expect_refused("fsdp", "{\"fsdp_config\": 3}", {"fsdp_config: expected a map"});
}

TEST(ImportedConfig, DamagedFilesAreTakenOrRefused) {
  std::mt19937 random(77);
  const std::pair<std::string, std::string> seeds[] = {
      {"deepspeed",
       deepspeed(zero(3, kStage3), R"("optimizer": {"type": "AdamW", "params": {"betas": ["0.9", 0.95]}})")},
      {"fsdp", accelerate("HYBRID_SHARD")},
      {"fsdp", R"({"fsdp": ["full_shard"], "fsdp_config": {"version": 2, "min_num_params": 18446744073709551615}})"}};
  const std::string bytes("\n  :-#'\"[]{},0e9.\\\t\0\xC3", 22);
  for (int round = 0; round < 600; ++round) {
    auto [key, text] = seeds[random() % std::size(seeds)];
    for (auto edits = 1 + random() % 3; edits > 0; --edits) {
      const size_t at = random() % text.size();
      if (random() % 3 == 0) {
        text.erase(at, 1 + random() % 4);
      } else {
        text.insert(at, 1 + random() % 2, bytes[random() % bytes.size()]);
      }
    }
    EXPECT_FALSE(offer(key, text).failed) << text;
  }
}

}  // namespace
}  // namespace ftrun::test
