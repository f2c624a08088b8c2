// Fingerprints by sampling: whole files are large, and trained weights differ everywhere.
#include "core/train/base_models.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/base/logging.h"
#include "core/config/option_api.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

constexpr size_t kSampledBytes = 4096;
constexpr const char* kBaseKey = "model_name_or_path";
constexpr const char* kAdapterKey = "adapter_name_or_path";
constexpr const char* kStartKey = "start";  ///< the adapter whose training goes on

/// Of what config.json says about the model, not about who wrote it.
uint64_t hash_of_config(const fs::path& file) {
  nlohmann::json config = parse_json(read_file(file), file);
  for (const char* key : {"_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache"}) {
    config.erase(key);
  }
  return content_hash(config.dump());
}

uint64_t hash_of_samples(const ModelWeights& weights, uint64_t hash) {
  for (const std::string& name : weights.names()) {
    const TensorEntry& entry = *weights.find(name);
    hash = content_hash(fmt::format("{} {} {}", name, dtype_name(entry.dtype), fmt::join(entry.shape, "x")), hash);
    const size_t count = std::min(kSampledBytes, entry.bytes.size());
    hash = content_hash(entry.bytes.subspan((entry.bytes.size() - count) / 2, count), hash);
  }
  return hash;
}

nlohmann::json identity(const std::string& path, uint64_t fingerprint) {
  return {{"path", path}, {"fingerprint", fmt::format("{:016x}", fingerprint)}};
}

nlohmann::json identity_of_folder(const fs::path& folder, bool drawn) {
  uint64_t hash = hash_of_config(folder / "config.json");
  if (!drawn) hash = hash_of_samples(ModelWeights(folder), hash);
  return identity(fs::weakly_canonical(folder).string(), hash);
}

/// The folder that a role's key names.
const OptionValue* folder_of(const Run& run, const std::string& key) {
  const ftrun_options* options = run.setup().plugins->paradigm.options;
  const OptionValue* own = options->own->find(key);
  return own != nullptr ? own : options->host->find(key);
}

/// Does anything of the run still come from its base once a checkpoint is restored?
bool needs_base(const Run& run) {
  const std::vector<bool>& trained = run.trained();
  return std::ranges::find(trained, false) != trained.end() || run.paradigm().roles().size() > 1;
}

std::string text_at(const nlohmann::json& models, const std::string& key, const char* part) {
  return models.contains(key) ? models.at(key).value(part, std::string()) : std::string();
}

/// The fingerprint behind `key`; what a run does not name is its base's, as for a reference model.
std::string fingerprint_at(const nlohmann::json& models, const std::string& key) {
  if (models.contains(key) || key == kAdapterKey) return text_at(models, key, "fingerprint");
  return text_at(models, kBaseKey, "fingerprint");
}

// What is trained comes from the checkpoint; only what keeps or computes the start needs the adapter that it was.
void check_start(const Run& run, const nlohmann::json& before, const nlohmann::json& now, const fs::path& checkpoint) {
  if (!before.contains(kStartKey) || !now.contains(kStartKey)) return;
  if (text_at(before, kStartKey, "fingerprint") == text_at(now, kStartKey, "fingerprint")) return;
  const std::string message = fmt::format(
      "{}: {}: '{}' is not what the run of '{}' started from, which was '{}'", folder_of(run, kAdapterKey)->origin,
      kAdapterKey, text_at(now, kStartKey, "path"), checkpoint.string(), text_at(before, kStartKey, "path"));
  if (run.start_elements() > 0) throw invalid_argument("{}, and the start is kept as a reference: restore it", message);
  log_warning(
      "{}: weights are those of the checkpoint, but what is computed with the initial model is computed with this "
      "one",
      message);
}

void check_key(const Run& run, const std::string& key, const nlohmann::json& before, const nlohmann::json& now,
               const fs::path& checkpoint) {
  if (key == kStartKey) return check_start(run, before, now, checkpoint);
  if (fingerprint_at(before, key) == fingerprint_at(now, key)) return;
  const auto named = [&](const nlohmann::json& models) {
    const std::string path = text_at(models, key, "path");
    return path.empty() ? std::string("(none)") : fmt::format("'{}'", path);
  };
  const OptionValue* value = folder_of(run, key);
  if (key == kAdapterKey) {
    throw invalid_argument(
        "{}: {}: the adapters that are merged into the base ({}; with create_new_adapter all, else all but the last) "
        "are "
        "not those of the run of '{}', which were {}: restore {} and create_new_adapter",
        value == nullptr ? "default" : value->origin, key, named(now), checkpoint.string(), named(before), key);
  }
  const std::string message =
      fmt::format("{}: {}: {} is not what the run of '{}' began from, which was {}",
                  value == nullptr ? "default" : value->origin, key, named(now), checkpoint.string(), named(before));
  if (key == kBaseKey && !needs_base(run)) {
    log_warning(
        "{}: weights are those of the checkpoint, but what is computed with the initial model is computed with this "
        "one",
        message);
    return;
  }
  const std::string path = text_at(before, key, "path");
  const bool is_gone = !path.empty() && !fs::exists(path);
  throw invalid_argument("{}: weights that the checkpoint does not hold come from it: restore it{}", message,
                         is_gone ? " (it is not there any more)" : "");
}

}  // namespace

nlohmann::json base_models(const Run& run) {
  nlohmann::json models = nlohmann::json::object();
  for (const auto& role : run.paradigm().roles()) {
    const OptionValue* folder = folder_of(run, role.model_key);
    if (folder == nullptr || !folder->is_set || models.contains(role.model_key)) continue;
    const bool drawn = run.arguments().train_from_scratch && role.model_key == kBaseKey;
    models[role.model_key] = identity_of_folder(folder->text, drawn);
  }
  std::string paths;
  uint64_t hash = 0;
  for (const auto& adapter : run.adapters().merged) {
    const uint64_t own = adapter->content_hash();
    hash = content_hash(std::as_bytes(std::span(&own, 1)), hash);
    paths += (paths.empty() ? "" : ", ") + fs::weakly_canonical(adapter->folder()).string();
  }
  if (!paths.empty()) models[kAdapterKey] = identity(paths, hash);
  if (const auto& start = run.adapters().continued) {
    models[kStartKey] = identity(fs::weakly_canonical(start->folder()).string(), start->content_hash());
  }
  return models;
}

void check_same_bases(const Run& run, const nlohmann::json& recorded, const fs::path& checkpoint) {
  if (recorded.empty()) return;
  const nlohmann::json now = base_models(run);
  nlohmann::json keys = recorded;
  keys.update(now);
  for (const auto& [key, unused] : keys.items()) check_key(run, key, recorded, now, checkpoint);
}

}  // namespace ftrun
