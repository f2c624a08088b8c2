// dataset_info.json entries and bare paths; what LLaMA-Factory's entries may hold and this program cannot is refused.
#include "core/data/data_source.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/error.h"
#include "core/base/json_text.h"
#include "core/base/nearest_name.h"
#include "core/data/row_reader.h"

namespace ftrun {
namespace {

namespace fs = std::filesystem;

constexpr std::array kHubKeys = {"hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"};
constexpr std::array kColumnKeys = {"prompt", "query", "response", "history", "messages", "system", "tools"};
constexpr std::array kPreferenceColumns = {"chosen", "rejected", "kto_tag"};
constexpr std::array kMediaColumns = {"images", "videos", "audios"};
constexpr std::array kTagKeys = {"role_tag",        "content_tag",  "user_tag",  "assistant_tag",
                                 "observation_tag", "function_tag", "system_tag"};

template <typename Keys>
bool contains(const Keys& keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// One dataset's entry, with line numbers from a second, position-keeping parse (JSON is YAML).
class InfoEntry {
 public:
  InfoEntry(fs::path file, std::string name, const nlohmann::json& entry, const YAML::Node& marks)
      : file_(std::move(file)), name_(std::move(name)), entry_(entry), marks_(marks) {}

  DataSource read() const {
    if (!entry_.is_object()) throw error(marks_, "expected an object");
    check_keys();
    DataSource source;
    source.name = name_;
    source.format = entry_.contains("formatting") ? text("formatting") : "alpaca";
    const RowFormat& format = known_format(source.format);
    // As LLaMA-Factory does: a given `columns` or `tags` replaces the defaults, unlisted ones do not exist.
    source.columns = entry_.contains("columns") ? columns() : format.default_columns;
    source.tags = entry_.contains("tags") ? names_of("tags", kTagKeys) : format.default_tags;
    try {
      format.bind(source.columns, source.tags);
    } catch (const Error& reason) {
      throw error(mark("columns"), "{}", reason.what());
    }
    source.files.push_back(file_.parent_path() / text("file_name"));
    return source;
  }

 private:
  template <typename... Args>
  Error error(const YAML::Node& at, fmt::format_string<Args...> format, Args&&... args) const {
    const std::string where = at.IsDefined() && at.Mark().line >= 0 ? fmt::format(":{}", at.Mark().line + 1) : "";
    return invalid_argument("{}{}: dataset '{}': {}", file_.string(), where, name_,
                            fmt::format(format, std::forward<Args>(args)...));
  }

  YAML::Node mark(const std::string& key) const {
    if (!marks_.IsMap()) return marks_;
    for (const auto& item : marks_) {
      if (item.first.Scalar() == key) return item.first;
    }
    return marks_;
  }

  std::string text(const std::string& key) const {
    if (!entry_[key].is_string()) throw error(mark(key), "{}: expected a string", key);
    return entry_[key].get<std::string>();
  }

  const RowFormat& known_format(const std::string& name) const {
    try {
      return find_row_format(name);
    } catch (const Error& reason) {
      throw error(mark("formatting"), "{}", reason.what());
    }
  }

  void check_keys() const {
    static const std::vector<std::string> known = {"file_name", "formatting", "ranking", "columns", "tags", "split"};
    for (const auto& item : entry_.items()) {
      const std::string& key = item.key();
      if (contains(kHubKeys, key))
        throw error(mark(key), "{}: data is read from local files only; download it and give file_name", key);
      if (key == "num_samples")
        throw error(mark(key), "num_samples is not supported (it resamples at random); use max_samples");
      if (key == "subset" || key == "folder") throw error(mark(key), "{} is for data on a hub; give file_name", key);
      if (!contains(known, key)) throw error(mark(key), "unknown key '{}'{}", key, did_you_mean(key, known));
    }
    if (!entry_.contains("file_name")) throw error(marks_, "needs file_name");
    if (entry_.contains("ranking") && entry_["ranking"] != false)
      throw error(mark("ranking"), "is preference data (ranking: true), and this stage learns from single answers");
    if (entry_.contains("split") && entry_["split"] != "train")
      throw error(mark("split"), "split is for data on a hub; a file has one split, 'train'");
  }

  ColumnMap columns() const {
    for (const auto& item : entry_["columns"].items()) {
      if (contains(kPreferenceColumns, item.key()))
        throw error(mark("columns"), "is preference data (column {}), and this stage learns from single answers",
                    item.key());
      if (contains(kMediaColumns, item.key()))
        throw error(mark("columns"), "column {}: text is the only medium supported", item.key());
    }
    return names_of("columns", kColumnKeys);
  }

  template <typename Keys>
  ColumnMap names_of(const std::string& key, const Keys& allowed) const {
    if (!entry_[key].is_object()) throw error(mark(key), "{}: expected an object", key);
    const std::vector<std::string> known(allowed.begin(), allowed.end());
    ColumnMap names;
    for (const auto& item : entry_[key].items()) {
      if (!contains(allowed, item.key()))
        throw error(mark(key), "{}: unknown key '{}'{}", key, item.key(), did_you_mean(item.key(), known));
      if (item.value().is_null()) continue;
      if (!item.value().is_string()) throw error(mark(key), "{}.{}: expected a string", key, item.key());
      names[item.key()] = item.value().template get<std::string>();
    }
    return names;
  }

  fs::path file_;
  std::string name_;
  const nlohmann::json& entry_;
  YAML::Node marks_;
};

void require_supported_type(const fs::path& file) {
  const std::string ending = file.extension().string();
  if (ending == ".json" || ending == ".jsonl") return;
  std::string_view advice = "convert it to JSON lines";
  if (ending == ".txt") advice = "plain text is for pretraining; instruction data is .json or .jsonl";
  if (ending == ".csv")
    advice =
        "convert it, for example: python -c \"import pandas; pandas.read_csv('x.csv')"
        ".to_json('x.jsonl', orient='records', lines=True)\"";
  if (ending == ".parquet" || ending == ".arrow")
    advice =
        "convert it, for example: python -c \"import pandas; pandas.read_parquet('x.parquet')"
        ".to_json('x.jsonl', orient='records', lines=True)\"";
  throw invalid_argument("{}: file type '{}' is not supported, only .json and .jsonl: {}", file.string(), ending,
                         advice);
}

/// A folder stands for its files in the order of their names.
std::vector<fs::path> expand_files(const fs::path& path, std::string_view asked_by) {
  if (!fs::exists(path)) throw not_found("{}: file '{}' does not exist", asked_by, path.string());
  std::vector<fs::path> files;
  if (fs::is_directory(path)) {
    for (const auto& entry : fs::directory_iterator(path)) {
      if (entry.is_regular_file() && entry.path().filename().string().front() != '.') files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) throw not_found("{}: folder '{}' has no files", asked_by, path.string());
  } else {
    files.push_back(path);
  }
  for (const fs::path& file : files) require_supported_type(file);
  return files;
}

DataSource detect_source(const std::string& value, const fs::path& path) {
  DataSource source;
  source.name = value;
  source.files = expand_files(path, fmt::format("dataset '{}'", value));
  const MappedFile file(source.files.front());
  const auto first = RowReader(file).next();
  if (!first) throw invalid_argument("dataset '{}': {} has no rows", value, path.string());
  nlohmann::ordered_json row;
  try {
    row = parse_row(file, *first);
  } catch (const RowError& reason) {
    throw invalid_argument("{}:{}: the first row {}", source.files.front().string(), first->line, reason.what());
  }
  for (const RowFormat& format : row_formats()) {
    auto found = format.detect(row);
    if (!found) continue;
    source.format = format.name;
    source.columns = std::move(found->first);
    source.tags = std::move(found->second);
    return source;
  }
  std::vector<std::string> keys;
  if (row.is_object()) {
    for (const auto& item : row.items()) keys.push_back(item.key());
  }
  throw invalid_argument(
      "{}:{}: cannot tell the format of dataset '{}': expected messages (openai), conversations (sharegpt) or "
      "instruction "
      "(alpaca) in the first row, found {}; describe its columns in dataset_info.json{}",
      source.files.front().string(), first->line, value,
      keys.empty() ? std::string(json_kind(row)) : fmt::to_string(fmt::join(keys, ", ")),
      row.is_object() && row.contains("text") ? " (plain text rows are for pretraining)" : "");
}

DataSource named_source(const std::string& name, const fs::path& dataset_dir) {
  const fs::path info_file = dataset_dir / "dataset_info.json";
  if (!fs::exists(info_file))
    throw not_found("dataset '{}' is neither a .json or .jsonl file nor can it be looked up: '{}' does not exist", name,
                    info_file.string());
  const nlohmann::json info = read_json_file(info_file);
  if (!info.is_object()) throw invalid_argument("{}:1: expected an object of datasets", info_file.string());
  if (!info.contains(name)) {
    std::vector<std::string> known;
    for (const auto& item : info.items()) known.push_back(item.key());
    throw invalid_argument("dataset '{}' is not in {}{}; datasets: {}", name, info_file.string(),
                           did_you_mean(name, known), fmt::to_string(fmt::join(known, ", ")));
  }
  YAML::Node marks;
  try {
    marks = YAML::LoadFile(info_file.string())[name];
  } catch (const YAML::Exception&) {
    marks = YAML::Node();  // JSON that is not YAML (tabs, for example): messages go without a line
  }
  DataSource source = InfoEntry(info_file, name, info[name], marks).read();
  source.files = expand_files(source.files.front(), fmt::format("{}: dataset '{}'", info_file.string(), name));
  return source;
}

}  // namespace

DataSource resolve_data_source(const std::string& value, const std::filesystem::path& dataset_dir) {
  const fs::path path(value);
  const std::string ending = path.extension().string();
  const bool is_path = value.find('/') != std::string::npos ||
                       contains(std::array{".json", ".jsonl", ".txt", ".csv", ".parquet", ".arrow"}, ending);
  if (!is_path) return named_source(value, dataset_dir);
  const bool in_dataset_dir = !fs::exists(path) && path.is_relative() && fs::exists(dataset_dir / path);
  return detect_source(value, in_dataset_dir ? dataset_dir / path : path);
}

}  // namespace ftrun
