// One rule for all keys.
#include "core/inference/generation_settings.h"

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/base/logging.h"

namespace ftrun {
namespace {

/// given > generation_config.json > default.
template <class Value>
Value chosen(const ResolvedConfig& config, const char* key, const Value& own, const std::optional<Value>& of_model) {
  return !config.is_given(key) && of_model ? *of_model : own;
}

void check(const GenerationSettings& settings, const ResolvedConfig& config, const std::filesystem::path& file) {
  SamplingArguments used = settings.sampling;
  if (!used.do_sample) used = {false, 1, 0, 1, used.repetition_penalty};
  try {
    validate(used);
  } catch (const Error& error) {
    // Given values have passed the option table's ranges.
    throw invalid_argument("{}: {}", file.string(), error.what());
  }
  if (used.do_sample) return;
  for (const char* key : {"temperature", "top_p", "top_k"}) {
    if (!config.is_given(key)) continue;
    const std::string reason = config.is_given("do_sample") ? config.origin("do_sample") : file.string();
    log_warning("{}: {}: has no effect: do_sample is false ({})", config.origin(key), key, reason);
  }
}

std::vector<std::string> stop_strings(const ResolvedConfig& config, const GenerationConfig& of_model,
                                      const std::filesystem::path& file) {
  if (config.is_set("stop")) {
    const std::vector<std::string>& given = config.get_list("stop");
    const bool is_flag = config.host().find("stop")->source == ValueSource::kCommandLine;
    if (given.empty() && is_flag) {
      throw invalid_argument("{}: stop: expected a text that ends an answer, or several: ['a', 'b']",
                             config.origin("stop"));
    }
    return given;
  }
  const auto found = of_model.raw.find("stop_strings");
  if (found == of_model.raw.end() || found->is_null()) return {};
  if (found->is_string()) return {found->get<std::string>()};
  std::vector<std::string> texts;
  for (const auto& text : *found) {
    if (!found->is_array() || !text.is_string()) {
      throw invalid_argument("{}: key 'stop_strings': expected a text or a list of texts, got {}", file.string(),
                             found->dump());
    }
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

}  // namespace

GenerationSettings read_generation_settings(const ResolvedConfig& config, const GenerationConfig& of_model,
                                            const std::filesystem::path& file) {
  GenerationSettings settings;
  SamplingArguments& sampling = settings.sampling;
  sampling.do_sample = chosen(config, "do_sample", config.get_bool("do_sample"), of_model.do_sample);
  sampling.temperature = chosen(config, "temperature", config.get_float("temperature"), of_model.temperature);
  sampling.top_p = chosen(config, "top_p", config.get_float("top_p"), of_model.top_p);
  sampling.top_k = static_cast<int32_t>(
      std::min<int64_t>(chosen(config, "top_k", config.get_int("top_k"), of_model.top_k), INT32_MAX));
  sampling.repetition_penalty =
      chosen(config, "repetition_penalty", config.get_float("repetition_penalty"), of_model.repetition_penalty);
  settings.max_new_tokens = chosen(config, "max_new_tokens", config.get_int("max_new_tokens"), of_model.max_new_tokens);
  settings.seed = static_cast<uint64_t>(config.get_int("seed"));
  settings.stop_strings = stop_strings(config, of_model, file);
  for (const std::string& text : settings.stop_strings) {
    if (!text.empty()) continue;
    throw invalid_argument("{}: stop: an empty text would end every answer",
                           config.is_set("stop") ? config.origin("stop") : file.string());
  }
  check(settings, config, file);
  return settings;
}

}  // namespace ftrun
