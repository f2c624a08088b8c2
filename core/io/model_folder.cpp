// The files beside the weights are made in memory first, so that size and content are decided in one place.
#include "core/io/model_folder.h"

#include <array>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/json_text.h"

namespace ftrun {
namespace {

using Path = std::filesystem::path;

constexpr std::array<std::string_view, 11> kTokenizerFiles = {
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "chat_template.jinja",
    "chat_template.json",
};

std::map<std::string, std::string> read_tokenizer_files(const Path& source) {
  std::map<std::string, std::string> contents;
  for (const std::string_view name : kTokenizerFiles) {
    if (std::filesystem::exists(source / name)) contents.emplace(name, read_file(source / name));
  }
  if (contents.empty()) {
    throw not_found("{}: no tokenizer files: expected at least {}", source.string(), kTokenizerFiles.front());
  }
  return contents;
}

nlohmann::json parse_object(const std::string& text, const Path& file) {
  nlohmann::json json = parse_json(text, file);
  if (!json.is_object()) throw invalid_argument("{}: expected a JSON object", file.string());
  return json;
}

// A token may be a plain string or an object with its flags; only the text changes.
void set_token(nlohmann::json& object, const std::string& key, const std::string& token) {
  if (const auto found = object.find(key); found != object.end() && found->is_object()) {
    (*found)["content"] = token;
  } else {
    object[key] = token;
  }
}

void apply_tokenizer_changes(std::map<std::string, std::string>& contents, const ModelFolderFiles& files) {
  if (!files.chat_template && files.special_tokens.empty()) return;
  const Path config_file = files.tokenizer_source / "tokenizer_config.json";
  nlohmann::json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  if (const auto found = contents.find("tokenizer_config.json"); found != contents.end()) {
    config = parse_object(found->second, config_file);
  }
  if (files.chat_template) {
    config["chat_template"] = *files.chat_template;
    contents.erase("chat_template.json");
    if (contents.contains("chat_template.jinja")) contents["chat_template.jinja"] = *files.chat_template;
  }
  for (const auto& [key, token] : files.special_tokens) set_token(config, key, token);
  contents["tokenizer_config.json"] = config.dump(2) + "\n";
  const auto map_file = contents.find("special_tokens_map.json");
  if (map_file == contents.end() || files.special_tokens.empty()) return;
  nlohmann::json map = parse_object(map_file->second, files.tokenizer_source / "special_tokens_map.json");
  for (const auto& [key, token] : files.special_tokens) set_token(map, key, token);
  map_file->second = map.dump(2) + "\n";
}

std::map<std::string, std::string> make_contents(const ModelFolderFiles& files) {
  std::map<std::string, std::string> contents;
  if (!files.tokenizer_source.empty()) {
    contents = read_tokenizer_files(files.tokenizer_source);
    apply_tokenizer_changes(contents, files);
  }
  if (!files.with_config) return contents;
  contents["config.json"] = files.config.to_json_text();
  if (files.generation) contents["generation_config.json"] = files.generation->to_json_text();
  return contents;
}

}  // namespace

std::span<const std::string_view> tokenizer_file_names() noexcept { return kTokenizerFiles; }

void save_model_files(const std::filesystem::path& folder, const ModelFolderFiles& files) {
  const std::map<std::string, std::string> contents = make_contents(files);
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) throw io_error("cannot create folder '{}': {}", folder.string(), failure.message());
  for (const auto& [name, content] : contents) {
    const bool in_place = !files.tokenizer_source.empty() && std::filesystem::exists(folder / name) &&
                          std::filesystem::equivalent(folder, files.tokenizer_source) &&
                          read_file(folder / name) == content;
    if (!in_place) write_file_atomically(folder / name, content);
  }
}

uint64_t model_files_bytes(const ModelFolderFiles& files) {
  uint64_t bytes = 0;
  for (const auto& [name, content] : make_contents(files)) bytes += content.size();
  return bytes;
}

}  // namespace ftrun
