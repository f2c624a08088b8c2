// Checking the keys of another framework's configuration against a table: mapped, without effect, or refused.
// Leaves out: the tables and what mapped keys mean (deepspeed_config.cpp, fsdp_config.cpp).
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "sharding/imported_strategy.h"

namespace ftrun::sharding {

/// One known key.
struct ForeignKeyRule {
  enum class Kind {
    kMapped,    ///< the reader looks at it itself
    kIgnored,   ///< any value: nothing here depends on it
    kAccepted,  ///< the listed values say what ftrun does anyway; others are refused
  };
  std::string_view key;
  Kind kind = Kind::kMapped;
  std::string_view accepted = {};  ///< comma-separated; "auto" and null always are
  std::string_view remedy = {};    ///< what to do instead of another value
};

/// The JSON value in `text`. INVALID_ARGUMENT with line and column for what is no JSON, a key that is there twice and a
/// number beyond a 64-bit float.
nlohmann::json read_foreign_json(std::string_view text);

/// `text` without a mark of UTF-8. Throws for a mark of another encoding.
std::string_view without_mark(std::string_view text);

/// A value as one would write it, numbers without exponent where they are whole.
std::string value_text(const nlohmann::json& value);
/// The number in a JSON number or in a text that is one, as value_text writes it; "" for everything else.
std::string number_text(const nlohmann::json& value);
/// A value for messages: as JSON, so that texts are seen to be texts.
std::string shown_text(const nlohmann::json& value);
/// True for null and "auto": the key might as well be absent.
bool is_unset(const nlohmann::json& value);

/// A map of the configuration with its place ("zero_optimization.") for messages.
class ForeignMap {
 public:
  /// INVALID_ARGUMENT unless `map` is an object.
  ForeignMap(const nlohmann::json& map, std::string place);

  /// INVALID_ARGUMENT for the first key that is unknown (with the nearest known one) or has a refused value; keys that
  /// are ignored are appended to `notes`.
  void check(std::span<const ForeignKeyRule> rules, std::vector<std::string>& notes) const;
  /// The value, or null when absent, null or "auto".
  const nlohmann::json& get(std::string_view key) const;
  bool flag(std::string_view key, bool otherwise) const;
  /// A number, also one that is written as text; "" when unset.
  std::string number(std::string_view key) const;
  /// A whole number, likewise, for an option; "" when unset.
  std::string whole_number(std::string_view key) const;
  std::string text(std::string_view key) const;
  const nlohmann::json& json() const noexcept { return map_; }
  const std::string& place() const noexcept { return place_; }
  [[noreturn]] void refuse(std::string_view key, const std::string& message) const;

 private:
  const nlohmann::json& map_;
  std::string place_;
};

/// " (did you mean 'x'?)" or "".
std::string nearest_rule(std::string_view key, std::span<const ForeignKeyRule> rules);

}  // namespace ftrun::sharding
