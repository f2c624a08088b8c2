// A tokenizer folder that transformers opens with other rules than its tokenizer.json has: some of its classes keep
// vocabulary and merges and build the rest anew. Which classes, for which folders, is data
// (configs/tokenizers/transformers.json). Leaves out: the tokenizer itself, which is always the file's.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace ftrun {

class Tokenizer;

struct ReplacedTokenizer {
  std::string class_name;          ///< of transformers
  std::vector<std::string> parts;  ///< keys of tokenizer.json that the class has its own of, and that change ids
  bool is_always = false;          ///< whatever tokenizer_class says
};

/// What AutoTokenizer of transformers 5 replaces when it opens `folder` with a tokenizer.json of these rules
/// (Tokenizer::rules). Nothing: ids are those of tokenizer.json, or there is no shipped data. Reads
/// tokenizer_config.json and config.json, which may be missing. Throws INVALID_ARGUMENT naming the file for malformed
/// JSON.
std::optional<ReplacedTokenizer> replaced_tokenizer(const nlohmann::json& rules, const std::filesystem::path& folder);

/// Warns where something of `tokenizer`, which is that of `folder`, is replaced: what, and how it is avoided.
void warn_of_replaced_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& folder);

}  // namespace ftrun
