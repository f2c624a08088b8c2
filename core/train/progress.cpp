// The bar looks like tqdm's, which users of the field read without thinking.
#include "core/train/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/base/logging.h"

namespace ftrun {
namespace {

constexpr int kBarColumns = 30;
constexpr double kSilentSeconds = 2.0;
constexpr double kRedrawSeconds = 0.1;
constexpr double kLineSeconds = 30.0;

double seconds_since(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

}  // namespace

std::string format_duration(double seconds) {
  const auto total = static_cast<int64_t>(std::max(0.0, seconds) + 0.5);
  const int64_t hours = total / 3600;
  const int64_t minutes = total / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60)
                   : fmt::format("{:02}:{:02}", minutes, total % 60);
}

Progress::Progress(std::string label, int64_t total, int64_t first)
    : label_(std::move(label)),
      total_(total),
      first_(first),
      done_(first),
      terminal_(::isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()),
      last_output_(start_) {}

Progress::~Progress() {
  if (drawn_) std::fputc('\n', stderr);
}

void Progress::advance_to(int64_t done) {
  done_ = done;
  if (elapsed_seconds() < kSilentSeconds || !log_enabled(LogLevel::kInfo)) return;
  const bool finished = done_ >= total_;
  if (terminal_ && (finished || !drawn_ || seconds_since(last_output_) >= kRedrawSeconds)) {
    draw_bar();
    last_output_ = std::chrono::steady_clock::now();
  } else if (!terminal_ && seconds_since(last_output_) >= kLineSeconds) {
    print_line();
    last_output_ = std::chrono::steady_clock::now();
  }
}

void Progress::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

double Progress::elapsed_seconds() const { return seconds_since(start_); }

double Progress::rate() const {
  const double elapsed = elapsed_seconds();
  return elapsed > 0 ? static_cast<double>(done_ - first_) / elapsed : 0;
}

double Progress::remaining_seconds() const {
  const double per_second = rate();
  return per_second > 0 ? static_cast<double>(total_ - done_) / per_second : 0;
}

void Progress::draw_bar() const {
  const double share = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 1;
  const int filled = static_cast<int>(share * kBarColumns);
  const std::string bar = std::string(filled, '#') + std::string(kBarColumns - filled, ' ');
  const double per_second = rate();
  const std::string speed = per_second >= 1 || per_second <= 0 ? fmt::format("{:.2f}it/s", per_second)
                                                               : fmt::format("{:.2f}s/it", 1 / per_second);
  fmt::print(stderr, "\r{}{:3.0f}%|{}| {}/{} [{}<{}, {}]\033[K", label_.empty() ? "" : label_ + ": ", share * 100, bar,
             done_, total_, format_duration(elapsed_seconds()), format_duration(remaining_seconds()), speed);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::print_line() {
  fmt::print(stderr, "{}{}/{} ({:.0f}%), {} elapsed, {} left\n", label_.empty() ? "" : label_ + ": ", done_, total_,
             total_ > 0 ? 100.0 * static_cast<double>(done_) / static_cast<double>(total_) : 100.0,
             format_duration(elapsed_seconds()), format_duration(remaining_seconds()));
}

}  // namespace ftrun
