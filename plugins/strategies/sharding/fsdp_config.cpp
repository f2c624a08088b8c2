// Keys and words of FSDP configurations.
#include "sharding/fsdp_config.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "sharding/flat_yaml.h"
#include "sharding/foreign_keys.h"

namespace ftrun::sharding {
namespace {

using Kind = ForeignKeyRule::Kind;

constexpr ForeignKeyRule kLaunchKeys[] = {
    {"distributed_type"},
    {"mixed_precision"},
    {"fsdp"},
    {"fsdp_config"},
    {"num_processes"},
    {"num_machines"},
    {"compute_environment", Kind::kIgnored},
    {"debug", Kind::kIgnored},
    {"downcast_bf16", Kind::kAccepted, "no,false", "it is for TPUs; leave it out"},
    {"machine_rank", Kind::kIgnored},
    {"main_process_ip", Kind::kIgnored},
    {"main_process_port", Kind::kIgnored},
    {"main_training_function", Kind::kIgnored},
    {"rdzv_backend", Kind::kIgnored},
    {"same_network", Kind::kIgnored},
    {"gpu_ids", Kind::kIgnored},
    {"enable_cpu_affinity", Kind::kIgnored},
    {"tpu_env", Kind::kIgnored},
    {"tpu_use_cluster", Kind::kIgnored},
    {"tpu_use_sudo", Kind::kIgnored},
    {"use_cpu", Kind::kIgnored},
    {"deepspeed_config", Kind::kAccepted, "", "give the DeepSpeed file under deepspeed"},
    {"megatron_lm_config", Kind::kAccepted, "", "there is no tensor parallelism here; leave it out"},
    {"parallelism_config", Kind::kAccepted, "", "there is data parallelism only; leave it out"},
    {"dynamo_backend", Kind::kAccepted, "no,NO", "nothing is compiled here; leave it out"},
    {"dynamo_config", Kind::kAccepted, "", "nothing is compiled here; leave it out"},
    {"_description", Kind::kIgnored},
};

/// Without the prefix fsdp_, which the trainer's JSON leaves out.
constexpr ForeignKeyRule kShardKeys[] = {
    {"version", Kind::kAccepted, "1,2", "leave it out"},
    {"sharding_strategy"},
    {"reshard_after_forward"},
    {"offload_params"},
    {"backward_prefetch"},
    {"activation_checkpointing"},
    {"forward_prefetch", Kind::kIgnored},
    {"limit_all_gathers", Kind::kIgnored},
    {"auto_wrap_policy", Kind::kIgnored},
    {"transformer_layer_cls_to_wrap", Kind::kIgnored},
    {"min_num_params", Kind::kIgnored},
    {"state_dict_type", Kind::kIgnored},
    {"use_orig_params", Kind::kIgnored},
    {"sync_module_states", Kind::kIgnored},
    {"cpu_ram_efficient_loading", Kind::kIgnored},
    {"xla", Kind::kAccepted, "false", "leave it out"},
    {"xla_fsdp_grad_ckpt", Kind::kAccepted, "false", "leave it out"},
};

/// What the parts of a configuration come to.
struct Choice {
  std::string sharding;  ///< full_shard, shard_grad_op, hybrid_shard or no_shard; "" where nothing is said
  std::optional<bool> reshard_after_forward;
  bool offloads = false;
};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// A word of the trainer's `fsdp`, or accelerate's fsdp_sharding_strategy by name or number. False when unknown.
bool take_word(const std::string& word, Choice& choice) {
  static constexpr std::string_view kByNumber[] = {"full_shard", "shard_grad_op", "no_shard", "hybrid_shard",
                                                   "hybrid_shard_zero2"};
  const bool is_number = word.size() == 1 && word[0] >= '1' && word[0] <= '5';
  const std::string name = is_number ? std::string(kByNumber[word[0] - '1']) : word;
  if (name == "hybrid_shard_zero2") {
    choice.sharding = "hybrid_shard";
    choice.reshard_after_forward = false;
  } else if (std::ranges::find(kByNumber, name) != std::end(kByNumber)) {
    choice.sharding = name;
  } else if (name == "fsdp2" || name == "true") {
    choice.sharding = "full_shard";
  } else if (name == "offload") {
    choice.offloads = true;
  } else {
    return name == "auto_wrap";
  }
  return true;
}

void read_words(std::string_view text, Choice& choice) {
  while (true) {
    const size_t begin = text.find_first_not_of(" ,\t\r\n");
    if (begin == std::string_view::npos) return;
    text.remove_prefix(begin);
    const size_t end = std::min(text.find_first_of(" ,\t\r\n"), text.size());
    const std::string word = lower(std::string(text.substr(0, end)));
    text.remove_prefix(end);
    if (!take_word(word, choice)) {
      throw sdk::Error(FTRUN_INVALID_ARGUMENT,
                       "'" + word.substr(0, 80) +
                           "' is neither an accelerate FSDP YAML file nor one of full_shard, shard_grad_op, "
                           "hybrid_shard, hybrid_shard_zero2, no_shard, offload, auto_wrap, fsdp2");
    }
  }
}

/// The trainer's `fsdp`: words in one text, or a list of them.
void read_words_of(const ForeignMap& top, Choice& choice) {
  const nlohmann::json& given = top.get("fsdp");
  if (!given.is_array()) return read_words(top.text("fsdp"), choice);
  for (const nlohmann::json& word : given) {
    if (!word.is_string()) top.refuse("fsdp", "expected words, got " + shown_text(given));
    read_words(word.get_ref<const std::string&>(), choice);
  }
}

/// fsdp_config's keys without their prefix.
nlohmann::json without_prefix(const nlohmann::json& map) {
  nlohmann::json plain = nlohmann::json::object();
  for (const auto& [key, value] : map.items()) plain[key.starts_with("fsdp_") ? key.substr(5) : key] = value;
  return plain;
}

void read_shard_keys(const nlohmann::json& given, Choice& choice, ImportedStrategy& imported) {
  const ForeignMap checked_type(given, "fsdp_config.");
  const nlohmann::json plain = without_prefix(checked_type.json());
  const ForeignMap map(plain, "fsdp_config.fsdp_");
  map.check(kShardKeys, imported.notes);
  const std::string sharding = lower(map.text("sharding_strategy"));
  if (!sharding.empty() && (!take_word(sharding, choice) || sharding == "offload" || sharding == "auto_wrap")) {
    map.refuse("sharding_strategy",
               "expected FULL_SHARD, SHARD_GRAD_OP, NO_SHARD, HYBRID_SHARD or HYBRID_SHARD_ZERO2, got " +
                   map.text("sharding_strategy"));
  }
  const std::string reshard = lower(map.text("reshard_after_forward"));
  if (reshard == "true" || reshard == "false") {
    choice.reshard_after_forward = reshard == "true";
  } else if (!reshard.empty() && !take_word(reshard, choice)) {
    map.refuse("reshard_after_forward", "expected true or false, got " + reshard);
  }
  choice.offloads = map.flag("offload_params", choice.offloads);
  if (lower(map.text("backward_prefetch")) == "no_prefetch") imported.options.emplace_back("prefetch", "false");
  if (map.flag("activation_checkpointing", false)) {
    imported.expectations.add("disable_gradient_checkpointing", "false");
  }
}

void read_precision(const ForeignMap& top, ImportedStrategy& imported) {
  const std::string precision = lower(top.text("mixed_precision"));
  if (precision.empty()) return;
  if (precision != "bf16" && precision != "no") {
    top.refuse("mixed_precision", precision + " is not supported: use bf16, and bf16: true in the run");
  }
  imported.expectations.add("bf16", precision == "bf16" ? "true" : "false");
}

/// `digits` are the value of `key`.
int64_t count_in(const ForeignMap& top, std::string_view key, const std::string& digits) {
  int64_t count = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), count).ec != std::errc()) {
    top.refuse(key, "expected a number up to 2^63, got " + digits);
  }
  return count;
}

/// Ranks of one machine share a copy under hybrid_shard.
void read_group(const ForeignMap& top, const Choice& choice, ImportedStrategy& imported) {
  const std::string processes = top.whole_number("num_processes");
  const std::string machines = top.whole_number("num_machines");
  if (choice.sharding != "hybrid_shard" || processes.empty() || machines.empty()) {
    if (!processes.empty()) imported.notes.push_back("num_processes (--nproc or mpirun decide)");
    return;
  }
  const int64_t of_machine =
      count_in(top, "num_processes", processes) / std::max<int64_t>(1, count_in(top, "num_machines", machines));
  imported.options.emplace_back("shard_group_size", std::to_string(std::max<int64_t>(1, of_machine)));
}

ImportedStrategy finish(const Choice& choice, ImportedStrategy imported) {
  imported.name = choice.sharding == "no_shard" ? "ddp" : "fsdp";
  if (choice.offloads) imported.options.emplace_back("offload_optimizer", "cpu");
  if (choice.offloads) imported.options.emplace_back("offload_param", "cpu");
  if (imported.name == "ddp") {
    std::erase_if(imported.options, [](const auto& option) { return option.first == "prefetch"; });
    return imported;
  }
  if (!choice.sharding.empty()) imported.options.emplace_back("sharding_strategy", choice.sharding);
  if (choice.reshard_after_forward) {
    imported.options.emplace_back("reshard_after_forward", *choice.reshard_after_forward ? "true" : "false");
  }
  return imported;
}

ImportedStrategy read_file(const nlohmann::json& json) {
  ImportedStrategy imported;
  Choice choice;
  const ForeignMap top(json, "");
  top.check(kLaunchKeys, imported.notes);
  const std::string type = top.text("distributed_type");
  if (!type.empty() && type != "FSDP") {
    top.refuse("distributed_type", "expected FSDP, got " + type + ": without FSDP choose with 'strategy: NAME'");
  }
  read_words_of(top, choice);
  if (!top.get("fsdp_config").is_null()) read_shard_keys(top.get("fsdp_config"), choice, imported);
  read_precision(top, imported);
  read_group(top, choice, imported);
  return finish(choice, std::move(imported));
}

}  // namespace

ImportedStrategy read_fsdp_config(std::string_view given) {
  const std::string_view text = without_mark(given);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    return read_file(read_foreign_json(text));
  }
  if (text.find(':') != std::string_view::npos) return read_file(read_flat_yaml(text));
  if (first == std::string_view::npos) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, "fsdp is empty: remove it, or choose with 'strategy: NAME'");
  }
  Choice choice;
  read_words(text, choice);
  return finish(choice, {});
}

}  // namespace ftrun::sharding
