// `ftrun check`: compose a run without running it; print what it resolved to and where each value came from.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base/logging.h"
#include "core/io/disk_space.h"
#include "core/train/best_metric.h"
#include "core/train/checkpointing.h"
#include "core/train/commands.h"
#include "core/train/futile_run.h"
#include "core/train/memory_estimate.h"
#include "core/train/rank_usage.h"
#include "core/train/run.h"
#include "core/train/trained_parameters.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

Json values_json(const OptionValues& values, bool only_given) {
  Json result = Json::object();
  for (const auto& [key, value] : values.entries()) {
    if (only_given && value.source != ValueSource::kFile && value.source != ValueSource::kCommandLine) continue;
    result[key] = {{"value", value_text(value)}, {"origin", value.origin}};
  }
  return result;
}

Json plugins_json(const OpenedPlugins& plugins) {
  Json result = Json::object();
  for (const ChosenPlugin* chosen : {&plugins.paradigm, &plugins.strategy, &plugins.device, &plugins.network}) {
    if (chosen->plugin == nullptr) continue;
    result[chosen->plugin->kind()] = {{"id", chosen->plugin->id()},
                                      {"version", chosen->plugin->version()},
                                      {"file", chosen->plugin->file().string()}};
  }
  return result;
}

/// Every model in memory: the trained one first, then those beside it; then other ways to compute with the trained one.
Json models_json(Run& run) {
  Json models = Json::array();
  for (int32_t index = 0; index < run.rank().role_count(); ++index) {
    const Role& role = run.rank().role(index);
    models.push_back({{"role", role.name()},
                      {"parameters", role.model().total_elements()},
                      {"trained", role.trained() ? trained_elements(run.model(), run.trained()) : 0}});
  }
  for (const ParadigmInstance::RoleRequest& request : run.paradigm().roles()) {
    if (!request.adapter_off && !request.at_start) continue;
    models.push_back({{"role", request.name},
                      {"parameters", request.at_start ? run.start_elements() : 0},
                      {"trained", 0},
                      {"shares", run.rank().role(run.trained_role()).name()},
                      {"with", request.at_start ? "the values of its start" : "its adapter off"}});
  }
  return models;
}

Json run_json(Run& run) {
  const TrainingArguments& a = run.arguments();
  const ftrun_paradigm_plan& plan = run.plan();
  const ftrun_schedule announced = run.schedule().value_or(ftrun_schedule{});
  const uint64_t* bytes = announced.device_bytes;
  const SaveBytes saved = save_bytes(run);
  Json result;
  result["plugins"] = plugins_json(*run.setup().plugins);
  if (run.opened_data() != nullptr) {
    const PreparedData& prepared = prepared_data(*run.opened_data());
    result["template"] = prepared.encoder->description();
    result["warnings"] = prepared.ledger.warnings();
  }
  result["parameters"] = run.model().total_elements();
  result["models"] = models_json(run);
  result["num_examples"] = plan.num_examples;
  result["eval_examples"] = plan.eval_examples;
  result["updates_per_epoch"] = plan.updates_per_epoch;
  result["total_steps"] = planned_updates(a, plan.updates_per_epoch);
  result["rows_per_update"] = global_batch(run);
  result["longest_micro_batch_tokens"] = plan.max_micro_batch_tokens;
  result["ranks"] = run.world();
  result["bytes"] = {{"weights", bytes[FTRUN_MEMORY_WEIGHTS]},
                     {"gradients", bytes[FTRUN_MEMORY_GRADIENTS]},
                     {"optimizer", bytes[FTRUN_MEMORY_OPTIMIZER]},
                     {"gather", bytes[FTRUN_MEMORY_GATHER]},
                     {"communication", bytes[FTRUN_MEMORY_COMMUNICATION]},
                     {"host", announced.host_peak_bytes},
                     {"checkpoint", saved.checkpoint},
                     {"model", saved.model},
                     {"device", run.device().properties().total_bytes}};
  if (run.schedule()) result["traffic_per_update"] = schedule_json(announced)["traffic_per_update"];
  result["values"] = values_json(run.setup().config().host(), false);
  for (size_t i = 0; i < run.setup().config().plugin_count(); ++i) {
    const auto& part = run.setup().config().plugin(i);
    const Json values = values_json(part.values, false);
    if (!values.empty()) result["plugin_values"][part.kind + "/" + part.id] = values;
  }
  return result;
}

void print_values(const Json& values) {
  size_t width = 0;
  for (const auto& [key, unused] : values.items()) width = std::max(width, key.size());
  for (const auto& [key, value] : values.items()) {
    fmt::print("  {:<{}}  {}  ({})\n", key, width, value["value"].get<std::string>(),
               value["origin"].get<std::string>());
  }
}

void print_run(const Json& json) {
  fmt::print("plugins\n");
  for (const auto& [kind, plugin] : json["plugins"].items()) {
    fmt::print("  {:<9} {} {}  ({})\n", kind, plugin["id"].get<std::string>(), plugin["version"].get<std::string>(),
               plugin["file"].get<std::string>());
  }
  fmt::print(
      "run\n  {} parameters; {} examples, {} for evaluation; {} rows per update, {} updates per epoch, {} in all\n",
      json["parameters"].get<int64_t>(), json["num_examples"].get<int64_t>(), json["eval_examples"].get<int64_t>(),
      json["rows_per_update"].get<int64_t>(), json["updates_per_epoch"].get<int64_t>(),
      json["total_steps"].get<int64_t>());
  if (json.contains("template")) fmt::print("  conversations by {}\n", json["template"].get<std::string>());
  for (const Json& model : json["models"]) {
    if (model.contains("shares")) {
      fmt::print("  model '{}': '{}' with {}; {} parameters of its own\n", model["role"].get<std::string>(),
                 model["shares"].get<std::string>(), model["with"].get<std::string>(),
                 model["parameters"].get<int64_t>());
      continue;
    }
    fmt::print("  model '{}': {} parameters, {} trained\n", model["role"].get<std::string>(),
               model["parameters"].get<int64_t>(), model["trained"].get<int64_t>());
  }
  const Json& bytes = json["bytes"];
  const auto memory = [&](const char* key) { return memory_text(bytes[key].get<uint64_t>()); };
  const auto disk = [&](const char* key) { return bytes_text(bytes[key].get<uint64_t>()); };
  fmt::print(
      "  device memory of each of {} rank(s): weights {}, gradients {}, optimizer {}, gathered weights {}, "
      "communication {}, of {}; on the host {}\n",
      json["ranks"].get<int>(), memory("weights"), memory("gradients"), memory("optimizer"), memory("gather"),
      memory("communication"), memory("device"), memory("host"));
  if (json.contains("traffic_per_update") && !json["traffic_per_update"].empty()) {
    std::string sent;
    for (const auto& [kind, moved] : json["traffic_per_update"].items()) {
      sent += fmt::format("{}{} {}", sent.empty() ? "" : ", ", kind, memory_text(moved["sent_bytes"].get<uint64_t>()));
    }
    fmt::print("  each rank sends per update: {}\n", sent);
  }
  fmt::print("  on disk: model {}, each checkpoint {}\n", disk("model"), disk("checkpoint"));
  fmt::print("values\n");
  print_values(json["values"]);
  if (!json.contains("plugin_values")) return;
  for (const auto& [plugin, values] : json["plugin_values"].items()) {
    fmt::print("values of {}\n", plugin);
    print_values(values);
  }
}

}  // namespace

int check_command(const CommandContext& context) {
  const RunSetup setup = prepare_setup(context);
  return run_ranks(setup, [&](RankLink& link) {
    Run run(setup, link, claim_output(setup, link.communicator()));
    require_measured_metric(run);
    if (!link.is_main()) return 0;
    const int64_t max_steps = planned_updates(run.arguments(), run.plan().updates_per_epoch);
    for (const std::string& line : futile_schedule(setup.config(), run.arguments(), max_steps)) {
      if (run.arguments().do_train) log_warning("{}", line);
    }
    if (!run.claim().resume_from) require_disk_for_run(run, 0);
    const Json json = run_json(run);
    if (context.json) {
      fmt::print("{}\n", json.dump());
    } else {
      print_run(json);
    }
    return 0;
  });
}

}  // namespace ftrun
