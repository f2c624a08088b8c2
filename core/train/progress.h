// Progress of anything that takes seconds: a bar with ETA on a terminal, a plain line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ftrun {

/// "1:02:03", or "02:03" below an hour.
std::string format_duration(double seconds);

/// Draws to stderr. Nothing appears before two seconds have passed, so short work stays silent. [control-thread]
class Progress {
 public:
  /// `label` stands before the bar; `first` is where counting starts (a resumed run).
  Progress(std::string label, int64_t total, int64_t first = 0);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  void advance_to(int64_t done);
  /// Removes the bar so that a log line can be written; the next advance draws it again.
  void clear();
  double elapsed_seconds() const;
  double remaining_seconds() const;

 private:
  void draw_bar() const;
  void print_line();
  double rate() const;

  std::string label_;
  int64_t total_;
  int64_t first_;
  int64_t done_;
  bool terminal_;
  mutable bool drawn_ = false;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_output_;
};

}  // namespace ftrun
