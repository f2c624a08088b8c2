// The log over spdlog.
#include "core/base/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>
#include <memory>

#include "core/base/error.h"
#include "core/base/message_places.h"
#include "core/base/nearest_name.h"
#include "core/base/printable_text.h"

namespace ftrun {
namespace {

std::atomic<LogLevel> g_level = LogLevel::kInfo;
std::atomic<void (*)()> g_line_hook = nullptr;
thread_local LogLevel thread_level = LogLevel::kDebug;

// spdlog's own %l is lower case and fixed when the library is built.
class UpperCaseLevel : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string_view name = "INFO";
    if (message.level == spdlog::level::debug) name = "DEBUG";
    if (message.level == spdlog::level::warn) name = "WARNING";
    if (message.level == spdlog::level::err) name = "ERROR";
    out.append(name.data(), name.data() + name.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<UpperCaseLevel>(); }
};

spdlog::logger& logger() {
  // Never destroyed: threads may still log while the process ends.
  static spdlog::logger& instance = *[] {
    const bool colour = std::getenv("NO_COLOR") == nullptr;
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(colour ? spdlog::color_mode::automatic
                                                                             : spdlog::color_mode::never);
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<UpperCaseLevel>('N').set_pattern("%^[%N|%Y-%m-%d %H:%M:%S]%$ %v");
    sink->set_formatter(std::move(formatter));
    auto* made = new spdlog::logger("ftrun", std::move(sink));
    made->set_level(spdlog::level::debug);
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return instance;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    default:
      return spdlog::level::info;
  }
}

}  // namespace

void set_log_level(LogLevel level) { g_level = level; }

LogLevel parse_log_level(std::string_view name) {
  static const std::string kNames[] = {"debug", "info", "warning", "error", "off"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  }
  throw invalid_argument("log level '{}': expected one of debug, info, warning, error, off{}", name,
                         did_you_mean(name, kNames));
}

void set_thread_log_level(LogLevel level) noexcept { thread_level = level; }

bool log_enabled(LogLevel level) noexcept {
  return level >= g_level.load(std::memory_order_relaxed) && level >= thread_level;
}

void set_log_line_hook(void (*hook)()) { g_line_hook = hook; }

void log_line(LogLevel level, std::string_view text) {
  if (!log_enabled(level) || level == LogLevel::kOff) return;
  const std::string lines = printable_text(name_places_once(text));
  std::string_view message = lines;
  if (auto* hook = g_line_hook.load(); hook != nullptr) hook();
  while (true) {
    const size_t end = message.find('\n');
    const std::string_view line = message.substr(0, end);
    logger().log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
    if (end == std::string_view::npos) return;
    message.remove_prefix(end + 1);
  }
}

}  // namespace ftrun
