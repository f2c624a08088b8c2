// Typed access to the keys of a config.json with errors that name file, line, key and expectation.
// Leaves out: which keys a decoder has (decoder_config.h).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "ftrun/cpp/plugin.hpp"

namespace ftrun::decoder {

/// A JSON object of a config.json. `config` and `text` are borrowed. Getters throw sdk::Error INVALID_ARGUMENT
/// "FILE:LINE: key 'PREFIX.KEY': expected ..., got ...". A null value counts as absent.
class ConfigReader {
 public:
  ConfigReader(const nlohmann::json& config, std::string_view text, std::string path, std::string prefix = "")
      : config_(config), text_(text), path_(std::move(path)), prefix_(std::move(prefix)) {}

  /// Present and not null.
  bool has(std::string_view key) const;
  /// Integer >= 1.
  int64_t positive(std::string_view key) const;
  int64_t positive_or(std::string_view key, int64_t absent) const;
  /// Number above 0.
  double positive_number(std::string_view key) const;
  double positive_number_or(std::string_view key, double absent) const;
  bool boolean_or(std::string_view key, bool absent) const;
  std::string text_or(std::string_view key, std::string_view absent) const;
  /// The object under `key`; an empty object when absent.
  ConfigReader object(std::string_view key) const;
  const nlohmann::json& raw() const { return config_; }

  /// Throws "FILE:LINE: key 'KEY': expected `expected`, got VALUE".
  [[noreturn]] void refuse(std::string_view key, std::string_view expected) const;

 private:
  const nlohmann::json* find(std::string_view key) const;

  const nlohmann::json& config_;
  std::string_view text_;
  std::string path_;
  std::string prefix_;
};

/// Parses `text` as a JSON object; throws sdk::Error INVALID_ARGUMENT naming `path` and the place of the fault.
nlohmann::json parse_config(std::string_view text, std::string_view path);

}  // namespace ftrun::decoder
