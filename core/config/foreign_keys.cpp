// The written lists of foreign keys: LLaMA-Factory's, the Hugging Face trainer's and ms-swift's.
#include "core/config/foreign_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ftrun {
namespace {

/// Keys that are answered alike.
struct KeyGroup {
  std::string_view reason;
  std::string_view keys;  // separated by single spaces, with one at both ends
};

constexpr std::array kHarmless = {
    KeyGroup{"model folders contain no code that ftrun would run", " trust_remote_code "},
    KeyGroup{"models and data are read from local folders",
             " model_revision hub_model_id hub_token hub_strategy hub_private_repo hub_always_push hub_revision "
             "hf_hub_token ms_hub_token om_hub_token use_hf use_modelscope "},
    KeyGroup{"ranks find and wait for each other by themselves",
             " ddp_backend ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers local_rank "},
    KeyGroup{"how long ranks wait for each other is 'collective_timeout_s'", " ddp_timeout "},
    KeyGroup{"data is tokenised in parallel and mapped into memory; see 'threads'",
             " preprocessing_num_workers preprocessing_batch_size dataloader_num_workers dataloader_pin_memory "
             "dataloader_prefetch_factor dataloader_persistent_workers dataset_num_proc data_shared_file_system "
             "remove_unused_columns label_names "},
    KeyGroup{"the tokenizer is ftrun's own, whatever is chosen here", " use_fast_tokenizer "},
    KeyGroup{"weights are always mapped and never copied as a whole", " low_cpu_mem_usage "},
    KeyGroup{"every run is deterministic and cannot be made otherwise", " full_determinism "},
    KeyGroup{"statistics of norms are always fp32", " upcast_layernorm "},
    KeyGroup{"recomputation has one form", " use_reentrant_gc gradient_checkpointing_kwargs "},
    KeyGroup{"kernels are ftrun's own: there are no others and nothing to compile",
             " enable_liger_kernel use_v1_kernels torch_compile "},
    KeyGroup{"fp32 is always computed as fp32", " tf32 "},
    KeyGroup{"decoding always keeps the keys and values of earlier tokens", " use_kv_cache use_cache "},
    KeyGroup{"answers are always decoded without special tokens", " skip_special_tokens "},
    KeyGroup{"evaluation adds up losses as it goes and keeps no predictions",
             " prediction_loss_only include_for_metrics eval_accumulation_steps eval_do_concat_batches "
             "batch_eval_metrics "},
    KeyGroup{"tokens and tokens per second are always logged",
             " include_num_input_tokens_seen include_tokens_per_second include_effective_tokens_per_second "},
    KeyGroup{"a loss that is not finite always stops the run", " logging_nan_inf_filter "},
    KeyGroup{"memory is always logged", " skip_memory_metrics "},
    KeyGroup{"how many parameters are trained is logged where not all are", " print_param_status "},
    KeyGroup{"there are no callbacks; a resumed run always restores everything",
             " restore_callback_states_from_checkpoint "},
    KeyGroup{"there is no tracker or dashboard that would use it",
             " run_name logging_dir disable_tqdm project trackio_space_id add_version create_checkpoint_symlink "},
    KeyGroup{"tensors are merged one after the other on the chosen device", " export_device "},
    KeyGroup{"there is one inference engine", " infer_backend attn_impl "},
};

constexpr std::string_view kNoQuantization = "this build does not train quantised models: remove it";
constexpr std::string_view kNoSuchOptimizer = "this build has AdamW only: remove it";

constexpr std::array kForeign = {
    ForeignKey{"fp16", "false",
               "fp16 needs loss scaling, which would make results depend on overflow; write 'bf16: true'"},
    ForeignKey{"torch_dtype", "",
               "precision is chosen with 'bf16: true' (bf16 with fp32 master weights) or 'pure_bf16: true' (bf16 "
               "throughout); without them it is fp32"},
    ForeignKey{"streaming", "false", "data is tokenised once and mapped, so memory does not grow with it: remove it"},
    ForeignKey{"buffer_size", "", "there is no streaming whose shuffle buffer it would be: remove it"},
    ForeignKey{"interleave_probs", "", "several data sets are laid end to end: remove it"},
    ForeignKey{"eval_on_each_dataset", "false", "all evaluation sets are evaluated together: remove it"},
    ForeignKey{"tokenized_path", "", "tokenised data is cached by itself (see 'cache_dir'): remove it"},
    ForeignKey{"ignore_pad_token_for_loss", "true", "rows are not padded, so padding never reaches the loss"},
    ForeignKey{"average_tokens_across_devices", "true", "losses are always normalised by the global token count"},
    ForeignKey{"rope_scaling", "", "scaling is read from config.json; set it there"},
    ForeignKey{"rope_theta", "", "it is read from config.json; set it there"},
    ForeignKey{"upcast_lmhead_output", "false", "logits are computed tile by tile in fp32 and never stored"},
    ForeignKey{"resize_vocab", "false", "the vocabulary is the model folder's; add rows there"},
    ForeignKey{"add_tokens", "", "add the tokens to tokenizer.json and rows to the embedding"},
    ForeignKey{"add_special_tokens", "", "add the tokens to tokenizer.json and rows to the embedding"},
    ForeignKey{"gradient_checkpointing", "true", "write 'disable_gradient_checkpointing: true' to switch it off"},
    ForeignKey{"logging_strategy", "steps", "log lines come every 'logging_steps' updates"},
    ForeignKey{"group_by_length", "false", "the order of rows depends on seed and epoch only"},
    ForeignKey{"label_smoothing_factor", "0,0.0", "label smoothing is not available: remove it"},
    ForeignKey{"neftune_noise_alpha", "", "embedding noise is not available: remove it"},
    ForeignKey{"compute_accuracy", "false", "token accuracy is not measured: remove it"},
    ForeignKey{"num_beams", "1", "decoding samples or takes the most likely token; there is no beam search"},
    ForeignKey{"length_penalty", "1,1.0", "there is no beam search"},
    ForeignKey{"export_legacy_format", "false", "weights are written as safetensors only"},
    ForeignKey{"export_hub_model_id", "", "models are written to local folders: remove it"},
    ForeignKey{"export_quantization_bit", "", kNoQuantization},
    ForeignKey{"export_quantization_dataset", "", kNoQuantization},
    ForeignKey{"push_to_hub", "false", "models are written to local folders"},
    ForeignKey{"save_safetensors", "true", "weights are saved as safetensors only"},
    ForeignKey{"use_unsloth", "false", "kernels are ftrun's own: remove it"},
    ForeignKey{"pissa_convert", "true",
               "an adapter that began as PiSSA is always saved converted, for the unchanged base"},
    ForeignKey{"loraplus_lr_embedding", "1e-6,0.000001", "embeddings have no pairs: name them in additional_target"},
    ForeignKey{"deepspeed", "",
               "no strategy plugin here reads DeepSpeed files: remove it and choose with 'strategy: NAME'; "
               "'ftrun plugins list' shows the strategies there are"},
    ForeignKey{"quantization_bit", "", kNoQuantization},
    ForeignKey{"quantization_method", "", kNoQuantization},
    ForeignKey{"quantization_type", "", kNoQuantization},
    ForeignKey{"double_quantization", "", kNoQuantization},
    ForeignKey{"use_galore", "false", kNoSuchOptimizer},
    ForeignKey{"use_apollo", "false", kNoSuchOptimizer},
    ForeignKey{"use_badam", "false", kNoSuchOptimizer},
    ForeignKey{"use_adam_mini", "false", kNoSuchOptimizer},
    ForeignKey{"use_muon", "false", kNoSuchOptimizer},
};

/// Keys of one reason, with no value that could be accepted.
constexpr std::array kForeignGroups = {
    KeyGroup{kNoSuchOptimizer,
             " galore_target galore_rank galore_update_interval galore_scale galore_proj_type galore_layerwise "
             "apollo_target apollo_rank apollo_update_interval apollo_scale apollo_proj apollo_proj_type "
             "apollo_scale_type apollo_layerwise apollo_scale_front badam_mode badam_start_block "
             "badam_switch_mode badam_switch_interval badam_update_ratio badam_mask_mode badam_verbose "
             "adam_mini_verbose optim_args optim_target_modules "},
    KeyGroup{"this build has no OFT: remove it", " oft_rank oft_block_size oft_target module_dropout "},
    KeyGroup{"this build does not change a model's blocks or their attention: remove it",
             " use_llama_pro shift_attn mixture_of_depths "},
    KeyGroup{"text is the only medium here: remove it",
             " image_max_pixels image_min_pixels image_do_pan_and_scan crop_to_patches video_max_pixels "
             "video_min_pixels video_fps video_maxlen use_audio_in_video audio_sampling_rate media_dir "
             "freeze_vision_tower freeze_multi_modal_projector freeze_language_model "},
    KeyGroup{"answers come from ftrun's own engine: remove it",
             " vllm_maxlen vllm_gpu_util vllm_enforce_eager vllm_max_lora_rank vllm_config sglang_maxlen "
             "sglang_mem_fraction sglang_tp_size sglang_config sglang_lora_backend "},
    KeyGroup{"ranks are started with --nproc or mpirun: remove it",
             " ray_run_name ray_storage_path ray_storage_filesystem ray_num_workers resources_per_worker "
             "placement_strategy ray_init_kwargs "},
    KeyGroup{"no tracker is built in, and what it would show is written to trainer_log.jsonl: remove it",
             " use_swanlab swanlab_project swanlab_workspace swanlab_run_name swanlab_mode swanlab_api_key "
             "swanlab_logdir swanlab_lark_webhook_url swanlab_lark_secret wandb_project "},
};

std::vector<ForeignKey> all_foreign_keys() {
  std::vector<ForeignKey> all(kForeign.begin(), kForeign.end());
  for (const KeyGroup& group : kForeignGroups) {
    for (size_t begin = 1; begin < group.keys.size();) {
      const size_t end = group.keys.find(' ', begin);
      all.push_back({group.keys.substr(begin, end - begin), "", group.reason});
      begin = end + 1;
    }
  }
  return all;
}

}  // namespace

std::string_view harmless_key_reason(std::string_view key) {
  const std::string word = fmt::format(" {} ", key);
  for (const KeyGroup& group : kHarmless) {
    if (group.keys.find(word) != std::string_view::npos) return group.reason;
  }
  return {};
}

const ForeignKey* find_foreign_key(std::string_view key) {
  static const std::vector<ForeignKey> kAll = all_foreign_keys();
  const auto found = std::ranges::find(kAll, key, &ForeignKey::key);
  return found == kAll.end() ? nullptr : &*found;
}

bool is_accepted(const ForeignKey& key, const SettingValue& value) {
  if (value.kind == SettingValue::Kind::kNull) return true;
  if (value.kind != SettingValue::Kind::kScalar || value.scalar.empty()) return false;
  std::string text = value.scalar;
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return fmt::format(",{},", key.accepted).find(fmt::format(",{},", text)) != std::string::npos;
}

void refuse_unavailable(const OptionValues& host, const std::set<std::string, std::less<>>& unreadable,
                        std::vector<std::string>& messages) {
  const OptionValue& type = *host.find("finetuning_type");
  if (type.text == "oft" && !unreadable.contains("finetuning_type")) {
    messages.push_back(
        fmt::format("{}: finetuning_type: 'oft' is not available: expected full, lora or freeze", type.origin));
  }
  for (const std::string& tracker : host.get_list("report_to")) {
    if (tracker == "none") continue;
    messages.push_back(fmt::format(
        "{}: report_to: '{}' is not available: no tracker is built in, and what it would show is written to "
        "trainer_log.jsonl and trainer_state.json in output_dir: write 'report_to: none'",
        host.origin("report_to"), tracker));
  }
  if (host.get_bool("bf16") && host.get_bool("pure_bf16")) {
    messages.push_back(
        fmt::format("{}: pure_bf16: bf16 ({}) keeps fp32 master weights and pure_bf16 does not: set one of them",
                    host.origin("pure_bf16"), host.origin("bf16")));
  }
  const bool floors = host.is_set("lr_scheduler_kwargs.min_lr") || host.is_set("lr_scheduler_kwargs.min_lr_rate");
  if (floors && host.get_string("lr_scheduler_type") != "cosine_with_min_lr") {
    const std::string_view key =
        host.is_set("lr_scheduler_kwargs.min_lr") ? "lr_scheduler_kwargs.min_lr" : "lr_scheduler_kwargs.min_lr_rate";
    messages.push_back(fmt::format("{}: {}: only lr_scheduler_type cosine_with_min_lr has a floor, and it is '{}'",
                                   host.origin(key), key, host.get_string("lr_scheduler_type")));
  }
}

}  // namespace ftrun
