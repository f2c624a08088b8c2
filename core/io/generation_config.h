// generation_config.json: token ids and sampling defaults, kept whole for saving.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/hf_config.h"

namespace ftrun {

/// A parsed generation_config.json; every absent or null key is an empty optional.
struct GenerationConfig {
  std::optional<int64_t> bos_token_id;
  std::optional<int64_t> pad_token_id;
  std::vector<int64_t> eos_token_ids;
  std::optional<bool> do_sample;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<int64_t> top_k;
  std::optional<double> repetition_penalty;
  std::optional<int64_t> max_new_tokens;
  std::optional<int64_t> max_length;
  nlohmann::json raw;

  std::string to_json_text() const;
};

/// Token ids are below `vocab_size` where that is known.
/// Throws NOT_FOUND, or INVALID_ARGUMENT "FILE:LINE: key 'K': expected ..., got ...".
GenerationConfig parse_generation_config(std::string_view text, const std::filesystem::path& file,
                                         std::optional<int64_t> vocab_size = {});
GenerationConfig read_generation_config(const std::filesystem::path& file, std::optional<int64_t> vocab_size = {});

/// The folder's generation_config.json, or one made from config.json's token ids where there is none; its ids are in
/// `config`'s vocabulary.
GenerationConfig generation_config_of(const std::filesystem::path& model_folder, const ModelConfig& config);

/// A copy with these token ids as the trainer of transformers aligns them with its tokenizer: an absent id changes
/// nothing; end ids that were there stay behind the new one, as every one of them ends an answer.
/// Source: transformers 5.23, trainer_utils.py, align_special_tokens.
GenerationConfig with_token_ids(const GenerationConfig& config, std::optional<int64_t> bos, std::optional<int64_t> eos,
                                std::optional<int64_t> pad);

/// The end ids of a config that holds `ids`, once `eos` ends answers: `ids` as they are where they have it, else `eos`
/// before them.
std::vector<int64_t> eos_ids_with(std::optional<int64_t> eos, const std::vector<int64_t>& ids);

}  // namespace ftrun
