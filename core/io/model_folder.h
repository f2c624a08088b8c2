// Saving a Hugging Face model folder: config, generation config and tokenizer files beside the weights.
// Leaves out: the weights themselves (sharded_writer.h), adapters.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/io/generation_config.h"
#include "core/io/hf_config.h"

namespace ftrun {

/// Tokenizer files that are copied byte for byte where the source has them.
std::span<const std::string_view> tokenizer_file_names() noexcept;

/// What goes beside the weights.
struct ModelFolderFiles {
  /// Where the tokenizer files come from; empty: none are written.
  std::filesystem::path tokenizer_source;
  ModelConfig config;
  /// None: the file is not written.
  std::optional<GenerationConfig> generation;
  /// A Jinja chat template for tokenizer_config.json (and chat_template.jinja where the source has one); none: as it
  /// was.
  std::optional<std::string> chat_template;
  /// "eos_token" -> "<|im_end|>" and the like, for tokenizer_config.json and, where the source has it,
  /// special_tokens_map.json.
  std::map<std::string, std::string> special_tokens;
  /// config.json and generation_config.json are written.
  bool with_config = true;
};

/// Writes everything but the weights into `folder` (created where missing), each file atomically. Files already in
/// place (source equal to folder) are left alone. With the weights of ShardedModelWriter the folder opens in
/// transformers' AutoModelForCausalLM and AutoTokenizer.from_pretrained. Throws NOT_FOUND when tokenizer_source has no
/// tokenizer file at all, INVALID_ARGUMENT for malformed JSON in one that changes.
void save_model_files(const std::filesystem::path& folder, const ModelFolderFiles& files);

/// Bytes save_model_files will write, for the disk check of a checkpoint.
uint64_t model_files_bytes(const ModelFolderFiles& files);

}  // namespace ftrun
