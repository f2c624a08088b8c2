// Comparing stated values with the run's.
#include "sharding/expectations.h"

#include <charconv>
#include <cmath>
#include <optional>

namespace ftrun::sharding {
namespace {

/// The whole of `text` as a number.
std::optional<double> number_in(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

std::string text_of(double value) {
  char buffer[32];
  const auto written = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return {buffer, written.ptr};
}

/// The run's value of a numeric key.
double run_number(const sdk::Options& options, std::string_view key, int32_t world) {
  if (key == "train_batch_size") {
    return static_cast<double>(options.get_int("per_device_train_batch_size") *
                               options.get_int("gradient_accumulation_steps") * world);
  }
  if (key == "per_device_train_batch_size" || key == "gradient_accumulation_steps") {
    return static_cast<double>(options.get_int(key));
  }
  return options.get_float(key);
}

/// The run's value as text when it is not `value`, else "".
std::string differing(const sdk::Options& options, std::string_view key, std::string_view value, int32_t world) {
  if (value == "true" || value == "false") {
    const std::string found = options.get_bool(key) ? "true" : "false";
    return found == value ? std::string() : found;
  }
  if (const std::optional<double> stated = number_in(value)) {
    const double found = run_number(options, key, world);
    return std::abs(found - *stated) <= 1e-9 * std::abs(found) ? std::string() : text_of(found);
  }
  const std::string_view found = options.get_string(key);
  return found == value ? std::string() : std::string(found);
}

}  // namespace

Expectations::Expectations(std::string_view text) {
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view pair = text.substr(0, comma);
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      throw sdk::Error(FTRUN_INVALID_ARGUMENT, "expects: expected KEY=VALUE, got '" + std::string(pair) + "'");
    }
    add(std::string(pair.substr(0, equals)), std::string(pair.substr(equals + 1)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
}

std::string Expectations::text() const {
  std::string list;
  for (const auto& [key, value] : pairs_) list += (list.empty() ? "" : ",") + key + "=" + value;
  return list;
}

void Expectations::check(const sdk::Options& options, int32_t world, const std::string& before) const {
  for (const auto& [key, value] : pairs_) {
    const std::string found = differing(options, key, value, world);
    if (found.empty()) continue;
    const std::string meaning =
        key == "train_batch_size"
            ? " (per_device_train_batch_size x gradient_accumulation_steps x " + std::to_string(world) + " ranks)"
            : "";
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, before + key + ": the imported file states " + value + ", this run has " +
                                                 found + meaning + ": change one of them");
  }
}

}  // namespace ftrun::sharding
