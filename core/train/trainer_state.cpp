// One list of fields serves writing and reading, so the two cannot drift apart.
#include "core/train/trainer_state.h"

#include "core/base/error.h"
#include "core/base/json_text.h"

namespace ftrun {
namespace {

using Json = nlohmann::json;

// Calls field(json object, key, member) for every plain field.
template <typename State, typename Field>
void each_field(State& state, const Field& field) {
  field("global_step", state.global_step);
  field("max_steps", state.max_steps);
  field("num_train_epochs", state.num_train_epochs);
  field("epoch", state.epoch);
  field("logging_steps", state.logging_steps);
  field("eval_steps", state.eval_steps);
  field("save_steps", state.save_steps);
  field("train_batch_size", state.train_batch_size);
  field("num_input_tokens_seen", state.num_input_tokens_seen);
  field("total_flos", state.total_flos);
  field("best_global_step", state.best_global_step);
  field("log_history", state.log_history);
}

template <typename State, typename Field>
void each_own_field(State& state, const Field& field) {
  field("items_consumed", state.items_consumed);
  field("updates_per_epoch", state.updates_per_epoch);
  field("global_batch", state.global_batch);
  field("loss_total", state.loss_total);
  field("loss_since_log", state.loss_since_log);
  field("updates_since_log", state.updates_since_log);
  field("train_runtime_seconds", state.train_runtime_seconds);
  field("evaluations_without_gain", state.evaluations_without_gain);
  field("seed", state.seed);
  field("data_fingerprint", state.data_fingerprint);
}

const Json* own_state(const Json& json) {
  if (!json.is_object() || !json.contains("stateful_callbacks")) return nullptr;
  const Json& callbacks = json["stateful_callbacks"];
  return callbacks.is_object() && callbacks.contains("ftrun") ? &callbacks["ftrun"] : nullptr;
}

}  // namespace

std::string to_json_text(const TrainerState& state) {
  Json json;
  each_field(state, [&](const char* key, const auto& value) { json[key] = value; });
  // Where the Hugging Face trainer's TrainerState lets others keep what is theirs.
  Json& own = json["stateful_callbacks"]["ftrun"];
  each_own_field(state, [&](const char* key, const auto& value) { own[key] = value; });
  own["metrics_since_log"] = state.metrics_since_log.to_json();
  if (!state.arguments.empty()) own["arguments"] = state.arguments;
  if (!state.base_models.empty()) own["base_models"] = state.base_models;
  json["best_metric"] = state.best_metric ? Json(*state.best_metric) : Json();
  json["best_model_checkpoint"] = state.best_model_checkpoint.empty() ? Json() : Json(state.best_model_checkpoint);
  json["is_local_process_zero"] = true;
  json["is_world_process_zero"] = true;
  json["is_hyper_param_search"] = false;
  json["trial_name"] = Json();
  json["trial_params"] = Json();
  return json.dump(2) + "\n";
}

TrainerState parse_trainer_state(const std::string& text, const std::filesystem::path& file) {
  const Json json = parse_json(text, file);
  const Json* own = own_state(json);
  if (own == nullptr) {
    throw invalid_argument(
        "{}: not a trainer state of ftrun (key 'stateful_callbacks.ftrun' is missing): a run of another framework "
        "cannot be "
        "resumed; train from its weights with model_name_or_path instead",
        file.string());
  }
  TrainerState state;
  const char* current = "";
  try {
    each_field(state, [&](const char* key, auto& value) { json.at(current = key).get_to(value); });
    each_own_field(state, [&](const char* key, auto& value) { own->at(current = key).get_to(value); });
    state.metrics_since_log = MetricMeans::from_json(own->at(current = "metrics_since_log"));
    if (own->contains(current = "arguments")) state.arguments = own->at(current).get<std::map<std::string, Json>>();
    if (own->contains(current = "base_models")) {
      state.base_models = own->at(current).get<std::map<std::string, std::map<std::string, std::string>>>();
    }
    current = "best_metric";
    if (!json.at(current).is_null()) state.best_metric = json.at(current).get<double>();
    current = "best_model_checkpoint";
    if (!json.at(current).is_null()) state.best_model_checkpoint = json.at(current).get<std::string>();
  } catch (const Json::exception& error) {
    throw invalid_argument("{}: key '{}' is missing or has the wrong type ({})", file.string(), current, error.what());
  }
  return state;
}

}  // namespace ftrun
