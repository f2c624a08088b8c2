// Typed access to the keys of one JSON object of a configuration file, with errors that name file, line and key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace ftrun {

/// Borrows the object and the text it was parsed from. null counts as absent everywhere, as in the Hub's files.
class ConfigKeys {
 public:
  ConfigKeys(const nlohmann::json& object, std::string_view text, const std::filesystem::path& file)
      : object_(object), text_(text), file_(file) {}

  /// The value, or nullptr when absent or null.
  const nlohmann::json* find(const char* key) const;

  std::optional<int64_t> integer(const char* key, int64_t minimum) const;
  int64_t required_integer(const char* key, int64_t minimum) const;
  std::optional<double> number(const char* key, double minimum) const;
  std::optional<bool> boolean(const char* key) const;
  std::optional<std::string> string(const char* key) const;
  std::vector<std::string> strings(const char* key) const;
  /// One id, a list of ids, or nothing. Ids are below `vocab_size` where that is known.
  std::vector<int64_t> token_ids(const char* key, std::optional<int64_t> vocab_size) const;
  /// One id below `vocab_size`, or nothing. Early published folders say -1 for "none".
  std::optional<int64_t> token_id_or_none(const char* key, std::optional<int64_t> vocab_size) const;

  /// "FILE:LINE: key 'K': expected E, got V".
  Error wrong(const char* key, std::string_view expected) const;
  /// "FILE:LINE: key 'K'": the line is that of the key's first appearance, left out when it has none.
  std::string where(const char* key) const;

 private:
  void require_in_vocabulary(const char* key, int64_t id, std::optional<int64_t> vocab_size) const;

  const nlohmann::json& object_;
  std::string_view text_;
  const std::filesystem::path& file_;
};

}  // namespace ftrun
