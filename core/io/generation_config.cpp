// Reading generation_config.json, or making one from the model's token ids.
#include "core/io/generation_config.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/io/config_keys.h"

namespace ftrun {

GenerationConfig parse_generation_config(std::string_view text, const std::filesystem::path& file,
                                         std::optional<int64_t> vocab_size) {
  GenerationConfig config;
  config.raw = parse_json(text, file);
  if (!config.raw.is_object()) throw invalid_argument("{}: expected a JSON object", file.string());
  const ConfigKeys keys(config.raw, text, file);
  const std::vector<int64_t> bos = keys.token_ids("bos_token_id", vocab_size);
  if (!bos.empty()) config.bos_token_id = bos.front();
  config.pad_token_id = keys.token_id_or_none("pad_token_id", vocab_size);
  config.eos_token_ids = keys.token_ids("eos_token_id", vocab_size);
  config.do_sample = keys.boolean("do_sample");
  config.temperature = keys.number("temperature", 0.0);
  config.top_p = keys.number("top_p", 0.0);
  config.top_k = keys.integer("top_k", 0);
  config.repetition_penalty = keys.number("repetition_penalty", 0.0);
  config.max_new_tokens = keys.integer("max_new_tokens", 1);
  config.max_length = keys.integer("max_length", 1);
  return config;
}

GenerationConfig read_generation_config(const std::filesystem::path& file, std::optional<int64_t> vocab_size) {
  return parse_generation_config(read_file(file), file, vocab_size);
}

GenerationConfig generation_config_of(const std::filesystem::path& model_folder, const ModelConfig& config) {
  const std::filesystem::path file = model_folder / "generation_config.json";
  if (std::filesystem::exists(file)) return read_generation_config(file, config.vocab_size);
  nlohmann::json raw = {{"_from_model_config", true}};
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (config.raw.contains(key) && !config.raw[key].is_null()) raw[key] = config.raw[key];
  }
  return parse_generation_config(raw.dump(2), file);
}

std::vector<int64_t> eos_ids_with(std::optional<int64_t> eos, const std::vector<int64_t>& ids) {
  if (!eos || std::find(ids.begin(), ids.end(), *eos) != ids.end()) return ids;
  std::vector<int64_t> result = {*eos};
  result.insert(result.end(), ids.begin(), ids.end());
  return result;
}

GenerationConfig with_token_ids(const GenerationConfig& config, std::optional<int64_t> bos, std::optional<int64_t> eos,
                                std::optional<int64_t> pad) {
  nlohmann::json raw = config.raw;
  const std::vector<int64_t> ends = eos_ids_with(eos, config.eos_token_ids);
  if (ends != config.eos_token_ids)
    raw["eos_token_id"] = ends.size() == 1 ? nlohmann::json(ends[0]) : nlohmann::json(ends);
  if (bos && config.bos_token_id != bos) raw["bos_token_id"] = *bos;
  if (pad && config.pad_token_id != pad) raw["pad_token_id"] = *pad;
  return parse_generation_config(raw.dump(2), "generation_config.json");
}

std::string GenerationConfig::to_json_text() const { return raw.dump(2) + "\n"; }

}  // namespace ftrun
