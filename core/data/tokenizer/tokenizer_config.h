// Reads what the folder's other tokenizer files say: tokenizer_config.json, special_tokens_map.json, chat templates.
// Leaves out: ids of the named tokens (Tokenizer::load looks them up).
#pragma once

#include <filesystem>
#include <vector>

#include "core/data/tokenizer/added_tokens.h"
#include "core/data/tokenizer/tokenizer.h"

namespace ftrun {

/// An entry of tokenizer_config.json's added_tokens_decoder, to be checked against tokenizer.json.
struct DeclaredToken {
  int32_t id;
  std::string content;
  std::string key_path;
};

struct TokenizerFolder {
  TokenizerConfig config;  ///< ids of special tokens still absent
  std::vector<DeclaredToken> declared_tokens;
  std::vector<TokenizerFile> files;  ///< sorted by name, includes tokenizer.json
};

/// Throws NOT_FOUND when the folder or its tokenizer.json is missing, INVALID_ARGUMENT naming file and key path.
TokenizerFolder read_tokenizer_folder(const std::filesystem::path& folder);

}  // namespace ftrun
