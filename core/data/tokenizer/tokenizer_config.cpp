// Reads what the folder's other tokenizer files say: tokenizer_config.json, special_tokens_map.json, chat templates.
#include "core/data/tokenizer/tokenizer_config.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/data/tokenizer/json_view.h"

namespace ftrun {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFileNames[] = {
    "added_tokens.json", "chat_template.jinja",   "merges.txt", "special_tokens_map.json",
    "tokenizer.json",    "tokenizer_config.json", "vocab.json"};
constexpr std::string_view kTemplatePrefix = "additional_chat_templates/";

/// A token given as text or as an object with "content".
SpecialToken token_of(const JsonView& value) {
  if (value.raw().is_object())
    return {value.at("content").text(), std::nullopt, fmt::format("{}: {}", value.file(), value.path())};
  if (!value.raw().is_string()) value.fail("expected a string, an object with \"content\", or null");
  return {value.text(), std::nullopt, fmt::format("{}: {}", value.file(), value.path())};
}

struct NamedToken {
  const char* key;
  std::optional<SpecialToken> TokenizerConfig::*token;
};

constexpr NamedToken kNamedTokens[] = {{"bos_token", &TokenizerConfig::bos},
                                       {"eos_token", &TokenizerConfig::eos},
                                       {"pad_token", &TokenizerConfig::pad},
                                       {"unk_token", &TokenizerConfig::unk}};

void read_named_tokens(const JsonView& root, TokenizerConfig& config) {
  for (const NamedToken& named : kNamedTokens) {
    if (const auto value = root.find(named.key)) config.*named.token = token_of(*value);
  }
}

/// `wins`: what the map says, null too, replaces what tokenizer_config.json says.
void merge_special_tokens_map(const JsonView& map, bool wins, TokenizerConfig& config) {
  TokenizerConfig mapped;
  read_named_tokens(map, mapped);
  for (const NamedToken& named : kNamedTokens) {
    std::optional<SpecialToken>& token = config.*named.token;
    const std::optional<SpecialToken>& other = mapped.*named.token;
    const bool is_contested = token && other && token->text != other->text;
    if (wins && map.raw().contains(named.key)) token = other;
    if (is_contested) config.contested_tokens.emplace(named.key, token->text);
  }
}

void add_special_token(SpecialToken token, std::vector<SpecialToken>& tokens) {
  const auto same = [&](const SpecialToken& other) { return other.text == token.text; };
  if (std::none_of(tokens.begin(), tokens.end(), same)) tokens.push_back(std::move(token));
}

/// extra_special_tokens is a list, or a map from an attribute's name to the token.
void read_additional_tokens(const JsonView& root, TokenizerConfig& config) {
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    const auto list = root.find(key);
    if (!list) continue;
    if (list->raw().is_object()) {
      for (const auto& [name, token] : list->members()) {
        add_special_token(token_of(token), config.additional_special_tokens);
      }
      continue;
    }
    for (const JsonView& token : list->elements()) add_special_token(token_of(token), config.additional_special_tokens);
  }
}

void read_chat_template(const JsonView& root, TokenizerConfig& config) {
  const auto value = root.find("chat_template");
  if (!value) return;
  if (value->raw().is_string()) {
    config.named_chat_templates["default"] = value->text();
    return;
  }
  for (const JsonView& entry : value->elements()) {
    const JsonView name = entry.at("name");
    if (!config.named_chat_templates.emplace(name.text(), entry.at("template").text()).second) {
      name.fail(fmt::format("'{}' appears twice", name.text()));
    }
  }
}

void read_model_max_length(const JsonView& root, TokenizerConfig& config) {
  const auto value = root.find("model_max_length");
  if (!value) return;
  const auto& raw = value->raw();
  if (!raw.is_number()) value->fail("expected a number");
  const double length = raw.get<double>();
  if (length < 0) value->fail("expected a number that is not negative");
  if (length <= 9007199254740992.0) config.model_max_length = static_cast<int64_t>(length);
}

void read_declared_tokens(const JsonView& root, std::vector<DeclaredToken>& declared) {
  const auto decoder = root.find("added_tokens_decoder");
  if (!decoder) return;
  for (const auto& [key, token] : decoder->members()) {
    int32_t id = -1;
    const auto [end, status] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (status != std::errc() || end != key.data() + key.size() || id < 0) token.fail("expected a token id as key");
    declared.push_back({id, token.at("content").text(), token.path()});
  }
}

const std::string* content_of(const std::vector<TokenizerFile>& files, std::string_view name) {
  const auto file = std::find_if(files.begin(), files.end(), [&](const TokenizerFile& f) { return f.name == name; });
  return file == files.end() ? nullptr : &file->content;
}

void read_template_files(const std::vector<TokenizerFile>& files, const fs::path& folder, TokenizerConfig& config) {
  if (config.named_chat_templates.contains("default"))
    config.chat_template_file = (folder / "tokenizer_config.json").string();
  for (const TokenizerFile& file : files) {
    if (file.name == "chat_template.jinja") {
      config.named_chat_templates["default"] = file.content;
      config.chat_template_file = (folder / file.name).string();
    }
    if (!file.name.starts_with(kTemplatePrefix)) continue;
    config.named_chat_templates[fs::path(file.name).stem().string()] = file.content;
  }
}

std::vector<TokenizerFile> read_files(const fs::path& folder) {
  std::vector<TokenizerFile> files;
  for (const char* name : kFileNames) {
    if (fs::exists(folder / name)) files.push_back({name, read_file(folder / name)});
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder / kTemplatePrefix, ignored)) {
    if (entry.path().extension() != ".jinja" || !entry.is_regular_file(ignored)) continue;
    files.push_back({fmt::format("{}{}", kTemplatePrefix, entry.path().filename().string()), read_file(entry.path())});
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

}  // namespace

TokenizerFolder read_tokenizer_folder(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw not_found("{}: no such model folder", folder.string());
  if (!fs::exists(folder / "tokenizer.json")) {
    throw not_found("{}: no such file; a model folder needs a tokenizer.json", (folder / "tokenizer.json").string());
  }
  TokenizerFolder out;
  out.files = read_files(folder);
  bool map_wins = true;
  if (const std::string* text = content_of(out.files, "tokenizer_config.json")) {
    const fs::path file = folder / "tokenizer_config.json";
    const nlohmann::json document = parse_json(*text, file);
    const JsonView root(document, file.string());
    read_named_tokens(root, out.config);
    read_additional_tokens(root, out.config);
    read_chat_template(root, out.config);
    read_model_max_length(root, out.config);
    read_declared_tokens(root, out.declared_tokens);
    map_wins = !root.raw().contains("added_tokens_decoder");
    out.config.add_bos_token = root.flag_or("add_bos_token", false);
    out.config.add_eos_token = root.flag_or("add_eos_token", false);
  }
  if (const std::string* text = content_of(out.files, "special_tokens_map.json")) {
    const fs::path file = folder / "special_tokens_map.json";
    const nlohmann::json document = parse_json(*text, file);
    const JsonView root(document, file.string());
    merge_special_tokens_map(root, map_wins, out.config);
    read_additional_tokens(root, out.config);
  }
  read_template_files(out.files, folder, out.config);
  const auto standard = out.config.named_chat_templates.find("default");
  if (standard != out.config.named_chat_templates.end()) out.config.chat_template = standard->second;
  return out;
}

}  // namespace ftrun
