// Signal handlers that only touch lock-free flags.
#include "core/train/stop_request.h"

#include <array>
#include <csignal>

namespace ftrun {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};

volatile std::sig_atomic_t stop_flag = 0;
volatile std::sig_atomic_t end_signal = 0;
std::array<struct sigaction, kSignals.size()> former_actions = {};

void stop_on_signal(int signal_number) {
  if (stop_flag != 0 && signal_number == SIGINT) {
    ::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
  }
  stop_flag = 1;
}

void end_on_signal(int signal_number) { end_signal = signal_number; }

}  // namespace

StopRequestScope::StopRequestScope(StopSignals signals) {
  stop_flag = 0;
  end_signal = 0;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    const bool ends = signals == StopSignals::kLaunched && (kSignals[i] == SIGINT || kSignals[i] == SIGTERM);
    struct sigaction action = {};
    action.sa_handler = ends ? end_on_signal : stop_on_signal;
    ::sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    ::sigaction(kSignals[i], nullptr, &former_actions[i]);
    // nohup and shells that start background jobs have signals ignored; so they stay.
    if (former_actions[i].sa_handler == SIG_IGN) continue;
    ::sigaction(kSignals[i], &action, nullptr);
  }
}

StopRequestScope::~StopRequestScope() {
  for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &former_actions[i], nullptr);
}

bool stop_requested() noexcept { return stop_flag != 0; }

int end_requested() noexcept { return end_signal; }

}  // namespace ftrun
