// The groups that make up the host's option table, and short forms to write their entries with.
#pragma once

#include <limits>
#include <span>

#include "ftrun/cpp/plugin.hpp"
#include "ftrun/option.h"

namespace ftrun::host_tables {

std::span<const ftrun_option> run_options();
std::span<const ftrun_option> model_options();
std::span<const ftrun_option> tuner_options();
std::span<const ftrun_option> data_options();
std::span<const ftrun_option> optimizer_options();
std::span<const ftrun_option> output_options();
std::span<const ftrun_option> generation_options();
std::span<const ftrun_option> export_options();

inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();
inline constexpr ftrun_option_flags kFlat = FTRUN_OPTION_FLAT;
inline constexpr ftrun_option_flags kUnset = FTRUN_OPTION_FLAT | FTRUN_OPTION_UNSET;

/// An empty default means unset, except for text.
template <size_t K, size_t V, size_t D>
constexpr ftrun_option flag(const char (&key)[K], const char (&value)[V], const char (&doc)[D]) {
  return sdk::option(key, FTRUN_OPTION_BOOL, value, doc, kFlat);
}
template <size_t K, size_t V, size_t D>
constexpr ftrun_option integer(const char (&key)[K], const char (&value)[V], double min, const char (&doc)[D]) {
  return sdk::with_range(sdk::option(key, FTRUN_OPTION_INT, value, doc, kFlat), {min, kNoLimit});
}
template <size_t K, size_t V, size_t D>
constexpr ftrun_option number(const char (&key)[K], const char (&value)[V], sdk::Range range, const char (&doc)[D]) {
  return sdk::with_range(sdk::option(key, FTRUN_OPTION_FLOAT, value, doc, kFlat), range);
}
template <size_t K, size_t V, size_t C, size_t D>
constexpr ftrun_option choice(const char (&key)[K], const char (&value)[V], const char (&choices)[C],
                              const char (&doc)[D]) {
  return sdk::with_choices(sdk::option(key, FTRUN_OPTION_STRING, value, doc, kFlat), choices);
}
template <size_t K, size_t D>
constexpr ftrun_option unset(const char (&key)[K], ftrun_option_type type, const char (&doc)[D]) {
  return sdk::option(key, type, "", doc, kUnset);
}
/// Likewise, of values that may be paths.
template <size_t K, size_t D>
constexpr ftrun_option paths(const char (&key)[K], ftrun_option_type type, const char (&doc)[D]) {
  return sdk::option(key, type, "", doc, kUnset | FTRUN_OPTION_MAY_BE_PATH);
}

}  // namespace ftrun::host_tables
