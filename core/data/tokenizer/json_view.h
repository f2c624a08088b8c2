// Typed access to parsed JSON with errors that name file and key path.
// Leaves out: parsing (core/base/json_text.h).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun {

/// "path.key", or "path["key"]" when key is not a plain name.
std::string join_key_path(const std::string& path, std::string_view key);

/// A value somewhere in a JSON document. Borrows the document. Every failure is INVALID_ARGUMENT
/// "FILE: PATH: what was expected".
class JsonView {
 public:
  JsonView(const nlohmann::json& value, std::string file, std::string path = "")
      : value_(&value), file_(std::move(file)), path_(std::move(path)) {}

  [[noreturn]] void fail(std::string_view message) const;

  const nlohmann::json& raw() const { return *value_; }
  const std::string& file() const { return file_; }
  const std::string& path() const { return path_; }

  /// Refuses keys other than these, without a nearest name: a program wrote the file, and a key is no typo.
  void expect_keys(std::initializer_list<std::string_view> known) const;

  JsonView at(std::string_view key) const;                        ///< required member
  std::optional<JsonView> find(std::string_view key) const;       ///< absent when missing or null
  std::vector<JsonView> elements() const;                         ///< of an array
  std::vector<std::pair<std::string, JsonView>> members() const;  ///< of an object

  std::string text() const;
  bool flag() const;
  bool flag_or(std::string_view key, bool missing) const;
  int32_t token_id() const;  ///< 0 .. kMaxTokenId

 private:
  void expect_object() const;

  const nlohmann::json* value_;
  std::string file_;
  std::string path_;
};

/// Ids above this are refused: lookups by id are tables.
constexpr int64_t kMaxTokenId = (int64_t{1} << 24) - 1;

}  // namespace ftrun
