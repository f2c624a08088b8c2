// A thread that looks at a flag, since a handler may not print.
#include "core/train/end_watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>

#include "core/train/stop_request.h"

namespace ftrun {
namespace {

constexpr auto kPeriod = std::chrono::milliseconds(50);

}  // namespace

EndWatch::EndWatch(const Communicator& communicator) : communicator_(communicator), thread_([this] { watch(); }) {}

EndWatch::~EndWatch() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void EndWatch::watch() {
  std::unique_lock lock(mutex_);
  while (!leaving_) {
    if (const int signal = end_requested(); signal != 0) {
      fmt::print(
          stderr,
          "error: ended by {} while at: {}. Launchers send it when the job is cancelled or another rank has died, "
          "which their own message then names. Nothing was saved; SIGUSR1 or a file 'stop' in output_dir saves first\n",
          signal == SIGINT ? "SIGINT" : "SIGTERM", communicator_.current_operation());
      std::fflush(stderr);
      ::_exit(1);
    }
    changed_.wait_for(lock, kPeriod);
  }
}

}  // namespace ftrun
