// The class by model_type and tokenizer_class, then its parts against the file's.
#include "core/data/replaced_tokenizer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/base/logging.h"
#include "core/data/tokenizer/tokenizer.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

/// Beside the executable: the build tree has the install's layout.
fs::path shipped_file() {
  const fs::path executable = fs::read_symlink("/proc/self/exe");
  return executable.parent_path().parent_path() / "share/ftrun/configs/tokenizers/transformers.json";
}

Json read_if_there(const fs::path& file) { return fs::is_regular_file(file) ? read_json_file(file) : Json::object(); }

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// transformers reads both spellings of a class as one.
std::string without_fast(std::string name) {
  constexpr std::string_view kFast = "Fast";
  if (name.ends_with(kFast)) name.resize(name.size() - kFast.size());
  return name;
}

/// One form of what gives the same ids: trim_offsets moves none, a sequence of one is that one, of none nothing.
Json canonical(Json part) {
  if (!part.is_object()) return Json();
  part.erase("trim_offsets");
  for (const char* key : {"normalizers", "pretokenizers"}) {
    if (!part.contains(key) || !part[key].is_array()) continue;
    Json elements = Json::array();
    for (Json& element : part[key]) elements.push_back(canonical(std::move(element)));
    if (elements.empty()) return Json();
    if (elements.size() == 1) return elements.front();
    part[key] = std::move(elements);
  }
  return part;
}

/// The classes take add_prefix_space from tokenizer_config.json.
void set_prefix_space(Json& part, bool value) {
  if (part.is_object() && part.contains("add_prefix_space")) part["add_prefix_space"] = value;
  if (!part.is_structured()) return;
  for (Json& inner : part) set_prefix_space(inner, value);
}

/// The name of the class and whether tokenizer_class has no say; an empty name: not told by the data.
std::pair<std::string, bool> class_of(const Json& known, const std::string& model_type, const std::string& named) {
  const std::string usual = text_at(known.at("class_of_model_type"), model_type.c_str());
  const Json& always = known.at("model_types_whose_tokenizer_class_is_ignored");
  if (std::ranges::find(always, Json(model_type)) != always.end()) return {usual, true};
  return {named.empty() ? usual : without_fast(named), false};
}

}  // namespace

std::optional<ReplacedTokenizer> replaced_tokenizer(const Json& rules, const fs::path& folder) {
  const Json known = read_if_there(shipped_file());
  if (known.empty()) return {};
  const Json settings = read_if_there(folder / "tokenizer_config.json");
  const std::string model_type = text_at(read_if_there(folder / "config.json"), "model_type");
  ReplacedTokenizer replaced;
  std::tie(replaced.class_name, replaced.is_always) = class_of(known, model_type, text_at(settings, "tokenizer_class"));
  const auto rebuilt = known.at("rebuilt").find(replaced.class_name);
  if (rebuilt == known.at("rebuilt").end()) return {};
  const bool prefix_space = settings.value("add_prefix_space", Json(false)) == true;
  for (const char* key : {"normalizer", "pre_tokenizer"}) {
    Json theirs = rebuilt->value(key, Json());
    set_prefix_space(theirs, prefix_space);
    if (canonical(theirs) != canonical(rules.value(key, Json()))) replaced.parts.emplace_back(key);
  }
  if (rules.value("ignore_merges", false)) replaced.parts.emplace_back("ignore_merges");
  return replaced.parts.empty() ? std::nullopt : std::optional(replaced);
}

void warn_of_replaced_tokenizer(const Tokenizer& tokenizer, const fs::path& folder) {
  const std::optional<ReplacedTokenizer> replaced = replaced_tokenizer(tokenizer.rules(), folder);
  if (!replaced) return;
  const std::string avoided =
      replaced->is_always
          ? std::string("open it there with PreTrainedTokenizerFast.from_pretrained; no tokenizer_class helps")
          : fmt::format("'\"tokenizer_class\": \"PreTrainedTokenizerFast\"' in '{}' avoids it",
                        (folder / "tokenizer_config.json").string());
  log_warning(
      "'{}': AutoTokenizer of transformers 5 opens it as {}, with that class's {} in place of the file's, and gives "
      "other ids than ftrun, which takes the file: {}",
      (folder / "tokenizer.json").string(), replaced->class_name, fmt::join(replaced->parts, " and "), avoided);
}

}  // namespace ftrun
