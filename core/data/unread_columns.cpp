// Names in use on the Hub: of columns with media, of metadata, of columns that mean what ours mean.
#include "core/data/unread_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/nearest_name.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

struct Medium {
  std::string_view column;
  std::string_view what;
  std::string_view placeholder;
};

constexpr std::array kMedia = {
    Medium{"images", "pictures", "<image>"},     Medium{"image", "a picture", "<image>"},
    Medium{"image_url", "a picture", "<image>"}, Medium{"videos", "videos", "<video>"},
    Medium{"video", "a video", "<video>"},       Medium{"audios", "sound", "<audio>"},
    Medium{"audio", "sound", "<audio>"},
};

constexpr std::array<std::string_view, 28> kMetadata = {
    "id",     "_id",       "idx",      "index",        "uid",       "uuid",     "guid", "row_id",
    "hash",   "source",    "dataset",  "dataset_name", "split",     "url",      "urls", "license",
    "author", "date",      "created",  "created_at",   "timestamp", "language", "lang", "__index_level_0__",
    "task",   "task_name", "category", "subset"};

struct OtherName {
  std::string_view column;
  std::string_view key;
};

// What other programs' data sets call the same thing.
constexpr std::array kOtherNames = {
    OtherName{"context", "query"},         OtherName{"question", "prompt"}, OtherName{"query", "prompt"},
    OtherName{"answer", "response"},       OtherName{"target", "response"}, OtherName{"response", "response"},
    OtherName{"completion", "response"},   OtherName{"output", "response"}, OtherName{"system_prompt", "system"},
    OtherName{"system_message", "system"}, OtherName{"functions", "tools"}, OtherName{"conversation", "messages"},
    OtherName{"messages", "messages"},     OtherName{"label", "kto_tag"},
};

bool says_nothing(const Json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  return value.is_null() || (value.is_structured() && value.empty());
}

/// Lists of nothing but nothing are nothing: "images": [null].
bool holds_nothing(const Json& value) {
  if (!value.is_array()) return says_nothing(value);
  return std::all_of(value.begin(), value.end(), [](const Json& item) { return says_nothing(item); });
}

bool contains_text(const Json& value, std::string_view text) {
  if (value.is_string()) return value.get_ref<const std::string&>().find(text) != std::string::npos;
  if (!value.is_structured()) return false;
  return std::any_of(value.begin(), value.end(), [&](const Json& item) { return contains_text(item, text); });
}

void require_text_only(const Json& row, const Medium& medium, const Json& value) {
  if (!holds_nothing(value))
    throw RowError(fmt::format("column '{}' has {}: text is the only medium supported", medium.column, medium.what));
  if (contains_text(row, medium.placeholder))
    throw RowError(fmt::format("has '{}' in its text and nothing in column '{}': text is the only medium supported",
                               medium.placeholder, medium.column));
}

}  // namespace

std::string_view media_placeholder_in(std::string_view text) {
  size_t first = std::string_view::npos;
  std::string_view found;
  for (const Medium& medium : kMedia) {
    const size_t at = text.find(medium.placeholder);
    if (at >= first) continue;
    first = at;
    found = medium.placeholder;
  }
  return found;
}

bool is_metadata_column(std::string_view column) {
  return std::find(kMetadata.begin(), kMetadata.end(), column) != kMetadata.end();
}

UnreadColumns::UnreadColumns(const DataSource& source, RowKind kind) {
  const RowFormat& format = find_row_format(source.format);
  for (const auto& [key, column] : source.columns) read_.insert(column);
  // Prompts are read of rows of any kind: what such rows have beside them is not lost.
  if (kind == RowKind::kPrompt) {
    for (const std::string& key : format.column_keys(kind)) read_.insert(key);
  }
  const ColumnMap defaults = format.default_columns(kind);
  for (const std::string& key : format.column_keys(kind)) {
    keys_.try_emplace(key, key);
    if (const auto usual = defaults.find(key); usual != defaults.end()) keys_.try_emplace(usual->second, key);
  }
}

std::vector<std::string> UnreadColumns::of_row(const Json& row) const {
  std::vector<std::string> unread;
  if (!row.is_object()) return unread;
  for (const auto& item : row.items()) {
    if (read_.contains(item.key())) continue;
    const auto medium =
        std::find_if(kMedia.begin(), kMedia.end(), [&](const Medium& known) { return known.column == item.key(); });
    if (medium != kMedia.end()) {
      require_text_only(row, *medium, item.value());
    } else if (!says_nothing(item.value())) {
      unread.push_back(item.key());
    }
  }
  return unread;
}

std::string UnreadColumns::might_mean(std::string_view column) const {
  const auto has_key = [&](std::string_view key) {
    return std::any_of(keys_.begin(), keys_.end(), [&](const auto& known) { return known.second == key; });
  };
  for (const OtherName& other : kOtherNames) {
    if (other.column == column && has_key(other.key)) return std::string(other.key);
  }
  std::vector<std::string> names;
  for (const auto& [name, key] : keys_) names.push_back(name);
  const std::string nearest = nearest_name(column, names);
  return nearest.empty() ? std::string() : keys_.find(nearest)->second;
}

void UnreadColumnTally::add(const std::vector<std::string>& unread) {
  for (const std::string& column : unread) {
    auto place = places_.find(column);
    if (place == places_.end()) {
      if (counted_.size() >= DataLedger::kColumnLimit) continue;
      place = places_.emplace(column, counted_.size()).first;
      const bool is_metadata = is_metadata_column(column);
      counted_.push_back({dataset_, column, is_metadata ? std::string() : columns_.might_mean(column), is_metadata, 0});
    }
    ++counted_[place->second].rows;
  }
}

}  // namespace ftrun
