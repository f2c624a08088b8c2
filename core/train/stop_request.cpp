// Signal handlers that only touch a lock-free flag.
#include "core/train/stop_request.h"

#include <csignal>

namespace ftrun {
namespace {

volatile std::sig_atomic_t stop_flag = 0;
struct sigaction previous_interrupt = {};
struct sigaction previous_terminate = {};
struct sigaction previous_hangup = {};

void on_signal(int signal_number) {
  if (stop_flag != 0 && signal_number == SIGINT) {
    ::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
  }
  stop_flag = 1;
}

}  // namespace

StopRequestScope::StopRequestScope() {
  stop_flag = 0;
  struct sigaction action = {};
  action.sa_handler = on_signal;
  ::sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, &previous_interrupt);
  ::sigaction(SIGTERM, &action, &previous_terminate);
  ::sigaction(SIGHUP, &action, &previous_hangup);
}

StopRequestScope::~StopRequestScope() {
  ::sigaction(SIGINT, &previous_interrupt, nullptr);
  ::sigaction(SIGTERM, &previous_terminate, nullptr);
  ::sigaction(SIGHUP, &previous_hangup, nullptr);
}

bool stop_requested() noexcept { return stop_flag != 0; }

}  // namespace ftrun
