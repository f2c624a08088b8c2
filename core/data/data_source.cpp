// dataset_info.json entries and bare paths; what LLaMA-Factory's entries may hold and this program cannot is refused.
#include "core/data/data_source.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/base/nearest_name.h"
#include "core/base/path_text.h"
#include "core/config/yaml_reader.h"
#include "core/data/row_reader.h"

namespace ftrun {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInfoFile = "dataset_info.json";
constexpr std::array kHubKeys = {"hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"};
constexpr std::array kColumnKeys = {"prompt", "query",  "response", "history", "messages", "system",
                                    "tools",  "chosen", "rejected", "kto_tag", "margin"};
constexpr std::array kMediaColumns = {"images", "videos", "audios"};
constexpr std::array kTagKeys = {"role_tag",        "content_tag",  "user_tag",  "assistant_tag",
                                 "observation_tag", "function_tag", "system_tag"};

// As LLaMA-Factory read them until 0.6.
constexpr std::string_view kPairsInOneColumn =
    "pairs with both answers in one column ([good, bad]) are an old form: give each answer a column of its own and "
    "name "
    "them as columns.chosen and columns.rejected";

template <typename Keys>
bool contains(const Keys& keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// A file_name as an entry gives it: relative to the folder of the file, unless it says otherwise.
fs::path info_folder_file(const fs::path& folder, const std::string& name, const std::string& place) {
  return folder / expand_path(name, place + ": file_name");
}

/// One dataset's entry, with line numbers from a second, position-keeping parse (JSON is YAML).
class InfoEntry {
 public:
  InfoEntry(fs::path file, std::string name, const nlohmann::json& entry, const YAML::Node& marks, RowKind kind)
      : file_(std::move(file)), name_(std::move(name)), entry_(entry), marks_(marks), kind_(kind) {}

  DataSource read() const {
    if (!entry_.is_object()) throw error(marks_, "expected an object");
    check_keys();
    DataSource source;
    source.name = name_;
    source.format = entry_.contains("formatting") ? text("formatting") : "alpaca";
    const RowFormat& format = known_format(source.format);
    check_kind();
    refuse_unused(format);
    // As LLaMA-Factory does: a given `columns` or `tags` replaces the defaults, unlisted ones do not exist.
    source.columns = entry_.contains("columns") ? columns() : format.default_columns(kind_);
    source.tags = entry_.contains("tags") ? names_of("tags", kTagKeys) : format.default_tags;
    try {
      format.bind(source.columns, source.tags, kind_);
    } catch (const Error& reason) {
      throw error(mark("columns"), "{}", reason.what());
    }
    source.files.push_back(info_folder_file(file_.parent_path(), text("file_name"), place(mark("file_name"))));
    return source;
  }

 private:
  template <typename... Args>
  Error error(const YAML::Node& at, fmt::format_string<Args...> format, Args&&... args) const {
    return invalid_argument("{}: dataset '{}': {}", place(at), name_, fmt::format(format, std::forward<Args>(args)...));
  }

  std::string place(const YAML::Node& at) const {
    const std::string where = at.IsDefined() && at.Mark().line >= 0 ? fmt::format(":{}", at.Mark().line + 1) : "";
    return file_.string() + where;
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

  /// What the entry says of itself must be what is asked for.
  void check_kind() const {
    if (kind_ == RowKind::kPrompt) return;
    const bool is_ranking = entry_.contains("ranking") && entry_["ranking"] != false;
    const bool wants_pairs = kind_ == RowKind::kPairwise;
    if (is_ranking && !wants_pairs)
      throw error(mark("ranking"), "is preference data (ranking: true), and {}", row_kind_use(kind_));
    if (!is_ranking && wants_pairs)
      throw error(mark("ranking"),
                  "has no pairs (ranking is not true), and {}: a set of pairs "
                  "has ranking: true and the columns chosen and rejected",
                  row_kind_use(kind_));
    if (!entry_.contains("columns")) return;
    const ColumnMap given = columns();
    for (const char* column : {"chosen", "rejected", "kto_tag"}) {
      const bool wanted = std::string_view(column) == "kto_tag" ? kind_ == RowKind::kLabelled : wants_pairs;
      if (given.contains(column) && !wanted)
        throw error(mark("columns"), "is preference data (column {}), and {}", column, row_kind_use(kind_));
    }
    if (kind_ == RowKind::kLabelled && !given.contains("kto_tag"))
      throw error(mark("columns"), "has no labels (columns.kto_tag), and {}", row_kind_use(kind_));
  }

  // LLaMA-Factory ignores these without a word.
  void refuse_unused(const RowFormat& format) const {
    const std::vector<std::string> known = format.column_keys(kind_);
    if (entry_.contains("tags") && format.default_tags.empty()) {
      throw error(mark("tags"), "tags: the {} format has no roles that they could name; its columns are {}",
                  format.name, fmt::to_string(fmt::join(known, ", ")));
    }
    if (!entry_.contains("columns") || known.empty()) return;
    for (const auto& item : columns()) {
      if (contains(known, item.first)) continue;
      if (kind_ == RowKind::kPairwise && item.first == "response")
        throw error(mark("columns"), "columns.response: {}", kPairsInOneColumn);
      throw error(mark("columns"), "columns.{}: the {} format has no use for it; its columns are {}", item.first,
                  format.name, fmt::to_string(fmt::join(known, ", ")));
    }
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
    if (entry_.contains("ranking") && !entry_["ranking"].is_boolean())
      throw error(mark("ranking"), "ranking: expected true or false");
    if (entry_.contains("split") && entry_["split"] != "train")
      throw error(mark("split"), "split is for data on a hub; a file has one split, 'train'");
  }

  ColumnMap columns() const {
    for (const auto& item : entry_["columns"].items()) {
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
  RowKind kind_;
};

bool takes_text(RowKind kind) { return kind == RowKind::kPlain || kind == RowKind::kPrompt; }

std::string_view file_types(RowKind kind) { return takes_text(kind) ? ".json, .jsonl and .txt" : ".json and .jsonl"; }

// Why a file of this type holds no rows, with what to do; "" for the types that do.
std::string type_problem(const fs::path& file, RowKind kind) {
  const std::string ending = file.extension().string();
  if (ending == ".json" || ending == ".jsonl" || (ending == ".txt" && takes_text(kind))) return {};
  std::string advice = "convert it to JSON lines";
  if (ending == ".txt") advice = "plain text is for pretraining; instruction data is .json or .jsonl";
  for (const std::string type : {"csv", "parquet"}) {
    if (ending != "." + type && !(ending == ".arrow" && type == "parquet")) continue;
    advice = fmt::format(
        "convert it, for example: python -c \"import pandas; pandas.read_{0}('x.{0}').to_json('x.jsonl', "
        "orient='records', lines=True)\"",
        type);
  }
  return fmt::format("file type '{}' is not supported, only {}: {}", ending, file_types(kind), advice);
}

std::vector<std::string> keys_of(const nlohmann::json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

// A folder with dataset_info.json holds data sets by name, not the rows of one.
void refuse_dataset_dir(const fs::path& folder, std::string_view place) {
  const fs::path info_file = folder / kInfoFile;
  if (!fs::exists(info_file)) return;
  throw invalid_argument(
      "{}: '{}' is a folder of data sets (it has {}): write 'dataset_dir: {}' and name them; data "
      "sets: {}",
      place, folder.string(), kInfoFile, folder.string(),
      fmt::to_string(fmt::join(keys_of(read_json_file(info_file)), ", ")));
}

/// A folder stands for its files in the order of their names.
std::vector<fs::path> files_in(const fs::path& folder, std::string_view place, RowKind kind) {
  refuse_dataset_dir(folder, place);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename().string().front() != '.') files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    if (type_problem(file, kind).empty()) continue;
    throw invalid_argument("{}: '{}' is a folder and holds '{}': expected a file, or a folder of {} files only", place,
                           folder.string(), file.filename().string(), file_types(kind));
  }
  if (files.empty()) {
    throw not_found("{}: '{}' is a folder without files: expected a .json or .jsonl file, or a folder of them", place,
                    folder.string());
  }
  return files;
}

std::vector<fs::path> expand_files(const fs::path& path, std::string_view place, RowKind kind) {
  if (!fs::exists(path)) throw not_found("{}: file '{}' does not exist", place, path.string());
  if (fs::is_directory(path)) return files_in(path, place, kind);
  if (const std::string problem = type_problem(path, kind); !problem.empty()) {
    throw invalid_argument("{}: '{}': {}", place, path.string(), problem);
  }
  return {path};
}

struct DetectionRow {
  nlohmann::ordered_json row;
  int64_t line = 0;
};

/// The first row that is a JSON object tells the format: rows before it are bad rows, counted when the data is read.
DetectionRow detection_row(const MappedFile& file, const std::string& value, std::string_view place) {
  RowReader reader(file);
  std::optional<DetectionRow> other;
  std::string fault;
  for (auto raw = reader.next(); raw; raw = reader.next()) {
    try {
      DetectionRow parsed{parse_row(file, *raw), raw->line};
      if (parsed.row.is_object()) return parsed;
      if (!other) other = std::move(parsed);
    } catch (const RowError& reason) {
      if (fault.empty()) {
        fault = fmt::format("{}: {}", row_place(file.path().string(), raw->line, raw->element), reason.what());
      }
    }
  }
  if (other) return std::move(*other);
  if (fault.empty()) throw invalid_argument("{}: '{}' has no rows", place, file.path().string());
  throw invalid_argument("{}: no row of '{}' can be read; the first: {}", place, value, fault);
}

/// What a first row of that kind must have, for messages.
std::string_view wanted_columns(RowKind kind) {
  switch (kind) {
    case RowKind::kPairwise:
      return "chosen and rejected beside a prompt: messages (openai), conversations (sharegpt) or instruction (alpaca)";
    case RowKind::kLabelled:
      return "kto_tag or label (true or false) beside messages (openai), conversations (sharegpt) or instruction and "
             "output (alpaca)";
    case RowKind::kPlain:
      return "text";
    case RowKind::kPrompt:
      return "messages (openai), conversations (sharegpt), instruction or prompt (alpaca), or text";
    case RowKind::kSupervised:
      break;
  }
  return "messages (openai), conversations (sharegpt) or instruction (alpaca)";
}

/// What rows that fit no format might be, for messages.
std::string hint_of(const nlohmann::ordered_json& row, RowKind kind) {
  if (!row.is_object()) return {};
  if (kind == RowKind::kPairwise && row.contains("output") && row["output"].is_array())
    return fmt::format(" ({})", kPairsInOneColumn);
  return !takes_text(kind) && row.contains("text") ? " (plain text rows are for pretraining)" : "";
}

DataSource detect_source(const std::string& value, const fs::path& path, std::string_view place, RowKind kind) {
  DataSource source;
  source.name = value;
  source.files = expand_files(path, place, kind);
  const MappedFile file(source.files.front());
  const DetectionRow detection = detection_row(file, value, place);
  const nlohmann::ordered_json& row = detection.row;
  for (const RowFormat& format : row_formats()) {
    auto found = format.detect(row, kind);
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
      "{}:{}: cannot tell the format of dataset '{}': {}: expected {} in this row, found {}; "
      "describe its columns in dataset_info.json{}",
      source.files.front().string(), detection.line, value, row_kind_use(kind), wanted_columns(kind),
      keys.empty() ? std::string(json_kind(row)) : fmt::to_string(fmt::join(keys, ", ")), hint_of(row, kind));
}

DataSource named_source(const std::string& name, const fs::path& dataset_dir, std::string_view place, RowKind kind) {
  const fs::path info_file = dataset_dir / kInfoFile;
  const bool exists = fs::exists(info_file);
  const nlohmann::json info = exists ? read_json_file(info_file) : nlohmann::json::object();
  if (!info.is_object()) throw invalid_argument("{}:1: expected an object of data sets", info_file.string());
  if (!info.contains(name) && fs::is_directory(name)) {
    refuse_dataset_dir(name, place);
    throw invalid_argument("{0}: '{1}' is a folder: write '{1}/' to read all files in it", place, name);
  }
  if (!exists)
    throw not_found("{}: '{}' is neither a .json or .jsonl file nor can it be looked up: '{}' does not exist", place,
                    name, info_file.string());
  if (!info.contains(name)) {
    const std::vector<std::string> known = keys_of(info);
    throw invalid_argument("{}: '{}' is not in {}{}; data sets: {}", place, name, info_file.string(),
                           did_you_mean(name, known), fmt::to_string(fmt::join(known, ", ")));
  }
  YAML::Node marks;
  try {
    marks = load_yaml(read_file(info_file), {info_file.string()}).at(0)[name];
  } catch (const std::exception&) {
    marks = YAML::Node();  // JSON that is not YAML (tabs, for example): messages go without a line
  }
  DataSource source = InfoEntry(info_file, name, info[name], marks, kind).read();
  source.files = expand_files(source.files.front(), fmt::format("{}: dataset '{}'", info_file.string(), name), kind);
  return source;
}

bool is_path(const std::string& value) {
  return value.find('/') != std::string::npos ||
         contains(std::array{".json", ".jsonl", ".txt", ".csv", ".parquet", ".arrow"},
                  fs::path(value).extension().string());
}

fs::path located(const std::string& value, const fs::path& dataset_dir) {
  const fs::path path(value);
  const bool in_dataset_dir = !fs::exists(path) && path.is_relative() && fs::exists(dataset_dir / path);
  return in_dataset_dir ? dataset_dir / path : path;
}

}  // namespace

DataSource resolve_data_source(const std::string& value, const std::filesystem::path& dataset_dir,
                               std::string_view place, RowKind kind) {
  if (!is_path(value)) return named_source(value, dataset_dir, place, kind);
  return detect_source(value, located(value, dataset_dir), place, kind);
}

std::vector<std::filesystem::path> data_source_files(const std::string& value,
                                                     const std::filesystem::path& dataset_dir) {
  if (is_path(value)) return {located(value, dataset_dir)};
  try {
    const nlohmann::json info = read_json_file(dataset_dir / kInfoFile);
    return {info_folder_file(dataset_dir, info.at(value).at("file_name").get<std::string>(), "dataset")};
  } catch (const std::exception&) {
    return {};  // reported with its place when the data is opened
  }
}

}  // namespace ftrun
