// Collects errors, so that a user sees all of them at once.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace ftrun {

class ConfigErrors {
 public:
  /// How many messages are kept; further ones are counted.
  static constexpr size_t kMostKept = 100;

  void add(std::string message) {
    if (is_full()) {
      ++not_kept_;
    } else {
      messages_.push_back(std::move(message));
    }
  }
  /// Whether a further message would only be counted, and need not be worded.
  bool is_full() const noexcept { return messages_.size() >= kMostKept; }
  void append(const ConfigErrors& others) {
    for (const std::string& message : others.messages_) add(message);
    not_kept_ += others.not_kept_;
  }
  /// Runs body and keeps the message of an Error it throws.
  template <typename Body>
  void collect(Body&& body) {
    try {
      body();
    } catch (const Error& error) {
      add(error.what());
    }
  }
  /// Messages that open with "FILE:LINE: " in the order of their lines, the others behind them.
  void sort_by_line() {
    std::stable_sort(messages_.begin(), messages_.end(),
                     [](const std::string& a, const std::string& b) { return line_of(a) < line_of(b); });
  }
  bool empty() const noexcept { return messages_.empty(); }
  /// Throws INVALID_ARGUMENT when there are any: the message itself, or "N errors in the configuration:" and one line
  /// each.
  void throw_if_any() const {
    if (messages_.empty()) return;
    if (messages_.size() == 1) throw Error(FTRUN_INVALID_ARGUMENT, messages_.front());
    std::string text = fmt::format("{} errors in the configuration:", messages_.size() + not_kept_);
    for (const std::string& message : messages_) text += "\n  " + message;
    if (not_kept_ > 0) text += fmt::format("\n  and {} more", not_kept_);
    throw Error(FTRUN_INVALID_ARGUMENT, text);
  }

 private:
  static uint64_t line_of(const std::string& message) {
    const size_t end = message.find(": ");
    const size_t colon = end == std::string::npos || end == 0 ? end : message.rfind(':', end - 1);
    uint64_t line = UINT64_MAX;
    if (colon < end) std::from_chars(message.data() + colon + 1, message.data() + end, line);
    return line;
  }

  std::vector<std::string> messages_;
  size_t not_kept_ = 0;
};

}  // namespace ftrun
